use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sureplug_core::stream::{Directory, Scope};

use super::datagram::{Sent, uevent};
use super::device::{Device, Identity};

/// Where devices are plugged: nested, and with names that begin alike.
pub const PLACES: [&str; 12] = [
    "/devices/a",
    "/devices/a/x",
    "/devices/a/x/u",
    "/devices/a/x/v",
    "/devices/a/y",
    "/devices/a-b",
    "/devices/b",
    "/devices/b/x",
    "/devices/b/x/u",
    "/devices/b/y",
    "/devices/c",
    "/devices/c/x",
];

/// The properties that an event changes of a device that stays.
#[derive(Clone, Copy, Debug)]
pub enum Saying {
    /// `change` of its state.
    Change,
    /// `change` because a disk has another medium, with the number of the one before.
    Medium,
    /// `bind` to that driver.
    Bind(u8),
    /// `unbind`.
    Unbind,
    /// A synthetic `add`.
    Trigger,
    /// A synthetic `remove`.
    TriggerRemove,
}

/// What happens in the kernel.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// A device is plugged in, with its parents and children.
    Plug {
        /// Which of the [`PLACES`].
        place: u8,
        /// Which of those below it are there too.
        below: u8,
        /// Which [`Identity`] it has, and those around it.
        identity: u8,
        /// Whether all are there before the first event is sent.
        at_once: bool,
    },
    /// A present device goes, with what is below it.
    Unplug {
        /// Which.
        device: u8,
    },
    /// The same, and the like of them comes back.
    Replace {
        /// Which.
        device: u8,
    },
    /// A present device gets another devpath, with what is below it.
    Move {
        /// Which.
        device: u8,
        /// Which of the [`PLACES`] it gets.
        place: u8,
    },
    /// An event that leaves the device where it is.
    Say {
        /// Which.
        device: u8,
        /// What.
        saying: Saying,
    },
    /// An event of something that is no device.
    Untracked,
}

/// What happens at once.
#[derive(Clone, Debug)]
enum Step {
    Appear(String, Identity),
    Announce(String),
    Vanish(String),
    Move { from: String, to: String },
    Say(String, Saying),
    Send(Sent),
}

/// The tree, and what is about to happen in it.
#[derive(Clone, Debug, Default)]
pub struct Kernel {
    devices: BTreeMap<String, Device>,
    operations: VecDeque<Operation>,
    steps: VecDeque<Step>,
    /// The identities of all devices that ever existed.
    identities: Vec<Identity>,
    /// Those that have had another devpath.
    moved: BTreeSet<u64>,
    sent: u64,
}

/// That of a device's directory.
pub(super) const fn inode(incarnation: u64) -> u64 {
    1_000 + incarnation
}

impl Kernel {
    /// What is there, by devpath.
    #[must_use]
    pub const fn devices(&self) -> &BTreeMap<String, Device> {
        &self.devices
    }

    /// Returns the identity of a device that exists or existed.
    ///
    /// # Panics
    ///
    /// Panics if it never existed.
    #[must_use]
    pub fn identity(&self, incarnation: u64) -> Identity {
        let place = usize::try_from(incarnation).ok().and_then(|number| number.checked_sub(1));
        place.and_then(|place| self.identities.get(place).copied()).expect("a device that was there")
    }

    /// Where a device is.
    #[must_use]
    pub fn place_of(&self, incarnation: u64) -> Option<&str> {
        let mut devices = self.devices.iter();
        devices.find(|(_, device)| device.incarnation == incarnation).map(|(path, _)| path.as_str())
    }

    /// Whether a device has had another devpath.
    #[must_use]
    pub fn has_moved(&self, incarnation: u64) -> bool {
        self.moved.contains(&incarnation)
    }

