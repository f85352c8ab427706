//! Applies an event of the kernel to the table: see
//! [`Stream::event`](crate::stream::Stream::event).

use core::num::NonZeroU64;

use super::DeviceTable;
use super::lookup::above;
use super::properties::{Description, Part};
use super::slot::{Index, Marks, State, Verdict};
use super::step::{Directory, Effect, Origin, Out, Scope, Step};
use crate::uevent::{Action, Uevent};

impl<const SLOTS: usize, const BYTES: usize> DeviceTable<SLOTS, BYTES> {
    pub(in crate::stream) fn wants_directory(&self, uevent: &Uevent<'_>) -> bool {
        match uevent.action() {
            Action::Add | Action::Move => true,
            Action::Remove if !uevent.is_synthetic() => false,
            // An event that is not about the present device adds another one.
            _ => {
                let present = self.slots.find(uevent.devpath(), State::Present);
                present.is_none_or(|index| !self.slots.agrees(index, uevent, &Description::of(uevent)))
            }
        }
    }

    pub(in crate::stream) fn apply(
        &mut self,
        uevent: &Uevent<'_>,
        scope: Scope,
        directory: Directory,
        out: Out<'_>,
    ) {
        if scope == Scope::Untracked {
            return emit_untracked(uevent, out);
        }
        let path = uevent.devpath();
        let action = uevent.action();
        let present = self.slots.find(path, State::Present);
        let removes = action == Action::Remove && !uevent.is_synthetic();
        self.touch(path, removes || action == Action::Move);
        let inode = directory.inode();
        match (action, present) {
            (Action::Remove, _) if removes => self.remove(present, uevent, out),
            (Action::Remove, None) if directory == Directory::Absent => self.remove_unknown(uevent, out),
            (Action::Add, Some(index)) => self.readd(index, uevent, inode, out),
            (Action::Add, None) => {
                self.add(uevent, inode, out);
            }
            (Action::Move, _) => self.relocate(uevent, inode, out),
            _ => self.update(uevent, inode, out),
        }
    }

    /// Notes that an event is about to be applied: what was read at its devpath may be older.
    pub(super) fn touch(&mut self, path: &[u8], with_all_below: bool) {
        let rest = self.in_flight.strip_prefix(path);
        self.touched |= rest.is_some_and(|rest| rest.is_empty() || with_all_below && rest.starts_with(b"/"));
    }

    fn remove(&mut self, present: Option<Index>, uevent: &Uevent<'_>, out: Out<'_>) {
        self.forget_found(uevent.devpath());
        let Some(index) = present else { return self.remove_unknown(uevent, out) };
        if !self.slots.agrees(index, uevent, &Description::of(uevent)) {
            // Another device came and went in its place.
            self.remove_tree(index, Origin::Resync, out);
            return self.remove_unknown(uevent, out);
        }
        self.remove_below(index, Origin::Resync, out);
        self.emit(index, Effect::Remove, uevent, out);
        self.slots.entomb(index);
    }

    /// Discards the findings of a running scan at a devpath and below.
    fn forget_found(&mut self, path: &[u8]) {
        if self.scan.as_ref().is_none() {
            return;
        }
        self.take_found(path);
        for index in Self::indices() {
            if self.slots.slot(index).state == State::Found && self.slots.is_below(index, path) {
                self.slots.release(index);
            }
        }
    }

    fn remove_unknown(&mut self, uevent: &Uevent<'_>, out: Out<'_>) {
        if self.overflowing {
            // It may be the removal of a device that did not fit.
            emit_untracked(uevent, out);
        } else {
            self.unknown_removals += 1;
        }
    }

    /// Adds an absent device with the inode of its directory. Returns its slot if there was room.
    pub(super) fn add(
        &mut self,
        uevent: &Uevent<'_>,
        inode: Option<NonZeroU64>,
        out: Out<'_>,
    ) -> Option<Index> {
        let path = uevent.devpath();
        above(path).for_each(|path| self.announce_found(path, out));
        // The device that a scan found may have preceded this one.
        let found = self.take_found(path);
        let index = self.slots.insert(uevent, State::Present);
        if let Some(index) = index {
            let slot = self.slots.slot_mut(index);
            slot.inode = inode.or(found);
            slot.marks = self.scan.as_ref().map_or_else(Marks::default, |scan| scan.marks_of_added(uevent));
            self.emit(index, Effect::Add, uevent, out);
        } else {
            self.count_unfit();
            emit_untracked(uevent, out);
        }
        index
    }

