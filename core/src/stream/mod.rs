//! Device table and journal: events and scans go in, and every consumer reads the same stream.
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
//! [`Stream::event`] takes an event of the kernel and derives what it means for a consumer that knew the devices before:
//! the event itself, and what must be delivered with it so that `add` and `remove` of one devpath alternate. A device is
//! the same as before if its directory in sysfs has the same inode; the caller looks that up for events that
//! [want it](Stream::wants_directory).
//!
//! # Scans
//!
//! After a loss, or when nothing is known yet, a scan brings the device table in line with sysfs, device by device, while
//! events go on:
//!
//! ```text
//! begin_scan
//!     look_at(devpath)  the caller reads that device in sysfs, and applies all events sent until then
//!     saw | gone        unless one of them was about it: then what was read may be older, and is read again
//!     …                 for each device that sysfs lists
//!     look_at_unseen    then for each that it did not list, to confirm that it is gone
//! end_scan              delivers removals, children first; additions, parents first; then what stayed
//! ```
//!
//! # Consumers
//!
//! A consumer is a cursor in the journal, a selection of subsystems, and the devices that were announced to it. One that
//! keeps up gets every step as it was put in. One that lags is never waited for: when what it has not read yet is
//! overwritten, it gets the number of steps that it missed and then, one by one, the delta between what was announced to
//! it and the device table: removals children first, additions parents first, and `change` for what stayed and had an
//! event among those missed. Nothing was announced to a new consumer, so that its delta is a snapshot. Every step stands
//! for itself: a consumer that takes one a second gets there too, while events go on.

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

/// A table of `SLOTS` devices with `BYTES` for their devpaths and properties, a journal of `RING` bytes, and up to
/// `CONSUMERS` consumers.
///
/// Everything has a fixed size. A device that does not fit into the table passes as an event that is not tracked. An
/// event that does not fit into the journal counts as overwritten.
pub struct Stream<const SLOTS: usize, const BYTES: usize, const RING: usize, const CONSUMERS: usize> {
    table: DeviceTable<SLOTS, BYTES>,
    journal: Journal<RING>,
    consumers: [Zeroable<Consumer>; CONSUMERS],
    resets: u64,
}

/// What happened in a stream; each number only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StreamCounts {
    /// Devices that did not fit into the table, each time that they were met.
    pub unfit: u64,
    /// Events that removed a device of which none was announced, and so were not delivered.
    pub unknown_removals: u64,
    /// Events that are larger than the journal: consumers that had not read everything got the delta.
    pub oversized: u64,
    /// Consumers that had to forget everything, so that tombstones could go.
    pub resets: u64,
}