    /// Reads a device in sysfs: its `add`, and its incarnation.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<(Vec<u8>, u64)> {
        let device = self.devices.get(path)?;
        Some((device.datagram("add", path, &[]), device.incarnation))
    }

    /// What is at a devpath.
    #[must_use]
    pub fn directory(&self, path: &str) -> Directory {
        let device = self.devices.get(path);
        device.map_or(Directory::Absent, |device| Directory::of(inode(device.incarnation)))
    }

    /// Begins an operation after those in progress.
    pub fn begin(&mut self, operation: Operation) {
        self.operations.push_back(operation);
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.operations.is_empty() && self.steps.is_empty()
    }

    /// Does the next step; returns the event that it sends.
    pub fn step(&mut self) -> Option<Sent> {
        while self.steps.is_empty() {
            let operation = self.operations.pop_front()?;
            self.steps = self.steps_of(operation).into();
        }
        match self.steps.pop_front()? {
            Step::Appear(path, identity) => {
                self.identities.push(identity);
                let incarnation = self.identities.len() as u64;
                self.devices.insert(path, Device { incarnation, identity, driver: None, state: 0, media: 0 });
                None
            }
            Step::Announce(path) => Some(self.event("add", &path, &[])),
            // What a scan reads is gone before the event is sent (`device_del` in `drivers/base/core.c`).
            Step::Vanish(path) => {
                let event = self.event("remove", &path, &[]);
                self.devices.remove(&path);
                self.steps.push_front(Step::Send(event));
                None
            }
            Step::Move { from, to } => Some(self.rename(&from, &to)),
            Step::Say(path, saying) => Some(self.say(&path, saying)),
            Step::Send(event) => Some(event),
        }
    }

    fn event(&mut self, action: &str, path: &str, more: &[(&str, &str)]) -> Sent {
        self.sent += 1;
        let seqnum = self.sent.to_string();
        let more = [more, &[("SEQNUM", &seqnum)]].concat();
        Sent { datagram: self.devices[path].datagram(action, path, &more), scope: Scope::Tracked }
    }

    fn rename(&mut self, from: &str, to: &str) -> Sent {
        let moved: Vec<String> = self.with_below(from);
        for path in moved {
            if let Some(device) = self.devices.remove(&path) {
                self.moved.insert(device.incarnation);
                self.devices.insert(format!("{to}{}", &path[from.len()..]), device);
            }
        }
        self.event("move", to, &[("DEVPATH_OLD", from)])
    }

    fn say(&mut self, path: &str, saying: Saying) -> Sent {
        if let (Some(device), Saying::Bind(_) | Saying::Unbind) = (self.devices.get_mut(path), saying) {
            device.driver = if let Saying::Bind(driver) = saying { Some(driver) } else { None };
        }
        match saying {
            Saying::Change => {
                if let Some(device) = self.devices.get_mut(path) {
                    device.state += 1;
                }
                self.event("change", path, &[("EXTRA", "1")])
            }
            // As `disk_force_media_change` has it in `block/disk-events.c`.
            Saying::Medium => {
                let event = self.event("change", path, &[("DISK_MEDIA_CHANGE", "1")]);
                if let Some(device) = self.devices.get_mut(path) {
                    device.media += 1;
                }
                event
            }
            Saying::Bind(_) => self.event("bind", path, &[]),
            Saying::Unbind => self.event("unbind", path, &[]),
            Saying::Trigger => self.event("add", path, &[("SYNTH_UUID", "0")]),
            Saying::TriggerRemove => self.event("remove", path, &[("SYNTH_UUID", "0")]),
        }
    }

    /// A device and all below it, parents first.
    fn with_below(&self, path: &str) -> Vec<String> {
        let below = format!("{path}/");
        self.devices.keys().filter(|key| *key == path || key.starts_with(&below)).cloned().collect()
    }

    fn present(&self, number: u8) -> Option<String> {
        let count = self.devices.len();
        self.devices.keys().nth(usize::from(number).checked_rem(count)?).cloned()
    }

    fn steps_of(&mut self, operation: Operation) -> Vec<Step> {
        match operation {
            Operation::Plug { place, below, identity, at_once } => self.plug(place, below, identity, at_once),
            Operation::Unplug { device } => {
                self.present(device).map_or_else(Vec::new, |path| self.unplug(&path))
            }
            Operation::Replace { device } => {
                let Some(path) = self.present(device) else { return Vec::new() };
                let mut steps = self.unplug(&path);
                for path in self.with_below(&path) {
                    let identity = self.devices[&path].identity;
                    steps.extend([Step::Appear(path.clone(), identity), Step::Announce(path)]);
                }
                steps
            }
            Operation::Move { device, place } => self.move_to(device, place),
            Operation::Say { device, saying } => {
                self.present(device).into_iter().map(|path| Step::Say(path, saying)).collect()
            }
            Operation::Untracked => {
                let datagram = uevent("add", "/module/loop", &[("SUBSYSTEM", "module"), ("SEQNUM", "0")]);
                vec![Step::Send(Sent { datagram, scope: Scope::Untracked })]
            }
        }
    }

    fn plug(&self, place: u8, below: u8, identity: u8, at_once: bool) -> Vec<Step> {
        let place = PLACES[usize::from(place) % PLACES.len()];
        let is_above = |path: &str| place == path || place.starts_with(&format!("{path}/"));
        let below_it = PLACES.iter().filter(|path| path.starts_with(&format!("{place}/")));
        let chosen: Vec<_> =
            below_it.enumerate().filter(|(bit, _)| below >> bit & 1 == 1).map(|(_, path)| *path).collect();
        let is_wanted = |path: &str| {
            is_above(path) || chosen.iter().any(|c| *c == path || c.starts_with(&format!("{path}/")))
        };
        let new = PLACES.iter().filter(|path| is_wanted(path) && !self.devices.contains_key(**path));
        let appear = |path: &&str| {
            Step::Appear((*path).to_owned(), Identity::of(identity + path.as_bytes()[path.len() - 1]))
        };
        let announce = |path: &&str| Step::Announce((*path).to_owned());
        if at_once {
            new.clone().map(appear).chain(new.clone().map(announce)).collect()
        } else {
            new.flat_map(|path| [appear(path), announce(path)]).collect()
        }
    }

    fn unplug(&self, path: &str) -> Vec<Step> {
        self.with_below(path).into_iter().rev().map(Step::Vanish).collect()
    }

    fn move_to(&self, device: u8, place: u8) -> Vec<Step> {
        let Some(from) = self.present(device) else { return Vec::new() };
        let to = PLACES[usize::from(place) % PLACES.len()].to_owned();
        let parent = &to[..to.rfind('/').unwrap_or(0)];
        let is_free = !self.devices.contains_key(&to) && !format!("{to}/").starts_with(&format!("{from}/"));
        if !is_free || parent != "/devices" && !self.devices.contains_key(parent) {
            return Vec::new();
        }
        vec![Step::Move { from, to }]
    }
}
