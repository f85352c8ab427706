//! What one device raises: a plug and an unplug that were watched, and the figures for an image's profile.

use std::fmt;
use std::time::Duration;

use heapless::Vec;

use sureplug_core::limits::{MAX_DATAGRAM_BYTES, MAX_HEADER_BYTES};
use sureplug_core::rcvbuf::MAX_CUSTOM_GROUPS;
use sureplug_core::uevent::{Action, Uevent};

/// For how long a port's state must not change before a device in it is looked at: `HUB_DEBOUNCE_STABLE` in
/// `drivers/usb/core/hub.c`. So no plug follows an unplug any faster.
const DEBOUNCE_MS: u64 = 100;

/// Nothing for so long, and what began is over: twice what `usb-storage` waits before it looks at a disk.
pub const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// What an event has to do with the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: there is no device yet, or it is another's.
    Other,
    /// The device has come.
    Plugged,
    /// It is one of the device's.
    Counted,
    /// The device has gone.
    Unplugged,
}

/// The events of one half of a cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phase {
    /// How many.
    pub events: u32,
    /// Bytes charged for them.
    pub charged: u64,
    /// Nanoseconds from the first to the last.
    pub took_ns: u64,
    began_ns: Option<u64>,
}

impl Phase {
    /// Another one belongs to it.
    fn add(&mut self, other: Option<Self>) {
        let Some(other) = other else { return };
        self.events += other.events;
        self.charged += other.charged;
        self.took_ns = self.took_ns.max(other.took_ns);
        self.began_ns = self.began_ns.or(other.began_ns);
    }
}

/// One device, from its plug to its unplug, in fixed memory.
///
/// The device is the first that is added with `DEVTYPE=usb_device`. Its events are those at and below its devpath;
/// and what a driver adds or removes elsewhere meanwhile, as `/devices/virtual/bdi/8:0` or `/module/usb_storage`, since
/// nothing tells whose that is. Virtual net devices are never a USB device's.
#[derive(Debug)]
pub struct Measurement {
    devpath: Vec<u8, MAX_HEADER_BYTES>,
    plug: Phase,
    /// What came after the plug was over: an unplug can begin with something else than a removal, as a keyboard's
    /// begins with a change of its LEDs.
    since: Option<Phase>,
    unplug: Phase,
    last_ns: u64,
    is_leaving: bool,
    has_gone: bool,
    longest_devpath: usize,
    others: u32,
    /// How many events have so many bytes, without two copies of the devpath and the digits of `SEQNUM`.
    lengths: [u16; MAX_DATAGRAM_BYTES + 1],
}

impl Measurement {
    /// Nothing was seen yet.
    #[must_use]
    pub const fn new() -> Self {
        const NONE: Phase = Phase { events: 0, charged: 0, took_ns: 0, began_ns: None };
        Self {
            devpath: Vec::new(),
            plug: NONE,
            since: None,
            unplug: NONE,
            last_ns: 0,
            is_leaving: false,
            has_gone: false,
            longest_devpath: 0,
            others: 0,
            lengths: [0; MAX_DATAGRAM_BYTES + 1],
        }
    }

    /// Takes an event of the kernel that came at `at_ns`, on any clock, and was charged with so many bytes.
    pub fn event(&mut self, at_ns: u64, uevent: &Uevent<'_>, charged: u32) -> Step {
        let (action, devpath) = (uevent.action(), uevent.devpath());
        let mut step = Step::Counted;
        if self.devpath.is_empty() {
            if action != Action::Add || uevent.devtype() != Some(b"usb_device") {
                return Step::Other;
            }
            // A devpath is a part of the header, so it fits.
            let _ = self.devpath.extend_from_slice(devpath);
            step = Step::Plugged;
        }
        let below = devpath.strip_prefix(&self.devpath[..]);
        let is_below = below.is_some_and(|below| below.first().is_none_or(|&byte| byte == b'/'));
        if !is_below && !is_of_a_driver(action, devpath) {
            self.others = self.others.saturating_add(1);
            return Step::Other;
        }
        if step != Step::Plugged
            && at_ns.saturating_sub(self.last_ns) > SETTLED_AFTER.as_secs() * 1_000_000_000
        {
            self.settle();
        }
        self.last_ns = at_ns;
        if is_below {
            self.longest_devpath = self.longest_devpath.max(devpath.len());
            if !self.is_leaving && matches!(action, Action::Remove | Action::Unbind) {
                self.is_leaving = true;
                self.unplug.add(self.since.take());
            }
            if below == Some(b"") {
                match action {
                    // One that changes its mode comes once more.
                    Action::Add => (self.is_leaving, self.has_gone) = (false, false),
                    Action::Remove => {
                        self.has_gone = true;
                        step = Step::Unplugged;
                    }
                    _ => {}
                }
            }
        }
        let phase = match &mut self.since {
            _ if self.is_leaving => &mut self.unplug,
            Some(since) => since,
            None => &mut self.plug,
        };
        phase.events += 1;
        phase.charged += u64::from(charged);
        phase.took_ns = at_ns.saturating_sub(*phase.began_ns.get_or_insert(at_ns));
        let digits = uevent.property(b"SEQNUM").map_or(0, <[u8]>::len);
        let base = uevent.datagram().len().saturating_sub(2 * self.devpath.len() + digits);
        // At least 1, since a profile has no shorter event.
        let count = &mut self.lengths[base.clamp(1, MAX_DATAGRAM_BYTES)];
        *count = count.saturating_add(1);
        step
    }

