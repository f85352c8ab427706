use sureplug_core::selection::Selection;
use sureplug_core::stream::{
    ConsumerId, Delivery, DeliveryBuffer, DeviceEvent, Directory, Lag, Look, ScanKind, ScanOutcome, Scope,
    Stream,
};
use sureplug_core::time::Instant;
use sureplug_core::uevent::Uevent;

use super::datagram::uevent;

/// A device's properties: `KEY=value` pairs.
pub type Says<'s> = &'s [(&'s str, &'s str)];

/// A device as a scan finds it: its path, properties and inode.
pub type Found<'s> = (&'s str, Says<'s>, u64);

/// A stream with one line per delivered step: origin, action, devpath, the kernel's own action in
/// brackets, and `?` if it is not tracked.
pub struct Script<const S: usize, const B: usize, const R: usize, const C: usize> {
    /// What is tested.
    pub stream: Box<Stream<S, B, R, C>>,
    /// A consumer of everything.
    pub id: ConsumerId,
    packet: Box<DeliveryBuffer>,
}

impl<const S: usize, const B: usize, const R: usize, const C: usize> Script<S, B, R, C> {
    /// Creates a stream without devices, and with one consumer that is never reset.
    ///
    /// # Panics
    ///
    /// Panics if there is no place for a consumer, or if it receives anything.
    #[must_use]
    pub fn new() -> Self {
        let mut stream = Box::new(Stream::new());
        let id = stream.join(Selection::ALL, Lag::Hold).expect("a place");
        let mut script = Self { stream, id, packet: Box::new(DeliveryBuffer::new()) };
        // Events before its first read are delivered as the snapshot.
        assert!(script.told().is_empty());
        script
    }

    /// Applies an event of a device in sysfs without looking up its directory.
    pub fn event(&mut self, action: &str, path: &str, says: Says<'_>) {
        self.send(&uevent(action, path, says), Scope::Tracked);
    }

    /// The same, with a directory of that inode at the devpath; 0 if nothing is there.
    ///
    /// # Panics
    ///
    /// If that is no uevent.
    pub fn event_at(&mut self, action: &str, path: &str, says: Says<'_>, inode: u64) {
        let directory = if inode == 0 { Directory::Absent } else { Directory::of(inode) };
        let datagram = uevent(action, path, says);
        self.stream.event(
            Instant::BOOT,
            &Uevent::parse(&datagram).expect("a uevent"),
            Scope::Tracked,
            directory,
        );
    }

    /// A device has moved.
    pub fn moved(&mut self, from: &str, to: &str, says: Says<'_>) {
        self.event("move", to, &[says, &[("DEVPATH_OLD", from)]].concat());
    }

    /// Applies any event.
    ///
    /// # Panics
    ///
    /// Panics if the datagram is not an event.
    pub fn send(&mut self, datagram: &[u8], scope: Scope) {
        self.stream.event(
            Instant::BOOT,
            &Uevent::parse(datagram).expect("a uevent"),
            scope,
            Directory::Unknown,
        );
    }

    /// Takes what a look at a device has read, with no event since.
    pub fn saw(&mut self, (path, says, inode): Found<'_>) -> Look {
        self.stream.look_at(path.as_bytes());
        self.saw_late((path, says, inode))
    }

    /// Takes what a look has read that began before.
    ///
    /// # Panics
    ///
    /// If that is no uevent.
    pub fn saw_late(&mut self, (path, says, inode): Found<'_>) -> Look {
        let datagram = uevent("add", path, says);
        self.stream.saw(Instant::BOOT, &Uevent::parse(&datagram).expect("a uevent"), inode)
    }

    /// Finishes a scan: announced devices that were not seen are gone.
    pub fn finish(&mut self) -> ScanOutcome {
        while self.stream.look_at_unseen().is_some() {
            self.stream.gone();
        }
        self.stream.end_scan(Instant::BOOT)
    }

    /// A whole scan: this is there, and nothing else.
    pub fn scan(&mut self, kind: ScanKind, found: &[Found<'_>]) -> ScanOutcome {
        self.stream.begin_scan(kind);
        for &device in found {
            self.saw(device);
        }
        self.finish()
    }

    /// Returns everything that the consumer receives.
    pub fn told(&mut self) -> Vec<String> {
        self.told_to(self.id)
    }

    /// Returns everything that a consumer receives.
    pub fn told_to(&mut self, id: ConsumerId) -> Vec<String> {
        std::iter::from_fn(|| self.next(id)).collect()
    }

    /// Returns the next item that a consumer receives.
    pub fn next(&mut self, id: ConsumerId) -> Option<String> {
        self.next_with(id, &mut |_| ())
    }

    /// The same, and looks at it if it is an event.
    pub fn next_with(&mut self, id: ConsumerId, look: &mut dyn FnMut(&DeviceEvent<'_>)) -> Option<String> {
        let told = self.stream.next(id, Instant::BOOT, &mut self.packet)?;
        if let Delivery::Event(entry) = &told {
            look(entry);
        }
        Some(line(&told))
    }
}

impl<const S: usize, const B: usize, const R: usize, const C: usize> Default for Script<S, B, R, C> {
    fn default() -> Self {
        Self::new()
    }
}

fn line(told: &Delivery<'_>) -> String {
    let entry = match told {
        Delivery::Event(entry) => entry,
        Delivery::Missed { steps } => return format!("missed {steps}"),
        Delivery::SnapshotEnd => return "current".to_owned(),
        Delivery::Reset => return "reset".to_owned(),
    };
    let origin = entry.origin.as_bytes().escape_ascii();
    let path = entry.uevent.devpath().escape_ascii();
    let kernel = entry.kernel_action.map_or(String::new(), |action| format!(" ({action})"));
    let tracked = if entry.tracked { "" } else { " ?" };
    format!("{origin} {} {path}{kernel}{tracked}", entry.uevent.action())
}
