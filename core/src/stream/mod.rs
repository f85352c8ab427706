//! The device table and the journal: takes events and scans, and gives every consumer the same
//! stream.
//!
//! ```
//! use sureplug_core::selection::Selection;
//! use sureplug_core::stream::{Delivery, DeliveryBuffer, Directory, Lag, Scope, Stream};
//! use sureplug_core::time::Instant;
//! use sureplug_core::uevent::{Action, Uevent};
//!
//! let mut stream = Stream::<8, 2048, 1024, 1>::new();
//! let consumer = stream.join(Selection::ALL, Lag::Hold).expect("a free place");
//! let datagram = b"add@/devices/usb2/2-1\0ACTION=add\0DEVPATH=/devices/usb2/2-1\0SUBSYSTEM=usb\0SEQNUM=9\0";
//! stream.event(Instant::BOOT, &Uevent::parse(datagram)?, Scope::Tracked, Directory::Unknown);
//!
//! let mut buffer = DeliveryBuffer::new();
//! let Some(Delivery::Event(event)) = stream.next(consumer, Instant::BOOT, &mut buffer) else { panic!() };
//! assert_eq!(event.uevent.action(), Action::Add);
//! assert!(stream.next(consumer, Instant::BOOT, &mut buffer).is_none());
//! # Ok::<(), sureplug_core::uevent::ParseError>(())
//! ```
//!
//! # Events
//!
//! [`Stream::event`] takes an event of the kernel and derives the steps for a consumer that knows
//! the devices so far: the event itself, and the further events that keep `add` and `remove` of one
//! devpath in alternation. A device is the same as before if its directory in sysfs has the same
//! inode. The caller looks the inode up for events that [need it](Stream::wants_directory).
//!
//! # Scans
//!
//! After a loss, or when nothing is known yet, a scan brings the device table in line with sysfs,
//! one device at a time, while events continue to arrive. The caller drives it:
//!
//! 1. [`begin_scan`](Stream::begin_scan).
//! 2. For each device that sysfs lists: [`look_at`](Stream::look_at) it, read it in sysfs, apply
//!    every event that the socket holds by then, and call [`saw`](Stream::saw), or
//!    [`gone`](Stream::gone) if the device is not there. [`Look::Touched`] means that one of those
//!    events was about the device and may be newer than the reading: look again.
//! 3. For each device that sysfs did not list, as returned by
//!    [`look_at_unseen`](Stream::look_at_unseen): do the same, to confirm that it is gone.
//! 4. [`end_scan`](Stream::end_scan) delivers removals, children first; additions, parents first;
//!    then the devices that stayed. A device that could not be read gets neither `saw` nor `gone`,
//!    and stays as announced. Such a scan is not complete: [`Schedule::ended`] repeats it.
//!
//! ```
//! use sureplug_core::selection::Selection;
//! use sureplug_core::stream::{Delivery, DeliveryBuffer, Directory, Lag, Look, ScanKind, Scope, Stream};
//! use sureplug_core::time::Instant;
//! use sureplug_core::uevent::Uevent;
//!
//! let now = Instant::BOOT;
//! let mut stream = Stream::<8, 2048, 1024, 1>::new();
//! let event = |datagram: &'static [u8]| Uevent::parse(datagram).expect("a uevent");
//! let (a, b) = (event(b"add@/devices/a\0SUBSYSTEM=usb\0"), event(b"add@/devices/b\0SUBSYSTEM=usb\0"));
//! stream.event(now, &a, Scope::Tracked, Directory::of(11));
//! stream.event(now, &b, Scope::Tracked, Directory::of(12));
//! let consumer = stream.join(Selection::ALL, Lag::Hold).expect("room for one consumer");
//! let (mut buffer, mut output) = (DeliveryBuffer::new(), Vec::new());
//! while stream.next(consumer, now, &mut buffer).is_some() {}
//!
//! // Events were lost. sysfs lists `a` alone.
//! stream.begin_scan(ScanKind::Resync);
//! stream.look_at(b"/devices/a");
//! // An event about `a` arrives after `a` was read, and is applied first.
//! stream.event(now, &event(b"bind@/devices/a\0SUBSYSTEM=usb\0"), Scope::Tracked, Directory::Unknown);
//! assert_eq!(stream.saw(now, &a, 11), Look::Touched);
//! stream.look_at(b"/devices/a");
//! assert_eq!(stream.saw(now, &a, 11), Look::Taken);
//! // `b` was not listed, and reading it confirms that it is gone.
//! assert_eq!(stream.look_at_unseen(), Some((&b"/devices/b"[..], &b"usb"[..])));
//! assert_eq!(stream.gone(), Look::Taken);
//! assert_eq!(stream.look_at_unseen(), None);
//! assert_eq!(stream.end_scan(now).removed, 1);
//!
//! while let Some(Delivery::Event(event)) = stream.next(consumer, now, &mut buffer) {
//!     output.push(event.uevent.to_string());
//! }
//! assert_eq!(output, ["bind@/devices/a", "remove@/devices/b", "change@/devices/a"]);
//! ```
//!
//! # Consumers
//!
//! A consumer is a cursor in the journal, a selection of subsystems, and the set of devices that
//! were announced to it. One that keeps up gets every step in order. One that lags delays nothing:
//! steps that it has not read may be overwritten. It then gets the number of steps that it missed,
//! and the delta between the devices announced to it and the device table.
//!
//! The delta has removals, children first; additions, parents first; and `change` for devices that
//! stayed and had an event among those missed. A new consumer knows no device, so its delta is a
//! snapshot. A delta is delivered one step at a time, so even a consumer that takes one step a
//! second converges while events continue.

