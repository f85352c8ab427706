//! Which devices are present: a table of bounded size that events and scans of sysfs are applied to.
//!
//! [`Presence::apply`] takes an event of the kernel and says what it means for whoever knew the set of
//! devices before: the event itself, and what must be told with it so that `add` and `remove` of one devpath
//! alternate. A device is the same as before if its directory in sysfs has the same inode; what that is, the
//! caller looks up for events that [want it](Presence::wants_directory). After a loss, or when nothing is known
//! yet, a scan makes the table true again, device by device, while events go on:
//!
//! ```text
//! begin_scan
//!     look_at(devpath)  the caller reads that device in sysfs, and applies all events sent until then
//!     saw | gone        unless one of them was about it: then what was read may be older, and is read again
//!     …                 for each device that sysfs lists
//!     look_at_unseen    then for each that it did not list, to confirm that it is gone
//! end_scan              tells: removals, children first; additions, parents first; what stayed
//! ```
//!
//! Everything has a fixed size: `SLOTS` devices, and `BYTES` for their devpaths and properties. What does not
//! fit passes as an event that is not tracked.

mod apply;
mod arena;
mod identity;
mod relocate;
mod scan;
mod slot;
mod stored;
mod table;
mod transition;

use core::num::NonZeroU64;

use heapless::Vec;

pub use scan::{Look, Outcome, ScanKind};
pub(crate) use slot::Index;
pub(crate) use stored::is_synthetic;
pub use transition::{Device, Directory, Effect, Origin, Scope, Transition};

use crate::limits::MAX_HEADER_BYTES;
use crate::stream::zeroable::Maybe;
use crate::uevent::{Action, Encoder, Uevent};
use scan::Scan;
use slot::State;
use table::Table;

/// What is told, one step after the other.
type Out<'o> = &'o mut dyn FnMut(Transition<'_>);

/// One of the consumers that a device's tombstone waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bit(u32);

impl Bit {
    /// How many there can be.
    pub(crate) const COUNT: usize = u32::BITS as usize;

    /// `place` is less than [`COUNT`](Self::COUNT).
    pub(crate) const fn of(place: u8) -> Self {
        Self(1 << place)
    }

    pub(crate) const fn mask(self) -> u32 {
        self.0
    }
}

/// The table of present devices.
pub struct Presence<const SLOTS: usize, const BYTES: usize> {
    table: Table<SLOTS, BYTES>,
    scan: Maybe<Scan>,
    /// The devpath that a scan looks at.
    in_flight: Vec<u8, MAX_HEADER_BYTES>,
    /// Whether an event was about it since the look began.
    touched: bool,
    /// Whether something is present that has no place in the table.
    overflowing: bool,
    counts: Counts,
}

/// What happened in the table; each number only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Counts {
    /// Devices that did not fit, each time that they were met.
    pub unfit: u64,
    /// Events that removed what nobody was told of, and so were not told.
    pub unknown_removals: u64,
}

