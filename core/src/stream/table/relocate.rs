//! What a `move` means for the table: a device has another devpath, and so has all that is below it.

use core::num::NonZeroU64;

use heapless::Vec;

use super::slot::{Index, Marks, Slot, State, Verdict};
use super::transition::{Effect, Origin};
use super::{Out, Presence};
use crate::limits::MAX_HEADER_BYTES;
use crate::uevent::Uevent;

impl<const SLOTS: usize, const BYTES: usize> Presence<SLOTS, BYTES> {
    /// `now` is the inode of the directory at the new devpath: a directory that moves keeps its own.
    pub(super) fn relocate(&mut self, uevent: &Uevent<'_>, now: Option<NonZeroU64>, out: Out<'_>) {
        let path = uevent.devpath();
        let old_path = uevent.devpath_old().filter(|&old| old != path);
        let mut inode = None;
        if let Some(old_path) = old_path {
            self.touch(old_path, true);
            if let Some(scan) = self.scan.as_mut() {
                scan.look_again();
            }
            inode = self.depart(old_path, uevent, out);
        }
        match self.table.find(path, State::Present) {
            // A scan was there before the event.
            Some(index) if self.stays(index, uevent, now) => {
                self.tell(index, Effect::Between, uevent, out);
            }
            present => {
                if let Some(index) = present {
                    self.replace(index, out);
                }
                self.add(uevent, inode.or(now), out);
            }
        }
        if let Some(old_path) = old_path {
            self.add_moved(old_path.len(), path, out);
        }
    }

    /// Removes a device that has moved, and marks what is below it as moving along, even if the device itself
    /// is not known. Returns its inode.
    fn depart(&mut self, old_path: &[u8], uevent: &Uevent<'_>, out: Out<'_>) -> Option<NonZeroU64> {
        let present = self.table.find(old_path, State::Present);
        let old = present.filter(|&index| self.stays(index, uevent, None));
        if let (Some(replaced), None) = (present, old) {
            self.replace(replaced, out);
        }
        let mut deepest = 0;
        for index in Self::indices() {
            if self.table.slot(index).is_indexed() && self.table.is_below(index, old_path) {
                self.table.slot_mut(index).marks.moving = true;
                deepest = deepest.max(self.table.slot(index).depth);
            }
        }
        for depth in (0..=deepest).rev() {
            for index in Self::indices() {
                let Slot { marks, state, depth: own_depth, .. } = *self.table.slot(index);
                if marks.moving && state == State::Present && own_depth == depth {
                    self.tell_made(index, Effect::Remove, Origin::Kernel, out);
                    self.table.bury(index);
                    self.table.slot_mut(index).marks = marks;
                }
            }
        }
        let mut inode = self.take_found(old_path);
        if let Some(old) = old {
            self.tell_made(old, Effect::Remove, Origin::Kernel, out);
            inode = inode.or(self.table.slot(old).inode);
            self.table.bury(old);
        }
        inode
    }

    /// Puts what moves along from below a devpath of `old` bytes below another one.
    fn add_moved(&mut self, old: usize, path: &[u8], out: Out<'_>) {
        let deepest = self.table.slots().iter().filter(|slot| slot.marks.moving).map(|slot| slot.depth).max();
        for depth in 0..=deepest.unwrap_or(0) {
            for index in Self::indices() {
                let Slot { marks, state, depth: own_depth, .. } = *self.table.slot(index);
                if marks.moving && own_depth == depth {
                    self.add_moved_one(index, old, path, out);
                    if state == State::Found {
                        self.table.release(index);
                    }
                    self.table.slot_mut(index).marks = Marks::default();
                }
            }
        }
    }

    fn add_moved_one(&mut self, index: Index, old: usize, path: &[u8], out: Out<'_>) {
        let Slot { marks, state, .. } = *self.table.slot(index);
        let mut new_path: Vec<u8, MAX_HEADER_BYTES> = Vec::new();
        let parts = [path, &self.table.path(index)[old..]];
        if !parts.iter().all(|part| new_path.extend_from_slice(part).is_ok()) {
            return self.count_unfit();
        }
        if self.table.find(&new_path, State::Found).is_some() {
            // A scan was there before the event.
            return;
        }
        let mut to = if state == State::Gone { State::Present } else { State::Found };
        if let Some(present) = self.table.find(&new_path, State::Present) {
            let marks = &mut self.table.slot_mut(present).marks;
            if to == State::Present && marks.verdict != Verdict::Doomed {
                return;
            }
            (to, marks.verdict) = (State::Found, Verdict::Doomed);
        }
        let Some(moved) = self.table.insert_copy(index, old, path, to) else { return self.count_unfit() };
        if marks.verdict != Verdict::Doomed {
            self.table.slot_mut(moved).marks.verdict = marks.verdict;
        }
        if to == State::Present {
            self.tell_made(moved, Effect::Add, Origin::Kernel, out);
        }
    }
}
