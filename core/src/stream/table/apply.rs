//! What an event of the kernel means for the table.

use core::num::NonZeroU64;

use super::scan::Scan;
use super::slot::{Index, State, Verdict};
use super::stored::{self, Description, Part};
use super::transition::{Effect, Origin, Scope, Transition};
use super::{Directory, Out, Presence};
use crate::uevent::{Action, Uevent};

impl<const SLOTS: usize, const BYTES: usize> Presence<SLOTS, BYTES> {
    /// Whether what an event means depends on the [`Directory`] at its devpath. Looking that up costs a system
    /// call: where the event adds a device, or is about one that is not known.
    #[must_use]
    pub fn wants_directory(&self, uevent: &Uevent<'_>) -> bool {
        match uevent.action() {
            Action::Add | Action::Move => true,
            Action::Remove if !stored::is_synthetic(uevent) => false,
            _ => self.table.find(uevent.devpath(), State::Present).is_none(),
        }
    }

    /// Applies an event of the kernel, and tells in order what follows from it: at least the event itself,
    /// unless it removes what nobody was told of. `directory` is what sysfs shows at its devpath then, if that is
    /// [wanted](Self::wants_directory).
    ///
    /// An `add` of something present is told as `change`. Anything but a `remove` of something unknown, or of
    /// another device than the one that was there, is told as `add`, behind the removal of that one. A `move`
    /// is told as `remove` of the old devpath and `add` of the new, with all that is below it. A removed or
    /// replaced device takes along what is still present below it.
    ///
    /// A `remove` with `SYNTH_UUID` is one that user space has written to a file of sysfs
    /// (`kobject_synth_uevent` in `lib/kobject_uevent.c`): it removes nothing, and is told as `change`. The kernel sends
    /// another one when it removes the device.
    ///
    /// By the time at which an event is applied, another device may have taken the devpath. The `remove` of the first
    /// one was then sent before the directory was looked up: it is applied later, or it was lost.
    pub fn apply(&mut self, uevent: &Uevent<'_>, scope: Scope, directory: Directory, out: Out<'_>) {
        if scope == Scope::Untracked {
            return out(Transition::Untracked { origin: Origin::Kernel, uevent: *uevent });
        }
        let path = uevent.devpath();
        let action = uevent.action();
        let present = self.table.find(path, State::Present);
        let removes = action == Action::Remove && !stored::is_synthetic(uevent);
        self.touch(path, removes || action == Action::Move);
        let inode = directory.inode();
        match (action, present) {
            (Action::Remove, _) if removes => self.remove(present, uevent, out),
            (Action::Remove, None) if directory == Directory::Absent => self.remove_unknown(uevent, out),
            (Action::Add, Some(index)) => self.add_again(index, uevent, inode, out),
            (Action::Move, _) => self.relocate(uevent, inode, out),
            (_, Some(index)) => self.go_on(index, uevent, inode, out),
            (_, None) => {
                self.add(uevent, inode, out);
            }
        }
    }

    /// An event is about to be applied: what is being read there may be older.
    pub(super) fn touch(&mut self, path: &[u8], with_all_below: bool) {
        let rest = self.in_flight.strip_prefix(path);
        self.touched |= rest.is_some_and(|rest| rest.is_empty() || with_all_below && rest.starts_with(b"/"));
    }

    fn remove(&mut self, present: Option<Index>, uevent: &Uevent<'_>, out: Out<'_>) {
        self.forget_found(uevent.devpath());
        let Some(index) = present else { return self.remove_unknown(uevent, out) };
        if !self.table.agrees(index, uevent, &Description::of(uevent)) {
            // Another one came and went in its place.
            self.remove_tree(index, Origin::Repair, out);
            return self.remove_unknown(uevent, out);
        }
        self.remove_below(index, Origin::Repair, out);
        self.tell(index, Effect::Remove, uevent, out);
        self.table.bury(index);
    }

    /// Forgets what a running scan has found at a devpath and below.
    fn forget_found(&mut self, path: &[u8]) {
        if self.scan.as_ref().is_none() {
            return;
        }
        self.take_found(path);
        for index in Self::indices() {
            if self.table.slot(index).state == State::Found && self.table.is_below(index, path) {
                self.table.release(index);
            }
        }
    }

    fn remove_unknown(&mut self, uevent: &Uevent<'_>, out: Out<'_>) {
        if self.overflowing {
            // It may be one that had no place.
            out(Transition::Untracked { origin: Origin::Kernel, uevent: *uevent });
        } else {
            self.counts.unknown_removals += 1;
        }
    }