impl<const SLOTS: usize, const BYTES: usize> Presence<SLOTS, BYTES> {
    /// A table without devices.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            table: Table::EMPTY,
            scan: Maybe::Nothing,
            in_flight: Vec::new(),
            touched: false,
            overflowing: false,
            counts: Counts { unfit: 0, unknown_removals: 0 },
        }
    }

    /// What happened.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Devices that are told as present.
    #[must_use]
    pub fn devices(&self) -> usize {
        self.table.slots().iter().filter(|slot| slot.state == State::Present).count()
    }

    /// Bytes of the table that nothing else can have: those of what is present, and of what is gone and somebody still
    /// has to hear so.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        BYTES - self.table.room_bytes()
    }

    /// Whether something is present that has no place in the table.
    #[must_use]
    pub const fn is_overflowing(&self) -> bool {
        self.overflowing
    }

    /// The devpaths that are told as present, in no order.
    pub fn devpaths(&self) -> impl Iterator<Item = &[u8]> {
        let present = |index: &Index| self.table.slot(*index).state == State::Present;
        Table::<SLOTS, BYTES>::indices().filter(present).map(|index| self.table.path(index))
    }

    /// Whether there is room for what an event needs, or a scan that has read this in a directory with that
    /// inode, if tombstones that somebody waits for stay.
    pub(crate) fn has_room(&self, uevent: &Uevent<'_>, inode: Option<NonZeroU64>) -> bool {
        let present = self.table.find(uevent.devpath(), State::Present);
        let stays = present.is_some_and(|index| self.is_same(index, uevent, inode));
        let removes = uevent.action() == Action::Remove && !is_synthetic(uevent);
        if removes || stays && uevent.action() != Action::Move {
            return true;
        }
        let cost = Table::<SLOTS, BYTES>::cost(uevent);
        let slots = self.table.slots();
        slots.iter().any(slot::Slot::is_available) && self.table.room_bytes() >= cost
    }

    /// Whether a slot still holds the device that it was when something was told.
    pub(crate) fn is_current(&self, device: Device) -> bool {
        let slot = self.table.slot(device.slot);
        slot.generation == device.generation && matches!(slot.state, State::Present | State::Gone)
    }

    /// Whether the device has been told as removed.
    pub(crate) fn is_gone(&self, index: Index) -> bool {
        self.table.slot(index).state == State::Gone
    }

    pub(crate) fn is_present(&self, index: Index) -> bool {
        self.table.slot(index).state == State::Present
    }

    pub(crate) fn depth(&self, index: Index) -> u16 {
        self.table.slot(index).depth
    }

    pub(crate) fn indices() -> impl Iterator<Item = Index> {
        Table::<SLOTS, BYTES>::indices()
    }

    /// Goes through the devices that are told as present below another one, the deepest first.
    fn for_each_below(&mut self, of: Index, each: &mut dyn FnMut(&mut Self, Index)) {
        if !self.table.may_have_below(of) {
            return;
        }
        let is_below = |presence: &Self, index: Index| {
            let slot = presence.table.slot(index);
            slot.state == State::Present
                && slot.depth > presence.table.slot(of).depth
                && presence.table.is_below(index, presence.table.path(of))
        };
        let below = Self::indices().filter(|&index| is_below(self, index));
        let Some(deepest) = below.map(|index| self.table.slot(index).depth).max() else { return };
        for depth in (self.table.slot(of).depth + 1..=deepest).rev() {
            for index in Self::indices() {
                if self.table.slot(index).depth == depth && is_below(self, index) {
                    each(self, index);
                }
            }
        }
    }

    /// Whether a consumer was told `add` and not `remove`. The slot is not given to another device before it was.
    pub(crate) fn is_owed(&self, index: Index, consumer: Bit) -> bool {
        self.table.slot(index).owed & consumer.0 != 0
    }

    /// A consumer was told `add`: the device's tombstone stays until it is told `remove`.
    pub(crate) fn owe(&mut self, index: Index, consumer: Bit) {
        self.table.slot_mut(index).owed |= consumer.0;
    }

    /// A consumer was told `remove`, or forgets everything.
    pub(crate) fn settle(&mut self, index: Index, consumer: Bit) {
        self.table.slot_mut(index).owed &= !consumer.0;
    }

    pub(crate) fn subsystem(&self, index: Index) -> Option<&[u8]> {
        stored::value(self.table.properties(index), b"SUBSYSTEM")
    }

    /// Writes an event of the slot's device into a buffer; `None` if that has too few bytes.
    pub(crate) fn render<'b>(
        &self,
        index: Index,
        action: Action<'_>,
        buffer: &'b mut [u8],
    ) -> Option<Uevent<'b>> {
        let path = self.table.path(index);
        let mut encoder = Encoder::new(buffer, action, path).ok()?;
        encoder.property(b"ACTION", action.as_bytes()).ok()?;
        encoder.property(b"DEVPATH", path).ok()?;
        for property in stored::all(self.table.properties(index)) {
            // What is beyond the kernel's limits was no property of an event.
            let _ = encoder.property(property.key, property.value);
        }
        Uevent::parse(encoder.finish()).ok()
    }
}

impl<const SLOTS: usize, const BYTES: usize> Default for Presence<SLOTS, BYTES> {
    fn default() -> Self {
        Self::new()
    }
}
