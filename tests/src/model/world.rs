use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sureplug_core::selection::Selection;
use sureplug_core::stream::{DeliveryBuffer, Directory, Lag, ScanKind, ScanOutcome, Stream};
use sureplug_core::time::Instant;
use sureplug_core::uevent::{Action, Uevent};

use super::datagram::Sent;
use super::device::Identity;
use super::kernel::{Kernel, Operation, inode};
use super::reader::{Belief, Heard, Reader, is_below};
use super::scan::Scan;

/// What happens next.
#[derive(Clone, Copy, Debug)]
pub enum Choice {
    /// Something begins in the kernel.
    Operate(Operation),
    /// The kernel does its next step, and the event of it is lost or not.
    Kernel {
        /// Whether it is.
        lose: bool,
    },
    /// Events are applied, as many.
    Deliver(u8),
    /// A scan begins.
    Scan(ScanKind),
    /// The scan goes on.
    Look(u8),
    /// A consumer reads.
    Read {
        /// Which.
        reader: u8,
        /// The most steps.
        steps: u8,
    },
    /// A consumer leaves, and one joins in its place.
    Rejoin(u8),
    /// A consumer is made to forget.
    Reset(u8),
}

/// A kernel, a stream that follows it, and consumers. The first reads everything at once.
pub struct World<const S: usize, const B: usize, const R: usize, const C: usize> {
    /// What is tested.
    pub stream: Box<Stream<S, B, R, C>>,
    /// What is true.
    pub kernel: Kernel,
    /// The consumers.
    pub readers: Vec<Reader>,
    /// The outcome of the last scan.
    pub outcome: Option<ScanOutcome>,
    pub(super) scan: Option<Scan>,
    pub(super) stamp: u64,
    /// The device that the running look has read.
    pub(super) reading: Option<u64>,
    /// Devices whose inode was taken, and where.
    pub(super) looked_at: BTreeSet<(String, u64)>,
    /// Devices whose properties changed while they stayed.
    spoken: BTreeSet<u64>,
    /// Devices in whose place another one was by the time at which an event of theirs was applied. A device that
    /// moves takes along the inode that was stored for it then.
    mistaken: BTreeSet<u64>,
    /// Devices whose last event was that of a new medium, with the number of the one before.
    stale: BTreeSet<u64>,
    socket: VecDeque<Sent>,
    heard: BTreeMap<u64, Heard>,
    /// Whether the first consumer received the `add` of every device when it came.
    is_first_told_all: bool,
    /// Counts the calls of the stream, which shows what is delivered together.
    given: u64,
    packet: Box<DeliveryBuffer>,
}

/// Returns the device whose properties an event changes.
fn spoken_of(uevent: &Uevent<'_>) -> Option<u64> {
    // A synthetic `remove` removes nothing: it is delivered as `change`.
    let speaks = match uevent.action() {
        Action::Add | Action::Move => false,
        Action::Remove => uevent.property(b"SYNTH_UUID").is_some(),
        _ => true,
    };
    incarnation_of(uevent).filter(|_| speaks)
}

fn incarnation_of(uevent: &Uevent<'_>) -> Option<u64> {
    String::from_utf8_lossy(uevent.property(b"INCARNATION")?).parse().ok()
}

/// What a consumer selects and how it may be treated, by its place.
fn terms(place: usize) -> (Selection, Lag) {
    let usb = || Selection::of(&[b"usb", b"net"]).expect("a selection");
    match place {
        0 | 1 => (Selection::ALL, Lag::Hold),
        2 => (usb(), Lag::Reset),
        3 => (Selection::ALL, Lag::Reset),
        _ => (usb(), Lag::Hold),
    }
}

impl<const S: usize, const B: usize, const R: usize, const C: usize> World<S, B, R, C> {
    /// With no device, and with as many consumers as there can be.
    #[must_use]
    pub fn new() -> Self {
        let mut world = Self {
            stream: Box::new(Stream::new()),
            kernel: Kernel::default(),
            readers: Vec::new(),
            outcome: None,
            scan: None,
            stamp: 0,
            reading: None,
            looked_at: BTreeSet::new(),
            spoken: BTreeSet::new(),
            mistaken: BTreeSet::new(),
            stale: BTreeSet::new(),
            socket: VecDeque::new(),
            heard: BTreeMap::new(),
            is_first_told_all: true,
            given: 0,
            packet: Box::new(DeliveryBuffer::new()),
        };
        for place in 0..C {
            let reader = world.join(place);
            world.readers.push(reader);
        }
        world
    }

    /// The stamp of what is put in now.
    pub(super) fn at(&self) -> Instant {
        Instant::from_nanos(self.stamp)
    }