mod consumer;
mod delivery;
mod journal;
mod schedule;
mod table;
mod zeroable;

use core::num::NonZeroU64;

use consumer::Consumer;
pub use consumer::Lag;
use delivery::has_own;
pub use delivery::{Delivery, DeliveryBuffer, DeviceEvent, OWN_PREFIX, without_own};
use journal::Journal;
pub use schedule::{
    Agreement, FIRST_RETRY, MAX_RESYNC_PAUSE, MAX_RETRY, RESYNC_INTERVAL, SETTLE_INTERVAL, SETTLED_AFTER,
    Schedule,
};
pub use table::{ConsumerId, Directory, Look, Origin, ScanKind, ScanOutcome, Scope};
use table::{DeviceTable, Step};
use zeroable::Zeroable;

use crate::limits::MAX_DATAGRAM_BYTES;
use crate::selection::Selection;
use crate::time::Instant;
use crate::uevent::Uevent;

/// A table of `SLOTS` devices with `BYTES` for their devpaths and properties, a journal of `RING`
/// bytes, and up to `CONSUMERS` consumers.
///
/// All sizes are fixed. The event of a device that does not fit into the table is delivered
/// untracked. An event that does not fit into the journal counts as overwritten.
pub struct Stream<const SLOTS: usize, const BYTES: usize, const RING: usize, const CONSUMERS: usize> {
    table: DeviceTable<SLOTS, BYTES>,
    journal: Journal<RING>,
    consumers: [Zeroable<Consumer>; CONSUMERS],
    resets: u64,
}

/// Counts of what happened in a stream. They only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StreamCounts {
    /// Devices that did not fit into the table, counted each time one is met.
    pub unfit: u64,
    /// Events that removed an unannounced device with no announced descendant, and so were not
    /// delivered.
    pub unknown_removals: u64,
    /// Events larger than the journal: consumers that had not read everything got the delta.
    pub oversized: u64,
    /// Resets of consumers, made to free tombstones.
    pub resets: u64,
}