    /// Adds a device that is not present, in a directory with that inode; returns its slot if there was room.
    pub(super) fn add(
        &mut self,
        uevent: &Uevent<'_>,
        inode: Option<NonZeroU64>,
        out: Out<'_>,
    ) -> Option<Index> {
        self.announce_parents(uevent.devpath(), out);
        // What a scan has found may have been there before this one.
        let found = self.take_found(uevent.devpath());
        let index = self.table.insert(uevent, State::Present);
        if let Some(index) = index {
            let slot = self.table.slot_mut(index);
            slot.inode = inode.or(found);
            slot.marks.verdict = self.scan.as_ref().map_or(Verdict::Unseen, Scan::verdict_of_told);
            self.tell(index, Effect::Add, uevent, out);
        } else {
            self.count_unfit();
            out(Transition::Untracked { origin: Origin::Kernel, uevent: *uevent });
        }
        index
    }

    /// Forgets what a scan has found at a devpath, but for its inode.
    pub(super) fn take_found(&mut self, path: &[u8]) -> Option<NonZeroU64> {
        // Nothing is looked for that only a scan can have found.
        self.scan.as_ref()?;
        let found = self.table.find(path, State::Found)?;
        let inode = self.table.slot(found).inode;
        self.table.release(found);
        inode
    }

    /// What a running scan has found above a devpath is told before it.
    fn announce_parents(&mut self, path: &[u8], out: Out<'_>) {
        let Some(scan) = self.scan.as_mut() else { return };
        for end in (1..path.len()).filter(|&end| path[end] == b'/') {
            let above = &path[..end];
            // Without one that it replaces: such a pair is told together when the scan ends.
            if self.table.find(above, State::Present).is_none() {
                let found = self.table.find(above, State::Found);
                // What is only thought to be there is looked at first.
                let seen = found.filter(|&index| self.table.slot(index).marks.verdict != Verdict::Unseen);
                if let Some(index) = seen {
                    self.table.slot_mut(index).state = State::Present;
                    scan.count_announced();
                    let device = self.table.device(index);
                    out(Transition::Made { device, effect: Effect::Add, origin: scan.origin() });
                }
            }
        }
    }

    fn add_again(&mut self, index: Index, uevent: &Uevent<'_>, inode: Option<NonZeroU64>, out: Out<'_>) {
        if self.stays(index, uevent, inode) {
            let slot = self.table.slot_mut(index);
            slot.inode = slot.inode.or(inode);
            self.table.refresh(index, uevent, Part::ALL);
            self.tell(index, Effect::Between, uevent, out);
        } else {
            self.replace(index, out);
            self.add(uevent, inode, out);
        }
    }

    /// An event that leaves the device where it is, unless it is about another one.
    fn go_on(&mut self, index: Index, uevent: &Uevent<'_>, inode: Option<NonZeroU64>, out: Out<'_>) {
        let is_replaced = self.table.slot(index).marks.verdict == Verdict::Doomed
            && self.table.find(uevent.devpath(), State::Found).is_some();
        let now = Description::of(uevent);
        if is_replaced || !self.table.agrees(index, uevent, &now) {
            self.replace(index, out);
            self.add(uevent, inode, out);
        } else {
            self.table.update(index, uevent, &now);
            self.tell(index, Effect::Between, uevent, out);
        }
    }

    /// Whether an event, with a directory of that inode at its devpath, is about the device that is told as present.
    pub(super) fn stays(&self, index: Index, uevent: &Uevent<'_>, inode: Option<NonZeroU64>) -> bool {
        let is_doomed = self.table.slot(index).marks.verdict == Verdict::Doomed;
        // Another directory than the stored one may be that of a later device, where this one has moved or is gone: its
        // events follow, or a scan finds it.
        let same = inode.filter(|_| self.table.slot(index).inode == inode);
        !is_doomed && self.is_same(index, uevent, same)
    }

    /// Removes a device in whose place another one is. What a scan has found below that, it still tells.
    pub(super) fn replace(&mut self, index: Index, out: Out<'_>) {
        if let Some(scan) = self.scan.as_mut() {
            scan.look_again();
            self.doom_below(index);
        }
        self.remove_tree(index, Origin::Repair, out);
    }

    /// Removes a device that no event removed, with all that is below it.
    fn remove_tree(&mut self, index: Index, origin: Origin, out: Out<'_>) {
        self.remove_below(index, origin, out);
        self.tell_made(index, Effect::Remove, origin, out);
        self.table.bury(index);
    }

    fn remove_below(&mut self, index: Index, origin: Origin, out: Out<'_>) {
        self.for_each_below(index, &mut |presence, below| {
            presence.tell_made(below, Effect::Remove, origin, out);
            presence.table.bury(below);
        });
    }

    pub(super) fn count_unfit(&mut self) {
        self.counts.unfit += 1;
        self.overflowing = true;
    }

    pub(super) fn tell(&self, index: Index, effect: Effect, uevent: &Uevent<'_>, out: Out<'_>) {
        out(Transition::Event { device: self.table.device(index), effect, uevent: *uevent });
    }

    pub(super) fn tell_made(&self, index: Index, effect: Effect, origin: Origin, out: Out<'_>) {
        out(Transition::Made { device: self.table.device(index), effect, origin });
    }
}
