//! Measures what one device raises: a plug and an unplug, and the figures for an image's profile.

use std::fmt::Write;
use std::time::Duration;

use heapless::Vec;

use sureplug_core::limits::{MAX_DATAGRAM_BYTES, MAX_HEADER_BYTES};
use sureplug_core::rcvbuf::MAX_CUSTOM_GROUPS;
use sureplug_core::stream::SETTLED_AFTER;
use sureplug_core::time::{Instant, micros};
use sureplug_core::uevent::{Action, Uevent};

/// The least wait of the kernel in milliseconds between a plug and its first event (`drivers/usb/core/hub.c`).
///
/// The port's state must be stable for 100 (`HUB_DEBOUNCE_STABLE`); the reset takes 10 (`HUB_SHORT_RESET_TIME`);
/// `hub_port_reset` then gives the device 50 to recover, and `hub_set_address` 10. The second reset of a USB 2
/// device is not counted, as no event shows it.
const WAIT_MS: u64 = 100 + 10 + 50 + 10;

/// The same in a port of a root hub, where the reset takes `HUB_ROOT_RESET_TIME`: 50, later 60.
const ROOT_WAIT_MS: u64 = 100 + 50 + 50 + 10;

/// The events of one half of a cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HalfCycle {
    /// The number of events.
    pub events: u32,
    /// The bytes charged for them.
    pub charged: u64,
    /// The time from the first event to the last.
    pub took: Duration,
    began: Option<Instant>,
}

impl HalfCycle {
    /// Merges another phase into this one.
    fn add(&mut self, other: Option<Self>) {
        let Some(other) = other else { return };
        self.events += other.events;
        self.charged += other.charged;
        self.took = self.took.max(other.took);
        self.began = self.began.or(other.began);
    }
}

/// One device from its plug to its unplug.
///
/// The device is the first one added with `DEVTYPE=usb_device`. Its events are those at and below
/// its devpath, and those of objects that drivers add or remove elsewhere meanwhile, such as
/// `/devices/virtual/bdi/8:0` or `/module/usb_storage`, since nothing shows whose they are. Virtual
/// network devices never belong to a USB device.
#[derive(Debug, Default)]
pub struct Measurement {
    devpath: Vec<u8, MAX_HEADER_BYTES>,
    /// The events of the plug.
    pub plug: HalfCycle,
    /// The events after the plug was over. An unplug may begin with an action other than `remove`:
    /// that of a keyboard begins with a change of its LEDs.
    since: Option<HalfCycle>,
    /// The events of the unplug.
    pub unplug: HalfCycle,
    last: Instant,
    is_leaving: bool,
    /// Whether the device came and went.
    pub is_complete: bool,
    /// The length of the longest devpath in its events.
    pub longest_devpath: usize,
    /// Events of other devices meanwhile.
    pub others: u32,
    /// The number of events of each length, without two copies of the devpath and the digits of
    /// `SEQNUM`.
    lengths: Box<[u16]>,
}

impl Measurement {
    /// Takes an event of the kernel that was read at `at`, on any clock, with its charge. Returns
    /// `true` if it belongs to the device.
    pub fn event(&mut self, at: Instant, uevent: &Uevent<'_>, charged: u32) -> bool {
        let (action, devpath) = (uevent.action(), uevent.devpath());
        let is_first = self.devpath.is_empty();
        if is_first {
            if action != Action::Add || uevent.devtype() != Some(b"usb_device") {
                return false;
            }
            self.lengths = vec![0; MAX_DATAGRAM_BYTES + 1].into_boxed_slice();
            // A devpath is a part of the header, so it fits.
            let _ = self.devpath.extend_from_slice(devpath);
        }
        let below = devpath.strip_prefix(&self.devpath[..]);
        let is_below = below.is_some_and(|below| below.first().is_none_or(|&byte| byte == b'/'));
        if !is_below && !is_of_a_driver(action, devpath) {
            self.others = self.others.saturating_add(1);
            return false;
        }
        if !is_first && at.since(self.last) > SETTLED_AFTER {
            self.settle();
        }
        self.last = at;
        if is_below {
            self.longest_devpath = self.longest_devpath.max(devpath.len());
            if !self.is_leaving && matches!(action, Action::Remove | Action::Unbind) {
                self.is_leaving = true;
                self.unplug.add(self.since.take());
            }
            if below == Some(b"") {
                match action {
                    // A device that changes its mode is added again.
                    Action::Add => (self.is_leaving, self.is_complete) = (false, false),
                    Action::Remove => self.is_complete = true,
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
        phase.took = at.since(*phase.began.get_or_insert(at));
        let digits = uevent.property(b"SEQNUM").map_or(0, <[u8]>::len);
        let base = uevent.datagram().len().saturating_sub(2 * self.devpath.len() + digits);
        // At least 1, since the events of a profile cannot be shorter.
        let count = &mut self.lengths[base.clamp(1, MAX_DATAGRAM_BYTES)];
        *count = count.saturating_add(1);
        true
    }

    /// Counts the events since the plug as part of it: no unplug followed.
    fn settle(&mut self) {
        if !self.is_leaving {
            let took = self.plug.took;
            self.plug.add(self.since.replace(HalfCycle::default()));
            // The plug was over long before.
            self.plug.took = took;
        }
    }

    /// Returns the device's devpath; empty before its plug.
    #[must_use]
    pub fn devpath(&self) -> &[u8] {
        &self.devpath
    }

    /// Returns the shortest time in milliseconds in which the device comes, is set up by its
    /// drivers, and goes: the duration of its events plus the kernel's wait before the first of them.
    #[must_use]
    pub fn shortest_cycle_ms(&self) -> u64 {
        let parent = self.devpath.split(|&byte| byte == b'/').rev().nth(1);
        let is_in_root_hub = parent.is_some_and(|name| name.starts_with(b"usb"));
        let waited_ms = if is_in_root_hub { ROOT_WAIT_MS } else { WAIT_MS };
        waited_ms + micros(self.plug.took + self.unplug.took) / 1_000
    }

    /// Returns the profile of such a device, as
    /// [`CustomDevice::parse`](sureplug_core::rcvbuf::CustomDevice::parse) reads it, if the
    /// measurement is complete.
    #[must_use]
    pub fn custom(&self) -> String {
        // Lengths are rounded up until there are no more groups than a profile may have.
        let mut step = 1;
        while groups(&self.lengths, step).count() > MAX_CUSTOM_GROUPS {
            step *= 2;
        }
        let mut text = String::from("custom");
        let mut sign = ':';
        for (count, length) in groups(&self.lengths, step) {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{sign}{count}x{length}");
            sign = '+';
        }
        format!("{text}@{}", self.shortest_cycle_ms())
    }
}

/// Returns `true` for objects that drivers make elsewhere than below a device.
fn is_of_a_driver(action: Action<'_>, devpath: &[u8]) -> bool {
    let is_elsewhere = !devpath.starts_with(b"/devices/")
        || devpath.starts_with(b"/devices/virtual/") && !devpath.starts_with(b"/devices/virtual/net/");
    is_elsewhere && matches!(action, Action::Add | Action::Remove)
}

/// Counts events by their length, rounded up to a multiple of `step`.
fn groups(lengths: &[u16], step: usize) -> impl Iterator<Item = (u32, usize)> {
    // No event has zero bytes.
    let lengths = lengths.get(1..).unwrap_or_default();
    let counts = lengths.chunks(step).map(|chunk| chunk.iter().map(|&count| u32::from(count)).sum());
    counts.zip(1..).map(move |(count, nth)| (count, nth * step)).filter(|(count, _)| *count > 0)
}
