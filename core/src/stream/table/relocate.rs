//! Applies a `move` to the table: a device has a new devpath, descendants included.

use core::num::NonZeroU64;

use heapless::Vec;

use super::properties::Description;
use super::slot::{Index, Marks, Slot, State, Verdict};
use super::step::{Effect, Origin, Out};
use super::{DeviceTable, Order};
use crate::limits::MAX_HEADER_BYTES;
use crate::uevent::Uevent;

impl<const SLOTS: usize, const BYTES: usize> DeviceTable<SLOTS, BYTES> {
    /// Applies a `move`. `now` is the inode of the directory at the new devpath: a directory that
    /// moves keeps its inode.
    pub(super) fn relocate(&mut self, uevent: &Uevent<'_>, now: Option<NonZeroU64>, out: Out<'_>) {
        let path = uevent.devpath();
        let old_path = uevent.devpath_old().filter(|&old| old != path);
        let mut inode = None;
        if let Some(old_path) = old_path {
            self.touch(old_path, true);
            if let Some(scan) = self.scan.as_mut() {
                scan.unseen_from = 0;
            }
            inode = self.depart(old_path, uevent, out);
        }
        match self.slots.find(path, State::Present) {
            // A scan preceded the event.
            Some(index) if self.stays(index, uevent, now) => {
                self.emit(index, Effect::Keep, uevent, out);
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

    /// Removes a device that has moved, and marks its descendants as moving along, even if the
    /// device itself is unknown. Returns its inode.
    fn depart(&mut self, old_path: &[u8], uevent: &Uevent<'_>, out: Out<'_>) -> Option<NonZeroU64> {
        let present = self.slots.find(old_path, State::Present);
        // The medium may differ: the event of its change carries the previous `DISKSEQ`.
        let now = Description::of(uevent);
        let old = present.filter(|&index| {
            self.slots.slot(index).marks.verdict != Verdict::Doomed && self.slots.agrees(index, uevent, &now)
        });
        if let (Some(replaced), None) = (present, old) {
            self.replace(replaced, out);
        }
        for index in Self::indices() {
            if self.slots.slot(index).is_indexed() && self.slots.is_below(index, old_path) {
                self.slots.slot_mut(index).marks.moving = true;
            }
        }
        let is_moving = |table: &Self, index| {
            let slot = table.slots.slot(index);
            slot.marks.moving && slot.state == State::Present
        };
        self.for_each(Order::ChildrenFirst, &is_moving, &mut |table, index| {
            let marks = table.slots.slot(index).marks;
            table.emit_made(index, Effect::Remove, Origin::Kernel, out);
            table.slots.entomb(index);
            table.slots.slot_mut(index).marks = marks;
        });
        let mut inode = self.take_found(old_path);
        if let Some(old) = old {
            self.emit_made(old, Effect::Remove, Origin::Kernel, out);
            inode = inode.or(self.slots.slot(old).inode);
            self.slots.entomb(old);
        }
        inode
    }

    /// Adds the descendants that move along, from below a devpath of `old` bytes to below another
    /// one.
    fn add_moved(&mut self, old: usize, path: &[u8], out: Out<'_>) {
        let is_moving = |table: &Self, index| table.slots.slot(index).marks.moving;
        self.for_each(Order::ParentsFirst, &is_moving, &mut |table, index| {
            let state = table.slots.slot(index).state;
            table.add_moved_one(index, old, path, out);
            if state == State::Found {
                table.slots.release(index);
            }
            table.slots.slot_mut(index).marks = Marks::default();
        });
    }

    fn add_moved_one(&mut self, index: Index, old: usize, path: &[u8], out: Out<'_>) {
        let Slot { marks, state, .. } = *self.slots.slot(index);
        let mut new_path: Vec<u8, MAX_HEADER_BYTES> = Vec::new();
        let parts = [path, &self.slots.path(index)[old..]];
        if !parts.iter().all(|part| new_path.extend_from_slice(part).is_ok()) {
            return self.count_unfit();
        }
        if self.slots.find(&new_path, State::Found).is_some() {
            // A scan preceded the event.
            return;
        }
        let mut to = if state == State::Gone { State::Present } else { State::Found };
        if let Some(present) = self.slots.find(&new_path, State::Present) {
            let marks = &mut self.slots.slot_mut(present).marks;
            if to == State::Present && marks.verdict != Verdict::Doomed {
                return;
            }
            (to, marks.verdict) = (State::Found, Verdict::Doomed);
        }
        let Some(moved) = self.slots.insert_copy(index, old, path, to) else { return self.count_unfit() };
        let moved_marks = &mut self.slots.slot_mut(moved).marks;
        moved_marks.change_due = marks.change_due;
        if marks.verdict != Verdict::Doomed {
            moved_marks.verdict = marks.verdict;
        }
        if to == State::Present {
            self.emit_made(moved, Effect::Add, Origin::Kernel, out);
        }
    }
}