    fn join(&mut self, place: usize) -> Reader {
        let (selection, lag) = terms(place);
        let id = self.stream.join(selection.clone(), lag).expect("a place");
        Reader::new(id, selection, self.stream.steps())
    }

    /// Does one thing. Nothing is lost, and no scan begins, if `quiet`.
    pub fn choose(&mut self, choice: Choice, quiet: bool) {
        match choice {
            Choice::Operate(operation) => self.kernel.begin(operation),
            Choice::Kernel { lose } => self.kernel_step(lose && !quiet),
            Choice::Deliver(events) => self.deliver(events.into()),
            Choice::Scan(kind) if !quiet => self.begin_scan(kind),
            Choice::Scan(_) => {}
            Choice::Look(random) => drop(self.scan_step(random)),
            Choice::Read { reader, steps } => self.read(usize::from(reader) % C, steps.into()),
            Choice::Rejoin(reader) => {
                let place = usize::from(reader) % C;
                self.is_first_told_all &= place != 0;
                self.stream.leave(self.readers[place].id);
                self.readers[place] = self.join(place);
                self.told();
            }
            Choice::Reset(reader) => {
                self.is_first_told_all &= usize::from(reader) % C != 0;
                self.stream.reset(self.readers[usize::from(reader) % C].id);
                self.told();
            }
        }
    }

    /// The kernel does its next step.
    pub fn kernel_step(&mut self, lose: bool) {
        self.socket.extend(self.kernel.step().filter(|_| !lose));
    }

    /// Applies at most this many events.
    ///
    /// # Panics
    ///
    /// Panics if the first consumer receives something that breaks a rule, as does every call that
    /// makes it read.
    pub fn deliver(&mut self, events: usize) {
        let events = events.min(self.socket.len());
        for event in self.socket.drain(..events).collect::<Vec<_>>() {
            self.stamp += 1;
            let uevent = Uevent::from_kernel(&event.datagram).expect("what the model makes is an event");
            let known = self.known_of_moved(&uevent);
            self.spoken.extend(spoken_of(&uevent));
            let path = String::from_utf8_lossy(uevent.devpath()).into_owned();
            let incarnation = incarnation_of(&uevent);
            self.stale.retain(|stale| incarnation != Some(*stale));
            self.stale.extend(incarnation.filter(|_| uevent.property(b"DISK_MEDIA_CHANGE").is_some()));
            let device = incarnation.map(|incarnation| (path.clone(), incarnation));
            let was_believed = device.as_ref().is_some_and(|device| self.is_believed(device));
            let wants = self.stream.wants_directory(&uevent);
            let directory = if wants { self.kernel.directory(&path) } else { Directory::Unknown };
            self.stream.event(self.at(), &uevent, event.scope, directory);
            self.told();
            if let Some(device) = device {
                self.stood(device, directory, was_believed);
            }
            let known: Vec<_> = known.into_iter().filter(|device| self.is_believed(device)).collect();
            self.looked_at.extend(known);
        }
        self.applied(events);
    }

    /// What was at a device's devpath when an event of it was applied.
    fn stood(&mut self, device: (String, u64), directory: Directory, was_believed: bool) {
        if matches!(directory, Directory::Inode(_)) && directory != Directory::of(inode(device.1)) {
            self.mistaken.insert(device.1);
        }
        if !self.is_believed(&device) {
            return;
        }
        if directory == Directory::of(inode(device.1)) {
            self.looked_at.insert(device);
        } else if matches!(directory, Directory::Inode(_))
            && !(was_believed && self.looked_at.contains(&device))
        {
            self.looked_at.remove(&device);
        }
    }