impl<const SLOTS: usize, const BYTES: usize, const RING: usize, const CONSUMERS: usize>
    Stream<SLOTS, BYTES, RING, CONSUMERS>
{
    /// Returns a stream without devices and consumers.
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

    /// Returns `true` if what the event means depends on the [`Directory`] at its devpath. Looking that up costs a system
    /// call: where the event adds a device, or is about one that is not known.
    #[must_use]
    pub fn wants_directory(&self, uevent: &Uevent<'_>) -> bool {
        self.table.wants_directory(uevent)
    }

    /// Applies an event of the kernel, and puts in order into the journal what follows from it: at least the event itself,
    /// unless it removes a device that was not announced. `directory` is what sysfs shows at its devpath then, if that is
    /// [wanted](Self::wants_directory). `stamp` is delivered with it again.
    ///
    /// An `add` of a device that is present is delivered as `change`. Anything but a `remove` of an unknown device, or of
    /// another device than the one that was there, is delivered as `add`, behind the removal of that one. A `move`
    /// is delivered as `remove` of the old devpath and `add` of the new, with all that is below it. A removed or
    /// replaced device takes along what is still present below it.
    ///
    /// A `remove` with `SYNTH_UUID` is one that user space has written to a file of sysfs
    /// (`kobject_synth_uevent` in `lib/kobject_uevent.c`): it removes nothing, and is delivered as `change`. The kernel
    /// sends another one when it removes the device.
    ///
    /// By the time at which an event is applied, another device may have taken the devpath. The `remove` of the first
    /// one was then sent before the directory was looked up: it is applied later, or it was lost.
    ///
    /// Properties whose key begins with [`OWN_PREFIX`] go no further: what is delivered under such a key is this stream's
    /// own, to every consumer alike.
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

    /// Begins a scan; one that was running is forgotten.
    pub fn begin_scan(&mut self, kind: ScanKind) {
        self.table.begin_scan(kind);
    }

    /// Notes which device is going to be read. Between this and [`saw`](Self::saw) or [`gone`](Self::gone) the
    /// caller reads it and then applies all events that were sent until it was read.
    pub fn look_at(&mut self, devpath: &[u8]) {
        self.table.look_at(devpath);
    }

    /// Looks at the next device that is or will be announced as present, and was not seen: its devpath and
    /// subsystem. Each comes once, and once more behind the first look of a scan, and behind an event that shows
    /// that a device has moved or was replaced.
    pub fn look_at_unseen(&mut self) -> Option<(&[u8], &[u8])> {
        self.table.look_at_unseen()
    }

    /// Takes what was read of the device that was [looked at](Self::look_at). `uevent` has the properties that an `add`
    /// would have, and `inode` is that of its directory in sysfs, which is new at each creation; 0 if that is not known.
    ///
    /// What has no place in the table is delivered at the start as it is.
    pub fn saw(&mut self, stamp: Instant, uevent: &Uevent<'_>, inode: u64) -> Look {
        let inode = NonZeroU64::new(inode);
        self.make_room(uevent, inode);
        let look = self.table.saw(uevent, inode);
        if look == Look::Unfit && self.table.is_starting() {
            self.journal.push(stamp, &Step { origin: Origin::Scan, device: None, uevent: Some(*uevent) });
        }
        look
    }

    /// Notes that the device that was [looked at](Self::look_at) is not there.
    pub fn gone(&mut self) -> Look {
        self.table.gone()
    }

    /// Ends the scan and delivers what it has found: removals, children first; additions, parents first; then
    /// what stayed.
    pub fn end_scan(&mut self, stamp: Instant) -> ScanOutcome {
        let Self { table, journal, .. } = self;
        table.end_scan(&mut |step| journal.push(stamp, &step))
    }

    /// Adds a consumer that gets, to begin with, all present devices of the selection; `None` if there are
    /// as many consumers as there can be.
    pub fn join(&mut self, selection: Selection, lag: Lag) -> Option<ConsumerId> {
        let place = self.consumers.iter().position(|place| place.as_ref().is_none())?;
        let id = ConsumerId::of(place)?;
        self.consumers[place] = Zeroable::Just(Consumer::new(id, selection, lag, self.journal.head));
        Some(id)
    }

    /// Takes all present devices of its selection as announced to a consumer that was sent nothing yet: it gets what
    /// changes from here on.
    pub fn mark_announced(&mut self, id: ConsumerId) {
        if let Some(consumer) = self.consumers[id.place()].as_ref() {
            self.table.mark_all_announced(id, &consumer.selection);
        }
    }

    /// From here on a consumer gets [`Delivery::SnapshotEnd`] behind each snapshot and delta.
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

    /// Returns what a consumer gets next; `None` if it has got everything. `now` is the stamp of what is made for it
    /// alone.
    pub fn next<'b>(
        &mut self,
        id: ConsumerId,
        now: Instant,
        buffer: &'b mut DeliveryBuffer,
    ) -> Option<Delivery<'b>> {
        let consumer = self.consumers[id.place()].as_mut()?;
        consumer.next(&self.journal, &mut self.table, now, buffer)
    }

    /// Makes a consumer forget everything that was announced to it: it gets [`Delivery::Reset`], and then a snapshot.
    pub fn reset(&mut self, id: ConsumerId) {
        if let Some(consumer) = self.consumers[id.place()].as_mut() {
            consumer.reset(&mut self.table, self.journal.head);
            self.resets += 1;
        }
    }

    /// Makes room in the table for what an event needs, or for what a scan has read in a directory with that
    /// inode, if that takes consumers that may be [reset](Lag::Reset): the one that holds most tombstones
    /// first.
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

    /// Returns the devpaths of the present devices, in no order.
    pub fn devpaths(&self) -> impl Iterator<Item = &[u8]> {
        self.table.devpaths()
    }

    /// Returns the bytes of the table that are taken: by what is present, and by tombstones that a consumer still needs.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.table.used_bytes()
    }

    /// Returns `true` if a device is present that has no place in the table.
    #[must_use]
    pub const fn is_overflowing(&self) -> bool {
        self.table.is_overflowing()
    }

    /// Returns the subsystem with the most devices in the table, and how many these are.
    #[must_use]
    pub fn largest_subsystem(&self) -> Option<(&[u8], usize)> {
        self.table.largest_subsystem()
    }

    /// Returns what happened.
    #[must_use]
    pub const fn counts(&self) -> StreamCounts {
        let (unfit, unknown_removals) = self.table.counts();
        StreamCounts { unfit, unknown_removals, oversized: self.journal.oversized, resets: self.resets }
    }

    /// Returns the steps that were put into the journal from the start.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.journal.head.step
    }

    /// Returns the steps that a consumer has been past, delivered or not: comparable with [`steps`](Self::steps).
    #[must_use]
    pub fn read_steps(&self, id: ConsumerId) -> u64 {
        self.consumers[id.place()].as_ref().map_or(0, |consumer| consumer.cursor.step)
    }

    /// Returns the steps that a consumer missed, and of which it did not get the number yet.
    #[must_use]
    pub fn missed(&self, id: ConsumerId) -> u64 {
        self.consumers[id.place()].as_ref().map_or(0, |consumer| consumer.missed)
    }

    /// Returns `true` if steps were overwritten that a consumer has not read: it will miss all up to the newest.
    #[must_use]
    pub fn is_overrun(&self, id: ConsumerId) -> bool {
        self.consumers[id.place()].as_ref().is_some_and(|consumer| consumer.cursor < self.journal.tail)
    }

    /// Returns what a consumer did not get yet: steps of the journal, those that it missed, and those of the delta.
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
