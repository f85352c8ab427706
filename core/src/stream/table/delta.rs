//! The delta between the devices announced to a consumer and the table.

use super::DeviceTable;
use super::lookup::above;
use super::slot::{ConsumerId, Index, State};
use super::step::{Device, Effect};
use crate::selection::Selection;

/// The place of an addition or a `change` in a delta: additions first, and parents first.
pub(in crate::stream) type Turn = (bool, u16, Index);

impl<const SLOTS: usize, const BYTES: usize> DeviceTable<SLOTS, BYTES> {
    /// Returns `true` if the device was announced to a consumer, and its `remove` was not.
    pub(in crate::stream) fn is_announced(&self, device: Device, id: ConsumerId) -> bool {
        self.slots.slot(device.slot).announced & id.bit() != 0 && self.is_current(device)
    }

    fn lacks_remove(&self, index: Index, id: ConsumerId) -> bool {
        let slot = self.slots.slot(index);
        slot.announced & id.bit() != 0 && slot.state == State::Gone
    }

    fn lacks_add(&self, index: Index, id: ConsumerId, selection: &Selection) -> bool {
        let slot = self.slots.slot(index);
        slot.announced & id.bit() == 0
            && slot.state == State::Present
            && selection.admits(self.subsystem(index))
    }

    /// Returns `true` if the device is present and announced to a consumer, which missed an event
    /// of it.
    fn lacks_change(&self, index: Index, id: ConsumerId) -> bool {
        let slot = self.slots.slot(index);
        slot.missed & slot.announced & id.bit() != 0 && slot.state == State::Present
    }

    /// Returns the next step of the delta.
    ///
    /// Removals come first, since an addition may be another device of the same devpath. All others
    /// take turns, so that a device that comes and goes all the time delays none of them for long.
    pub(in crate::stream) fn next_delta(
        &self,
        id: ConsumerId,
        selection: &Selection,
        last: &mut Option<Turn>,
    ) -> Option<(Index, Effect)> {
        let depth = |index: Index| self.slots.slot(index).depth;
        let gone = Self::indices().filter(|&index| self.lacks_remove(index, id));
        if let Some(index) = gone.max_by_key(|&index| depth(index)) {
            return Some((index, Effect::Remove));
        }
        let lacks_add = |index: &Index| self.lacks_add(*index, id, selection);
        let turn = |index| {
            let keeps = self.lacks_change(index, id);
            (keeps || lacks_add(&index)).then(|| (keeps, depth(index), index))
        };
        let next = Self::indices().filter_map(turn).min_by_key(|turn| (Some(*turn) <= *last, *turn))?;
        *last = Some(next);
        let (keeps, _, index) = next;
        if keeps {
            return Some((index, Effect::Keep));
        }
        // A parent that was added later may have its turn later.
        let mut parents =
            above(self.slots.path(index)).filter_map(|path| self.slots.find(path, State::Present));
        Some((parents.find(lacks_add).unwrap_or(index), Effect::Add))
    }

    /// Returns the number of steps in the delta.
    pub(in crate::stream) fn delta_length(&self, id: ConsumerId, selection: &Selection) -> usize {
        let lacks = |index: &Index| {
            self.lacks_remove(*index, id)
                || self.lacks_add(*index, id, selection)
                || self.lacks_change(*index, id)
        };
        Self::indices().filter(lacks).count()
    }

    /// Returns the number of removed devices whose `remove` the consumer still needs.
    pub(in crate::stream) fn tombstones(&self, id: ConsumerId) -> usize {
        Self::indices().filter(|&index| self.lacks_remove(index, id)).count()
    }

    /// Marks all present devices of a selection as announced.
    pub(in crate::stream) fn mark_all_announced(&mut self, id: ConsumerId, selection: &Selection) {
        for index in Self::indices() {
            if self.lacks_add(index, id, selection) {
                self.slots.slot_mut(index).announced |= id.bit();
            }
        }
    }

    /// Marks all devices as not announced to a consumer.
    pub(in crate::stream) fn forget(&mut self, id: ConsumerId) {
        for index in Self::indices() {
            let slot = self.slots.slot_mut(index);
            slot.announced &= !id.bit();
            slot.missed &= !id.bit();
        }
    }

    /// Notes that a consumer missed all steps from this number on.
    pub(in crate::stream) fn note_missed(&mut self, id: ConsumerId, from: u64) {
        for index in Self::indices() {
            let slot = self.slots.slot_mut(index);
            if slot.steps > from {
                slot.missed |= id.bit();
            }
        }
    }

    /// Notes that a step of the slot's device was delivered to a consumer. From `add` to `remove`
    /// the consumer needs its tombstone.
    pub(in crate::stream) fn note_delivered(&mut self, index: Index, id: ConsumerId, effect: Effect) {
        let slot = self.slots.slot_mut(index);
        slot.missed &= !id.bit();
        match effect {
            Effect::Add => slot.announced |= id.bit(),
            Effect::Remove => slot.announced &= !id.bit(),
            Effect::Keep => {}
        }
    }
}