impl<const SLOTS: usize, const BYTES: usize, const RING: usize, const CONSUMERS: usize>
    Stream<SLOTS, BYTES, RING, CONSUMERS>
{
    /// Creates a stream without devices and consumers.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(CONSUMERS <= ConsumerId::COUNT, "a slot has 32 bits for consumers") };
        Self {
            table: DeviceTable::EMPTY,
            journal: Journal::EMPTY,
            consumers: [const { Zeroable::Nothing }; CONSUMERS],
            resets: 0,
        }
    }

    /// Returns `true` if the meaning of the event depends on the [`Directory`] at its devpath.
    ///
    /// The lookup costs a system call. It is needed if the event adds a device or is about an unknown
    /// one.
    #[must_use]
    pub fn wants_directory(&self, uevent: &Uevent<'_>) -> bool {
        self.table.wants_directory(uevent)
    }

    /// Applies an event of the kernel, and appends the resulting steps to the journal: at least the
    /// event itself, unless it removes a device that was not announced.
    ///
    /// `directory` is what sysfs shows at the event's devpath at this time, if it is
    /// [needed](Self::wants_directory). `stamp` is delivered with the event.
    ///
    /// An `add` of a present device is delivered as `change`. Any event but `remove` is delivered
    /// as `add` if its device is unknown, or has replaced another one, whose removal then comes
    /// first. A `move` is delivered as `remove` of the old devpath and `add` of the new one,
    /// descendants included. A removed or replaced device takes its descendants with it.
    ///
    /// A `remove` with `SYNTH_UUID` was written by user space to a `uevent` file of sysfs
    /// (`kobject_synth_uevent` in `lib/kobject_uevent.c`). It removes nothing and is delivered as
    /// `change`: the kernel sends another `remove` when the device goes.
    ///
    /// By the time an event is applied, another device may have taken the devpath. The `remove` of
    /// the first device was sent before the lookup of the directory, so it is applied later or was
    /// lost.
    ///
    /// Properties whose key begins with [`OWN_PREFIX`] are dropped: such keys belong to this
    /// stream, for every consumer alike.
    pub fn event(&mut self, stamp: Instant, uevent: &Uevent<'_>, scope: Scope, directory: Directory) {
        if has_own(uevent) {
            let mut buffer = [0; MAX_DATAGRAM_BYTES];
            self.apply(stamp, &without_own(uevent, &mut buffer), scope, directory);
        } else {
            self.apply(stamp, uevent, scope, directory);
        }
    }

    fn apply(&mut self, stamp: Instant, uevent: &Uevent<'_>, scope: Scope, directory: Directory) {
        if scope == Scope::Tracked {
            self.make_room(uevent, directory.inode());
        }
        let Self { table, journal, .. } = self;
        table.apply(uevent, scope, directory, &mut |step| journal.push(stamp, &step));
    }

    /// Begins a scan, and discards one that is running.
    pub fn begin_scan(&mut self, kind: ScanKind) {
        self.table.begin_scan(kind);
    }

    /// Names the device that is read next. The caller then reads it and applies all events sent
    /// before the reading, and calls [`saw`](Self::saw) or [`gone`](Self::gone).
    pub fn look_at(&mut self, devpath: &[u8]) {
        self.table.look_at(devpath);
    }

    /// Returns the devpath and subsystem of the next device that is or will be announced as present
    /// and was not seen, and looks at it.
    ///
    /// Each device is returned once. It is returned again after the first look of a scan, and after
    /// an event shows that a device has moved or was replaced.
    pub fn look_at_unseen(&mut self) -> Option<(&[u8], &[u8])> {
        self.table.look_at_unseen()
    }

    /// Takes what was read of the device that was [looked at](Self::look_at).
    ///
    /// `uevent` has the properties that an `add` would have. `inode` is that of the device's
    /// directory in sysfs, which is new at each creation; 0 if unknown. During the first scan, a
    /// device that does not fit into the table is delivered untracked.
    pub fn saw(&mut self, stamp: Instant, uevent: &Uevent<'_>, inode: u64) -> Look {
        let inode = NonZeroU64::new(inode);
        self.make_room(uevent, inode);
        let look = self.table.saw(uevent, inode);
        if look == Look::Unfit && self.table.is_starting() {
            self.journal.push(stamp, &Step { origin: Origin::Scan, device: None, uevent: Some(*uevent) });
        }
        look
    }

    /// Notes that the device that was [looked at](Self::look_at) is gone.
    pub fn gone(&mut self) -> Look {
        self.table.gone()
    }

    /// Ends the scan and delivers its findings: removals, children first; additions, parents first;
    /// then the devices that stayed.
    pub fn end_scan(&mut self, stamp: Instant) -> ScanOutcome {
        let Self { table, journal, .. } = self;
        table.end_scan(&mut |step| journal.push(stamp, &step))
    }

    /// Adds a consumer, which first gets all present devices of its selection. Returns `None` if
    /// there is no free place.
    pub fn join(&mut self, selection: Selection, lag: Lag) -> Option<ConsumerId> {
        let place = self.consumers.iter().position(|place| place.as_ref().is_none())?;
        let id = ConsumerId::of(place)?;
        self.consumers[place] = Zeroable::Just(Consumer::new(id, selection, lag, self.journal.head));
        Some(id)
    }

    /// Treats all present devices of the selection as announced to a new consumer: it gets only
    /// what changes from here on.
    pub fn mark_announced(&mut self, id: ConsumerId) {
        if let Some(consumer) = self.consumers[id.place()].as_ref() {
            self.table.mark_all_announced(id, &consumer.selection);
        }
    }

    /// Enables [`Delivery::SnapshotEnd`] after each snapshot and delta of a consumer.
    pub fn mark_snapshot_end(&mut self, id: ConsumerId) {
        if let Some(consumer) = self.consumers[id.place()].as_mut() {
            consumer.marks_snapshot_end = true;
        }
    }

    /// Removes a consumer.
    pub fn leave(&mut self, id: ConsumerId) {
        if self.consumers[id.place()].take().is_some() {
            self.table.forget(id);
        }
    }

    /// Returns the next delivery of a consumer; `None` if it has everything.
    ///
    /// `now` is the stamp of deliveries made for this consumer alone.
    pub fn next<'b>(
        &mut self,
        id: ConsumerId,
        now: Instant,
        buffer: &'b mut DeliveryBuffer,
    ) -> Option<Delivery<'b>> {
        let consumer = self.consumers[id.place()].as_mut()?;
        consumer.next(&self.journal, &mut self.table, now, buffer)
    }

    /// Makes a consumer forget all announced devices: it gets [`Delivery::Reset`], and then a
    /// snapshot.
    pub fn reset(&mut self, id: ConsumerId) {
        if let Some(consumer) = self.consumers[id.place()].as_mut() {
            consumer.reset(&mut self.table, self.journal.head);
            self.resets += 1;
        }
    }

    /// Makes room in the table for an event, or for a device that a scan has read, by
    /// [resetting](Lag::Reset) consumers that allow it: the one that holds most tombstones first.
    fn make_room(&mut self, uevent: &Uevent<'_>, inode: Option<NonZeroU64>) {
        let may_be_reset = |consumer: &&Consumer| consumer.lag == Lag::Reset;
        if !self.consumers.iter().filter_map(Zeroable::as_ref).any(|consumer| may_be_reset(&consumer)) {
            return;
        }
        while !self.table.has_room(uevent, inode) {
            let candidates = self.consumers.iter().filter_map(Zeroable::as_ref).filter(may_be_reset);
            let holds = candidates.map(|consumer| (self.table.tombstones(consumer.id), consumer.id));
            match holds.max_by_key(|(tombstones, _)| *tombstones) {
                Some((1.., id)) => self.reset(id),
                _ => return,
            }
        }
    }

    /// Returns the number of present devices.
    #[must_use]
    pub fn devices(&self) -> usize {
        self.devpaths().count()
    }

    /// Returns the devpaths of the present devices, in no particular order.
    pub fn devpaths(&self) -> impl Iterator<Item = &[u8]> {
        self.table.devpaths()
    }

    /// Returns the used bytes of the table: those of present devices, and of tombstones that a
    /// consumer still needs.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.table.used_bytes()
    }

    /// Returns `true` if a present device has no place in the table.
    #[must_use]
    pub const fn is_overflowing(&self) -> bool {
        self.table.is_overflowing()
    }

    /// Returns the subsystem with the most devices in the table, and their number.
    #[must_use]
    pub fn largest_subsystem(&self) -> Option<(&[u8], usize)> {
        self.table.largest_subsystem()
    }

    /// Returns the stream's counts.
    #[must_use]
    pub const fn counts(&self) -> StreamCounts {
        let (unfit, unknown_removals) = self.table.counts();
        StreamCounts { unfit, unknown_removals, oversized: self.journal.oversized, resets: self.resets }
    }

    /// Returns the number of steps since the start.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.journal.head.step
    }

    /// Returns the number of steps that a consumer has passed, delivered or not. It is comparable
    /// with [`steps`](Self::steps).
    #[must_use]
    pub fn read_steps(&self, id: ConsumerId) -> u64 {
        self.consumers[id.place()].as_ref().map_or(0, |consumer| consumer.cursor.step)
    }

    /// Returns the number of steps that a consumer missed and was not yet notified of.
    #[must_use]
    pub fn missed(&self, id: ConsumerId) -> u64 {
        self.consumers[id.place()].as_ref().map_or(0, |consumer| consumer.missed)
    }

    /// Returns `true` if steps that a consumer has not read were overwritten: it will miss all
    /// steps up to the newest.
    #[must_use]
    pub fn is_overrun(&self, id: ConsumerId) -> bool {
        self.consumers[id.place()].as_ref().is_some_and(|consumer| consumer.cursor < self.journal.tail)
    }

    /// Returns the number of steps that a consumer has yet to get: those in the journal, those it
    /// missed, and those of the delta.
    #[must_use]
    pub fn unread(&self, id: ConsumerId) -> u64 {
        let consumer = self.consumers[id.place()].as_ref();
        consumer.map_or(0, |consumer| consumer.unread(self.journal.head, &self.table))
    }
}

impl<const SLOTS: usize, const BYTES: usize, const RING: usize, const CONSUMERS: usize> Default
    for Stream<SLOTS, BYTES, RING, CONSUMERS>
{
    fn default() -> Self {
        Self::new()
    }
}
