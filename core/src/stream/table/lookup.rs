//! Finds the slot of a devpath, and those below it.

use super::slot::{Index, State};
use super::slots::Slots;

impl<const SLOTS: usize, const BYTES: usize> Slots<SLOTS, BYTES> {
    /// Returns the slot with this devpath in this state, [`State::Found`] or [`State::Present`].
    pub(super) fn find(&self, path: &[u8], state: State) -> Option<Index> {
        let hash = hash(path);
        let mut next = self.heads[hash as usize % SLOTS];
        while let Some(index) = next {
            let slot = self.slot(index);
            if slot.hash == hash && slot.state == state && self.path(index) == path {
                break;
            }
            next = slot.next;
        }
        next
    }

    /// Returns `true` if the slot's device is below the devpath.
    pub(super) fn is_below(&self, index: Index, path: &[u8]) -> bool {
        let slot = self.slot(index);
        usize::from(slot.path_length) > path.len()
            && self.path(index).strip_prefix(path).is_some_and(|rest| rest.first() == Some(&b'/'))
    }

    /// Returns `false` if no device is below the slot's device; `true` if a search must decide.
    pub(super) fn may_have_below(&self, index: Index) -> bool {
        self.below[self.slot(index).hash as usize % SLOTS] > 0
    }

    pub(super) fn link(&mut self, index: Index, state: State) {
        self.linked += 1;
        let (hash, depth) = self.count_above(index, 1);
        let head = self.heads[hash as usize % SLOTS].replace(index);
        let slot = self.slot_mut(index);
        (slot.hash, slot.depth, slot.state, slot.next) = (hash, depth, state, head);
        self.count_in(index);
    }

    pub(super) fn unlink(&mut self, index: Index) {
        self.linked -= 1;
        self.count_out(index);
        let (hash, _) = self.count_above(index, u32::MAX);
        let next = self.slot(index).next;
        let place = hash as usize % SLOTS;
        if self.heads[place] == Some(index) {
            self.heads[place] = next;
            return;
        }
        let mut at = self.heads[place];
        while let Some(before) = at {
            at = self.slot(before).next;
            if at == Some(index) {
                self.slot_mut(before).next = next;
                return;
            }
        }
    }

    /// Counts the slot's device below all devpaths above it, or uncounts it with a `step` of -1.
    /// Returns its hash and its depth.
    fn count_above(&mut self, index: Index, step: u32) -> (u32, u16) {
        let Self { list, below, arena, .. } = self;
        let slot = &list[index.place()];
        let path = arena.get(slot.start as usize, usize::from(slot.path_length));
        let mut depth = 0;
        let mut mixed = 0;
        for &byte in path {
            if byte == b'/' {
                depth += 1;
                let count = &mut below[spread(mixed) as usize % SLOTS];
                *count = count.wrapping_add(step);
            }
            mixed = mix(mixed, byte);
        }
        (spread(mixed), depth)
    }
}

/// Returns the devpaths above another one, the topmost first.
pub(super) fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    (1..path.len()).filter(|&end| path[end] == b'/').map(|end| &path[..end])
}

/// Hashes a devpath. The result is also an intermediate one in the hash of each devpath below it.
fn hash(path: &[u8]) -> u32 {
    spread(path.iter().fold(0, |mixed, &byte| mix(mixed, byte)))
}

const fn mix(mixed: u64, byte: u8) -> u64 {
    mixed.rotate_left(5).wrapping_add(byte as u64)
}

#[allow(clippy::cast_possible_truncation)]
const fn spread(mixed: u64) -> u32 {
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}