    /// What came until now was no unplug.
    fn settle(&mut self) {
        if !self.is_leaving {
            let took_ns = self.plug.took_ns;
            self.plug.add(self.since.replace(Phase::default()));
            // It was over long before.
            self.plug.took_ns = took_ns;
        }
    }

    /// The device's devpath; empty before its plug.
    #[must_use]
    pub fn devpath(&self) -> &[u8] {
        &self.devpath
    }

    /// Bytes of the longest devpath of all its events.
    #[must_use]
    pub const fn longest_devpath(&self) -> usize {
        self.longest_devpath
    }

    /// Its plug.
    #[must_use]
    pub const fn plug(&self) -> &Phase {
        &self.plug
    }

    /// Its unplug.
    #[must_use]
    pub const fn unplug(&self) -> &Phase {
        &self.unplug
    }

    /// Whether it came and went.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.has_gone
    }

    /// Events of others meanwhile.
    #[must_use]
    pub const fn others(&self) -> u32 {
        self.others
    }

    /// The shortest time in milliseconds in which the device comes, is used by its drivers and goes: as long as its
    /// events took, and what the kernel waits before each plug.
    #[must_use]
    pub const fn shortest_cycle_ms(&self) -> u64 {
        DEBOUNCE_MS + (self.plug.took_ns + self.unplug.took_ns) / 1_000_000
    }

    /// What an image's profile says of such a device: the text that
    /// [`CustomDevice::parse`](sureplug_core::rcvbuf::CustomDevice::parse) takes, if it is complete.
    #[must_use]
    pub fn custom(&self) -> impl fmt::Display + '_ {
        Custom(self)
    }
}

impl Default for Measurement {
    fn default() -> Self {
        Self::new()
    }
}

/// What is neither of the device nor of another.
fn is_of_a_driver(action: Action<'_>, devpath: &[u8]) -> bool {
    let is_elsewhere = !devpath.starts_with(b"/devices/")
        || devpath.starts_with(b"/devices/virtual/") && !devpath.starts_with(b"/devices/virtual/net/");
    is_elsewhere && matches!(action, Action::Add | Action::Remove)
}

struct Custom<'m>(&'m Measurement);

impl fmt::Display for Custom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths = &self.0.lengths;
        // Lengths are rounded up to as few groups as a profile has.
        let mut step = 1;
        while groups(lengths, step).count() > MAX_CUSTOM_GROUPS {
            step *= 2;
        }
        let mut sign = "custom:";
        for (count, length) in groups(lengths, step) {
            write!(f, "{sign}{count}x{length}")?;
            sign = "+";
        }
        write!(f, "@{}", self.0.shortest_cycle_ms())
    }
}

/// Numbers of events by their length, rounded up to a multiple of `step`.
fn groups(lengths: &[u16], step: usize) -> impl Iterator<Item = (u32, usize)> {
    // Nothing has no bytes.
    let counts = lengths[1..].chunks(step).map(|chunk| chunk.iter().map(|&count| u32::from(count)).sum());
    counts.zip(1..).map(move |(count, nth)| (count, nth * step)).filter(|(count, _)| *count > 0)
}
