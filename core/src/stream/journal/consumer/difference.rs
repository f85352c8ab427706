//! From what a consumer was told to what the table says.

use super::Consumer;
use crate::stream::journal::changes::Changes;
use crate::stream::journal::told::{self, Entry, Packet, Told};
use crate::stream::table::{Effect, Index, Origin, Presence};

impl Consumer {
    /// Whether it was told of the device, and not that it is gone.
    fn lacks_remove<const SLOTS: usize, const BYTES: usize>(
        &self,
        presence: &Presence<SLOTS, BYTES>,
        index: Index,
    ) -> bool {
        presence.is_owed(index, self.bit) && presence.is_gone(index)
    }

    /// Whether the device is one for it, and it was not told so.
    fn lacks_add<const SLOTS: usize, const BYTES: usize>(
        &self,
        presence: &Presence<SLOTS, BYTES>,
        index: Index,
    ) -> bool {
        !presence.is_owed(index, self.bit)
            && presence.is_present(index)
            && self.selection.admits(presence.subsystem(index))
    }

    /// Steps of the difference.
    pub(super) fn difference_length<const SLOTS: usize, const BYTES: usize>(
        &self,
        presence: &Presence<SLOTS, BYTES>,
        changes: &Changes<SLOTS>,
    ) -> usize {
        let lacks = |index: &Index| {
            self.lacks_remove(presence, *index)
                || self.lacks_add(presence, *index)
                || changes.lacks_change(presence, self.bit, *index)
        };
        Presence::<SLOTS, BYTES>::indices().filter(lacks).count()
    }

    /// Devices that are gone, and that it was not told to be gone.
    pub(in crate::stream::journal) fn tombstones<const SLOTS: usize, const BYTES: usize>(
        &self,
        presence: &Presence<SLOTS, BYTES>,
    ) -> usize {
        Presence::<SLOTS, BYTES>::indices().filter(|&index| self.lacks_remove(presence, index)).count()
    }

    /// It is taken to have been told all that is present of its selection.
    pub(in crate::stream::journal) fn take_as_told<const SLOTS: usize, const BYTES: usize>(
        &mut self,
        presence: &mut Presence<SLOTS, BYTES>,
    ) {
        for index in Presence::<SLOTS, BYTES>::indices() {
            if self.lacks_add(presence, index) {
                presence.owe(index, self.bit);
            }
        }
    }

    /// Nobody waits for this consumer any more.
    pub(in crate::stream::journal) fn forget<const SLOTS: usize, const BYTES: usize>(
        &mut self,
        presence: &mut Presence<SLOTS, BYTES>,
        changes: &mut Changes<SLOTS>,
    ) {
        for index in Presence::<SLOTS, BYTES>::indices() {
            presence.settle(index, self.bit);
        }
        changes.forget(self.bit);
    }

    /// The next thing that it must hear so as to know what the table says. Whoever is removed or replaced
    /// comes before whoever is added, since that may be another one of the same devpath; what stayed comes last.
    pub(super) fn difference<const SLOTS: usize, const BYTES: usize>(
        &self,
        presence: &Presence<SLOTS, BYTES>,
        changes: &Changes<SLOTS>,
    ) -> Option<(Index, Effect)> {
        let depth = |index: &Index| presence.depth(*index);
        let indices = Presence::<SLOTS, BYTES>::indices;
        let gone = indices().filter(|&index| self.lacks_remove(presence, index)).max_by_key(depth);
        if let Some(index) = gone {
            return Some((index, Effect::Remove));
        }
        let new = indices().filter(|&index| self.lacks_add(presence, index)).min_by_key(depth);
        if let Some(index) = new {
            return Some((index, Effect::Add));
        }
        let kept = indices().find(|&index| changes.lacks_change(presence, self.bit, index));
        kept.map(|index| (index, Effect::Between))
    }

    /// Tells of one device what the table has.
    pub(super) fn tell<'p, const SLOTS: usize, const BYTES: usize>(
        &self,
        presence: &mut Presence<SLOTS, BYTES>,
        changes: &mut Changes<SLOTS>,
        (index, effect): (Index, Effect),
        stamp: u64,
        origin: Origin,
        packet: &'p mut Packet,
    ) -> Option<Told<'p>> {
        let uevent = presence.render(index, told::made_as(effect), &mut packet.told)?;
        self.note(presence, changes, index, effect);
        Some(Told::Event(Entry { stamp, origin, tracked: true, kernel_action: None, uevent }))
    }
}
