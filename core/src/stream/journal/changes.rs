//! Which devices' events each consumer missed.

use crate::stream::table::{Bit, Device, Index, Presence};

/// One entry per slot of the table.
pub(super) struct Changes<const SLOTS: usize> {
    /// The number of the last step about the slot's device, plus one; 0 if there was none.
    last: [u64; SLOTS],
    /// A bit for each consumer that missed one and was not told `change` since.
    missed: [u32; SLOTS],
}

impl<const SLOTS: usize> Changes<SLOTS> {
    pub(super) const NONE: Self = Self { last: [0; SLOTS], missed: [0; SLOTS] };

    /// The step with that number is about a device.
    pub(super) fn note(&mut self, device: Device, step: u64) {
        if let Some(last) = self.last.get_mut(device.slot.place()) {
            *last = step + 1;
        }
    }

    /// A consumer missed all steps from that number on.
    pub(super) fn miss(&mut self, consumer: Bit, from: u64) {
        for (missed, last) in self.missed.iter_mut().zip(&self.last) {
            if *last > from {
                *missed |= consumer.mask();
            }
        }
    }

    /// A consumer was told how the slot's device is now, or that it is gone.
    pub(super) fn settle(&mut self, consumer: Bit, index: Index) {
        if let Some(missed) = self.missed.get_mut(index.place()) {
            *missed &= !consumer.mask();
        }
    }

    /// A consumer forgets everything.
    pub(super) fn forget(&mut self, consumer: Bit) {
        self.missed.iter_mut().for_each(|missed| *missed &= !consumer.mask());
    }

    /// Returns `true` if a consumer that knows the slot's device missed an event of it, and the device is still there.
    pub(super) fn lacks_change<const BYTES: usize>(
        &self,
        presence: &Presence<SLOTS, BYTES>,
        consumer: Bit,
        index: Index,
    ) -> bool {
        let missed = self.missed.get(index.place()).copied().unwrap_or_default();
        missed & consumer.mask() != 0 && presence.is_owed(index, consumer) && presence.is_present(index)
    }
}