    /// What is known of the devices that move with an event, if they have a place where they go.
    fn known_of_moved(&self, uevent: &Uevent<'_>) -> Vec<(String, u64)> {
        let Some(old) = uevent.devpath_old() else { return Vec::new() };
        let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(uevent.devpath()));
        let below = format!("{old}/");
        let is_in = |path: &str| *path == *old || path.starts_with(&below);
        let known = self.looked_at.iter().filter(|device| is_in(&device.0) && self.is_believed(device));
        known.map(|(path, incarnation)| (format!("{new}{}", &path[old.len()..]), *incarnation)).collect()
    }

    /// Whether the first consumer believes that this one is there.
    fn is_believed(&self, (path, incarnation): &(String, u64)) -> bool {
        let belief = self.readers[0].rule.believed.get(path.as_bytes());
        belief.is_some_and(|belief| belief.incarnation == incarnation.to_string().as_bytes())
    }

    /// Events that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.socket.len()
    }

    /// Makes a consumer read at most this many steps.
    pub fn read(&mut self, place: usize, steps: usize) {
        let Self { stream, readers, packet, heard, given, .. } = self;
        for _ in 0..steps {
            if !readers[place].read(stream, packet, *given, heard) {
                break;
            }
        }
    }

    /// The stream was given something: the first consumer reads it.
    pub(super) fn told(&mut self) {
        self.given = (self.given + 1) | 1 << 63;
        self.read(0, usize::MAX);
        self.check_removed();
    }

    /// No live device was removed. What is below a replaced one was replaced with it.
    fn check_removed(&mut self) {
        let removed = std::mem::take(&mut self.readers[0].rule.removed);
        if !self.is_first_told_all {
            // The consumer may know the device by a later event of another one in its place.
            return;
        }
        let lives = |(path, belief): &(Vec<u8>, Belief)| {
            let device = self.kernel.devices().get(&*String::from_utf8_lossy(path));
            // A device that moves repeatedly may be back at its reported devpath.
            device.is_some_and(|device| {
                // A device taken for another one is announced again once a scan distinguishes them.
                belief.incarnation == device.incarnation.to_string().as_bytes()
                    && !self.readers[0].rule.mistaken.contains(&belief.incarnation)
                    && !self.kernel.has_moved(device.incarnation)
            })
        };
        for device in removed.iter().filter(|device| lives(device)) {
            let above = removed.iter().any(|(path, _)| is_below(&device.0, path));
            assert!(above, "removed, and there: {}", device.0.escape_ascii());
        }
    }

    /// A scan without any loss, with these choices meanwhile, and then the [end](Self::finish).
    pub fn settle(&mut self, meanwhile: &[Choice]) {
        self.begin_scan(ScanKind::Resync);
        for &choice in meanwhile {
            self.choose(choice, true);
        }
        self.finish();
    }

    /// Ends what is going on: the scan, and then what the kernel does; then everybody reads everything.
    pub fn finish(&mut self) {
        while self.scan_step(0) {}
        while !self.kernel.is_idle() {
            self.kernel_step(false);
        }
        self.deliver(usize::MAX);
        for place in 0..C {
            self.read(place, usize::MAX);
        }
    }

    /// Checks that every consumer knows the actual devices, if all of them fit into the table.
    ///
    /// # Panics
    ///
    /// Panics if a consumer does not.
    pub fn check(&self) {
        let table: BTreeSet<&[u8]> = self.stream.devpaths().collect();
        let devices = self.kernel.devices();
        for path in &table {
            assert!(devices.contains_key(&*String::from_utf8_lossy(path)), "stays: {}", path.escape_ascii());
        }
        if table.len() < devices.len() {
            assert!(self.stream.is_overflowing(), "{:?} are not in {table:?}", devices.keys());
        }
        for reader in &self.readers {
            let mut believed = reader.rule.believed.clone();
            for (path, device) in devices.iter().filter(|(path, _)| table.contains(path.as_bytes())) {
                if !reader.selection.admits(Some(device.subsystem())) {
                    continue;
                }
                let belief = believed.remove(path.as_bytes()).unwrap_or_else(|| panic!("not told: {path}"));
                let incarnation = String::from_utf8_lossy(&belief.incarnation).parse().expect("a number");
                if incarnation != device.incarnation {
                    // No property distinguishes them except one that was reported as changed, and
                    // the inode of the first is unknown, because an event announced it and no scan
                    // read it before it went.
                    let identity = self.kernel.identity(incarnation);
                    let is_alike = !identity.tells_from(device.identity)
                        || identity == Identity::Disk
                            && (self.spoken.contains(&device.incarnation)
                                || self.mistaken.contains(&incarnation)
                                || self.stale.contains(&incarnation));
                    let is_excused = is_alike && !self.looked_at.contains(&(path.clone(), incarnation));
                    assert!(is_excused, "{path} is {}, and not {incarnation}", device.incarnation);
                }
                if B >= 4_096 && self.stream.counts().unfit == 0 {
                    let driver = device.driver.map(|driver| driver.to_string().into_bytes());
                    assert_eq!(belief.driver, driver, "the driver of {path}");
                    let state = (device.state % 3 != 2).then(|| device.state.to_string().into_bytes());
                    assert_eq!(belief.state, state, "the state of {path}");
                }
            }
            assert!(believed.is_empty(), "believed, and not there: {believed:?}");
        }
    }
}

impl<const S: usize, const B: usize, const R: usize, const C: usize> Default for World<S, B, R, C> {
    fn default() -> Self {
        Self::new()
    }
}
