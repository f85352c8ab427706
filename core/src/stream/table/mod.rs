//! The table of present devices: of bounded size, updated by events and by scans of sysfs.

mod apply;
mod arena;
mod delta;
mod lookup;
mod properties;
mod relocate;
mod room;
mod scan;
mod slot;
mod slots;
mod step;

use core::num::NonZeroU64;

use heapless::Vec;

pub(super) use delta::Turn;
pub use scan::{Look, ScanKind, ScanOutcome};
pub use slot::ConsumerId;
pub(super) use slot::Index;
pub(super) use step::{Device, Effect, Step};
pub use step::{Directory, Origin, Scope};

use super::zeroable::Zeroable;
use crate::limits::MAX_HEADER_BYTES;
use crate::uevent::{self, Action, Property, Uevent};
use scan::Scan;
use slot::{Slot, State};
use slots::Slots;

/// The table of present devices.
pub(super) struct DeviceTable<const SLOTS: usize, const BYTES: usize> {
    slots: Slots<SLOTS, BYTES>,
    scan: Zeroable<Scan>,
    /// The devpath that a scan is looking at.
    in_flight: Vec<u8, MAX_HEADER_BYTES>,
    /// Whether an event about it was applied since the look began.
    touched: bool,
    /// Whether a present device has no place in the table.
    overflowing: bool,
    unfit: u64,
    unknown_removals: u64,
}

/// The order in which devices are visited.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    ParentsFirst,
    ChildrenFirst,
}

impl<const SLOTS: usize, const BYTES: usize> DeviceTable<SLOTS, BYTES> {
    pub(super) const EMPTY: Self = Self {
        slots: Slots::EMPTY,
        scan: Zeroable::Nothing,
        in_flight: Vec::new(),
        touched: false,
        overflowing: false,
        unfit: 0,
        unknown_removals: 0,
    };

    /// Returns the number of devices that did not fit, and the number of removals of unknown
    /// devices.
    pub(super) const fn counts(&self) -> (u64, u64) {
        (self.unfit, self.unknown_removals)
    }

    pub(super) fn used_bytes(&self) -> usize {
        BYTES - self.slots.room_bytes()
    }

    pub(super) const fn is_overflowing(&self) -> bool {
        self.overflowing
    }

    pub(super) fn devpaths(&self) -> impl Iterator<Item = &[u8]> {
        let present = |index: &Index| self.slots.slot(*index).state == State::Present;
        Self::indices().filter(present).map(|index| self.slots.path(index))
    }

    /// Returns `true` if an event, or a device that a scan has read in a directory with this inode,
    /// fits without dropping a tombstone that a consumer needs.
    pub(super) fn has_room(&self, uevent: &Uevent<'_>, inode: Option<NonZeroU64>) -> bool {
        let present = self.slots.find(uevent.devpath(), State::Present);
        let stays = present.is_some_and(|index| self.is_same(index, uevent, inode));
        let removes = uevent.action() == Action::Remove && !uevent.is_synthetic();
        let cost = Slots::<SLOTS, BYTES>::cost(uevent);
        removes
            || stays && uevent.action() != Action::Move
            // Dropping tombstones would not make room for it.
            || !self.slots.is_within_share(uevent.devpath(), cost)
            || self.slots.all().iter().any(Slot::is_available)
                && self.slots.room_bytes() >= cost
    }

    /// Returns `true` if a slot still holds the device that it held at a step.
    pub(super) fn is_current(&self, device: Device) -> bool {
        let slot = self.slots.slot(device.slot);
        slot.generation == device.generation && matches!(slot.state, State::Present | State::Gone)
    }

    pub(super) fn subsystem(&self, index: Index) -> Option<&[u8]> {
        uevent::value(self.slots.properties(index), b"SUBSYSTEM")
    }

    /// Returns the subsystem with the most devices, and their number.
    pub(super) fn largest_subsystem(&self) -> Option<(&[u8], usize)> {
        let is_kept = |index: &Index| self.slots.slot(*index).is_indexed();
        let subsystems = || Self::indices().filter(is_kept).filter_map(|index| self.subsystem(index));
        let bucket = |name: &[u8]| {
            name.iter().fold(0, |sum: usize, &byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % 256
        };
        let mut counts = [0_u16; 256];
        subsystems().for_each(|name| counts[bucket(name)] += 1);
        let largest = subsystems().max_by_key(|name| counts[bucket(name)])?;
        Some((largest, subsystems().filter(|name| *name == largest).count()))
    }

    /// Writes an event of the slot's device into a buffer.
    pub(super) fn render<'b>(
        &self,
        index: Index,
        action: Action<'static>,
        buffer: &'b mut [u8],
    ) -> Option<Uevent<'b>> {
        let path = self.slots.path(index);
        let header = [(&b"ACTION"[..], action.as_bytes()), (b"DEVPATH", path)];
        let stored = uevent::split(self.slots.properties(index)).filter_map(Property::of);
        let properties = header.map(|(key, value)| Property { key, value }).into_iter().chain(stored);
        uevent::compose(buffer, action, path, properties)
    }

    fn indices() -> impl Iterator<Item = Index> {
        Index::all::<SLOTS>()
    }

    /// Visits one depth after the other the devices that `is_wanted` selects at their turn.
    fn for_each(
        &mut self,
        order: Order,
        is_wanted: &dyn Fn(&Self, Index) -> bool,
        each: &mut dyn FnMut(&mut Self, Index),
    ) {
        let depth = |table: &Self, index| table.slots.slot(index).depth;
        let wanted = Self::indices().filter(|&index| is_wanted(self, index));
        let Some(deepest) = wanted.map(|index| depth(self, index)).max() else { return };
        for step in 0..=deepest {
            let at = if order == Order::ParentsFirst { step } else { deepest - step };
            for index in Self::indices() {
                if depth(self, index) == at && is_wanted(self, index) {
                    each(self, index);
                }
            }
        }
    }

    /// Visits the present descendants of a device, children first.
    fn for_each_below(&mut self, of: Index, each: &mut dyn FnMut(&mut Self, Index)) {
        if !self.slots.may_have_below(of) {
            return;
        }
        let is_below = |table: &Self, index: Index| {
            let slot = table.slots.slot(index);
            slot.state == State::Present
                && slot.depth > table.slots.slot(of).depth
                && table.slots.is_below(index, table.slots.path(of))
        };
        self.for_each(Order::ChildrenFirst, &is_below, each);
    }
}