    /// Discards the finding of a scan at a devpath, and returns its inode.
    pub(super) fn take_found(&mut self, path: &[u8]) -> Option<NonZeroU64> {
        // Without a scan there is no finding.
        self.scan.as_ref()?;
        let found = self.slots.find(path, State::Found)?;
        let inode = self.slots.slot(found).inode;
        self.slots.release(found);
        inode
    }

    /// Announces the finding of a running scan at a devpath.
    fn announce_found(&mut self, path: &[u8], out: Out<'_>) {
        let Some(scan) = self.scan.as_mut() else { return };
        let Some(found) = self.slots.find(path, State::Found) else { return };
        // A finding that replaces a device waits: such a pair is delivered together when the scan
        // ends. A device that is only assumed to be there is looked at first.
        if self.slots.find(path, State::Present).is_none()
            && self.slots.slot(found).marks.verdict != Verdict::Unseen
        {
            let origin = scan.origin();
            scan.outcome.added += 1;
            self.slots.slot_mut(found).state = State::Present;
            self.emit_made(found, Effect::Add, origin, out);
        }
    }

    fn readd(&mut self, index: Index, uevent: &Uevent<'_>, inode: Option<NonZeroU64>, out: Out<'_>) {
        if self.stays(index, uevent, inode) {
            let slot = self.slots.slot_mut(index);
            slot.inode = slot.inode.or(inode);
            self.slots.refresh(index, uevent, Part::ALL);
            self.emit(index, Effect::Keep, uevent, out);
        } else {
            self.replace(index, out);
            self.add(uevent, inode, out);
        }
    }

    /// Applies an event that leaves the device in place, unless it is about another one.
    fn update(&mut self, uevent: &Uevent<'_>, inode: Option<NonZeroU64>, out: Out<'_>) {
        let path = uevent.devpath();
        let now = Description::of(uevent);
        loop {
            above(path).chain([path]).for_each(|path| self.announce_found(path, out));
            let Some(index) = self.slots.find(path, State::Present) else { break };
            let is_replaced = self.slots.slot(index).marks.verdict == Verdict::Doomed
                && self.slots.find(path, State::Found).is_some();
            if !is_replaced && self.slots.agrees(index, uevent, &now) {
                self.slots.update(index, uevent, &now);
                return self.emit(index, Effect::Keep, uevent, out);
            }
            self.replace(index, out);
        }
        self.add(uevent, inode, out);
    }

    /// Returns `true` if an event, with this inode at its devpath, is about the present device.
    pub(super) fn stays(&self, index: Index, uevent: &Uevent<'_>, inode: Option<NonZeroU64>) -> bool {
        let is_doomed = self.slots.slot(index).marks.verdict == Verdict::Doomed;
        // A different directory may belong to a later device, after this one has moved or gone: its
        // events follow, or a scan finds it.
        let same = inode.filter(|_| self.slots.slot(index).inode == inode);
        !is_doomed && self.is_same(index, uevent, same)
    }

    /// Removes a device that was replaced. The findings of a scan below it are still announced.
    pub(super) fn replace(&mut self, index: Index, out: Out<'_>) {
        if let Some(scan) = self.scan.as_mut() {
            scan.unseen_from = 0;
            self.doom_below(index);
        }
        self.remove_tree(index, Origin::Resync, out);
    }

    /// Removes a device without an event of its own, descendants included.
    fn remove_tree(&mut self, index: Index, origin: Origin, out: Out<'_>) {
        self.remove_below(index, origin, out);
        self.emit_made(index, Effect::Remove, origin, out);
        self.slots.entomb(index);
    }

    fn remove_below(&mut self, index: Index, origin: Origin, out: Out<'_>) {
        self.for_each_below(index, &mut |table, below| {
            table.emit_made(below, Effect::Remove, origin, out);
            table.slots.entomb(below);
        });
    }

    pub(super) fn count_unfit(&mut self) {
        self.unfit += 1;
        self.overflowing = true;
    }

    pub(super) fn emit(&mut self, index: Index, effect: Effect, uevent: &Uevent<'_>, out: Out<'_>) {
        let device = Some((self.slots.device(index), effect));
        let steps = out(Step { device, origin: Origin::Kernel, uevent: Some(*uevent) });
        self.slots.slot_mut(index).steps = steps;
    }

    pub(super) fn emit_made(&mut self, index: Index, effect: Effect, origin: Origin, out: Out<'_>) {
        let device = Some((self.slots.device(index), effect));
        self.slots.slot_mut(index).steps = out(Step { device, origin, uevent: None });
    }
}

/// Passes on an event of an object that the table does not hold.
fn emit_untracked(uevent: &Uevent<'_>, out: Out<'_>) {
    out(Step { device: None, origin: Origin::Kernel, uevent: Some(*uevent) });
}
