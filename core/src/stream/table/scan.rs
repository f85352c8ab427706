//! Making the table true again: a scan of sysfs, driven by the caller one device at a time.

use core::num::NonZeroU64;

use super::slot::{Index, Marks, State, Verdict};
use super::stored::Part;
use super::transition::{Effect, Origin};
use super::{Out, Presence, identity};
use crate::stream::zeroable::Maybe;
use crate::uevent::Uevent;

/// Why sysfs is scanned, and with it what is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ScanKind {
    /// Nothing is known yet: what is found is told with [`Origin::Scan`].
    Start,
    /// Events were lost: what is found is told with [`Origin::Repair`], and what stayed is told `change`,
    /// since that may be what was lost.
    Repair,
    /// To find what no counter shows: nothing is told if all is well.
    Settle,
}

/// What became of a look at one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Look {
    /// It is known now.
    Taken,
    /// An event was about it meanwhile, which may be newer: nothing was taken. Without another look it stays
    /// as it was told.
    Touched,
    /// There is no room for the device.
    Unfit,
}

/// What a scan has told, in devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Outcome {
    /// Present, and nobody had been told.
    pub added: u32,
    /// Told as present, and gone.
    pub removed: u32,
    /// Another device under the same devpath.
    pub replaced: u32,
    /// The same as before.
    pub kept: u32,
    /// Present, and without a place in the table.
    pub unfit: u32,
}

impl Outcome {
    /// Whether anybody was told something wrong before.
    #[must_use]
    pub const fn has_repaired(&self) -> bool {
        self.added + self.removed + self.replaced > 0
    }
}

/// A running scan.
#[derive(Clone, Copy)]
pub(super) struct Scan {
    kind: ScanKind,
    /// Whether all events were applied that were sent before the scan began. Until then they may be older
    /// than what was lost.
    caught_up: bool,
    /// Where the search for devices that were not seen goes on.
    unseen_from: usize,
    /// What was counted before.
    unfit: u64,
    outcome: Outcome,
}

impl Scan {
    pub(super) const fn origin(&self) -> Origin {
        match self.kind {
            ScanKind::Start => Origin::Scan,
            ScanKind::Repair | ScanKind::Settle => Origin::Repair,
        }
    }

    /// Whether what an event tells of need not be looked for.
    pub(super) const fn verdict_of_told(&self) -> Verdict {
        if self.caught_up { Verdict::Told } else { Verdict::Unseen }
    }

    /// Devices are where the search has been already.
    pub(super) const fn look_again(&mut self) {
        self.unseen_from = 0;
    }

    /// A device that was found is told before the scan has ended.
    pub(super) const fn count_announced(&mut self) {
        self.outcome.added += 1;
    }
}

impl<const SLOTS: usize, const BYTES: usize> Presence<SLOTS, BYTES> {
    /// Begins a scan; one that was running is forgotten.
    pub fn begin_scan(&mut self, kind: ScanKind) {
        for index in Self::indices() {
            if self.table.slot(index).state == State::Found {
                self.table.release(index);
            }
            let slot = self.table.slot_mut(index);
            // What the last scan could not read is still due.
            let change_due =
                slot.state == State::Present && (kind == ScanKind::Repair || slot.marks.change_due);
            slot.marks = Marks { change_due, ..Marks::default() };
        }
        self.in_flight.clear();
        let (unfit, outcome) = (self.counts.unfit, Outcome::default());
        self.scan = Maybe::Just(Scan { kind, caught_up: false, unseen_from: 0, unfit, outcome });
    }

    /// Whether the running scan is the first one.
    pub(crate) fn is_starting(&self) -> bool {
        self.scan.as_ref().is_some_and(|scan| scan.kind == ScanKind::Start)
    }

    /// Says which device is going to be read. Between this and [`saw`](Self::saw) or [`gone`](Self::gone) the
    /// caller reads it and then applies all events that were sent until it was read.
    pub fn look_at(&mut self, devpath: &[u8]) {
        self.touched = false;
        self.in_flight.clear();
        // What is too long for it is no devpath: no event can be about it.
        let _ = self.in_flight.extend_from_slice(devpath);
    }

    /// Looks at the next device that is told as present, or will be, and was not seen: its devpath and
    /// subsystem. Each comes once, and once more behind the first look of a scan, and behind an event that shows
    /// that a device has moved or was replaced.
    pub fn look_at_unseen(&mut self) -> Option<(&[u8], &[u8])> {
        let from = self.scan.as_ref()?.unseen_from;
        let mut unseen = Self::indices().skip(from);
        let index = unseen.find(|&index| {
            let slot = self.table.slot(index);
            slot.is_indexed() && slot.marks.verdict == Verdict::Unseen
        });
        let next = index.map_or(SLOTS, |index| index.place() + 1);
        self.scan.as_mut()?.unseen_from = next;
        let index = index?;
        self.touched = false;
        self.in_flight.clear();
        let _ = self.in_flight.extend_from_slice(self.table.path(index));
        Some((self.table.path(index), self.subsystem(index).unwrap_or_default()))
    }

    /// The device that was [looked at](Self::look_at) is there. `uevent` says of it what an `add` would,
    /// and `inode` is that of its directory in sysfs, which is new at each creation; 0 if that is not known.
    pub fn saw(&mut self, uevent: &Uevent<'_>, inode: u64) -> Look {
        if !self.conclude() {
            return Look::Touched;
        }
        let inode = NonZeroU64::new(inode);
        let path = uevent.devpath();
        let found = self.table.find(path, State::Found);
        let Some(present) = self.table.find(path, State::Present) else {
            return self.find(found, uevent, inode);
        };
        // What was gone once does not come back.
        let was_there = self.table.slot(present).marks.verdict != Verdict::Doomed;
        if was_there && self.is_same(present, uevent, inode) {
            let slot = self.table.slot_mut(present);
            slot.marks.verdict = Verdict::Kept;
            slot.inode = slot.inode.or(inode);
            self.table.refresh(present, uevent, Part::ALL);
            if let Some(found) = found {
                self.table.release(found);
            }
            Look::Taken
        } else {
            self.table.slot_mut(present).marks.verdict = Verdict::Doomed;
            self.find(found, uevent, inode)
        }
    }

    /// The device that was [looked at](Self::look_at) is not there.
    pub fn gone(&mut self) -> Look {
        if !self.conclude() {
            return Look::Touched;
        }
        if let Some(index) = self.table.find(&self.in_flight, State::Present) {
            self.table.slot_mut(index).marks.verdict = Verdict::Doomed;
        }
        if let Some(index) = self.table.find(&self.in_flight, State::Found) {
            self.table.release(index);
        }
        Look::Taken
    }

    /// Whether a look counts. The events were applied that were sent before it.
    fn conclude(&mut self) -> bool {
        let Some(scan) = self.scan.as_mut() else { return false };
        if !core::mem::replace(&mut scan.caught_up, true) {
            scan.look_again();
        }
        !core::mem::take(&mut self.touched)
    }

    /// Whether what was read at the devpath of a present device is that device.
    pub(super) fn is_same(&self, index: Index, uevent: &Uevent<'_>, inode: Option<NonZeroU64>) -> bool {
        let properties = self.table.properties(index);
        match (self.table.slot(index).inode, inode) {
            (Some(before), Some(now)) => before == now && identity::agrees_but_for_medium(properties, uevent),
            _ => identity::agrees(properties, uevent),
        }
    }

    /// Ends the scan and tells what it has found: removals, children first; additions, parents first; then
    /// what stayed.
    pub fn end_scan(&mut self, out: Out<'_>) -> Outcome {
        let Some(scan) = self.scan.take() else { return Outcome::default() };
        let origin = scan.origin();
        for index in Self::indices() {
            let slot = self.table.slot(index);
            if slot.state == State::Present && slot.marks.verdict == Verdict::Doomed {
                self.doom_below(index);
            }
        }
        let mut outcome = scan.outcome;
        let deepest = self.table.slots().iter().map(|slot| slot.depth).max().unwrap_or(0);
        for depth in (0..=deepest).rev() {
            for index in Self::indices() {
                let slot = self.table.slot(index);
                if slot.state == State::Present
                    && slot.depth == depth
                    && slot.marks.verdict == Verdict::Doomed
                {
                    match self.table.find(self.table.path(index), State::Found) {
                        Some(_) => outcome.replaced += 1,
                        None => outcome.removed += 1,
                    }
                    self.tell_made(index, Effect::Remove, origin, out);
                    self.table.bury(index);
                }
            }
        }
        for depth in 0..=deepest {
            for index in Self::indices() {
                let slot = self.table.slot_mut(index);
                if slot.state == State::Found && slot.depth == depth {
                    slot.state = State::Present;
                    outcome.added += 1;
                    self.tell_made(index, Effect::Add, origin, out);
                }
            }
        }
        outcome.added -= outcome.replaced;
        for index in Self::indices() {
            let marks = &mut self.table.slot_mut(index).marks;
            let change_due = core::mem::replace(&mut marks.change_due, false);
            if marks.verdict == Verdict::Unseen {
                marks.change_due = change_due;
            } else if marks.verdict == Verdict::Kept {
                outcome.kept += 1;
                if change_due {
                    self.tell_made(index, Effect::Between, origin, out);
                }
            }
        }
        outcome.unfit = u32::try_from(self.counts.unfit - scan.unfit).unwrap_or(u32::MAX);
        self.overflowing = outcome.unfit > 0;
        self.in_flight.clear();
        outcome
    }

    /// Keeps what a scan has found until it ends.
    fn find(&mut self, found: Option<Index>, uevent: &Uevent<'_>, inode: Option<NonZeroU64>) -> Look {
        if let Some(found) = found {
            self.table.release(found);
        }
        let index = self.table.insert(uevent, State::Found);
        if let Some(index) = index {
            let slot = self.table.slot_mut(index);
            (slot.inode, slot.marks.verdict) = (inode, Verdict::Told);
            return Look::Taken;
        }
        self.count_unfit();
        Look::Unfit
    }

    /// What is below a device that is gone is gone, and what is below a replaced one was replaced with it.
    pub(super) fn doom_below(&mut self, of: Index) {
        let is_doomed = self.table.slot(of).marks.verdict == Verdict::Doomed;
        let is_gone = is_doomed && self.table.find(self.table.path(of), State::Found).is_none();
        self.for_each_below(of, &mut |presence, below| {
            let marks = &mut presence.table.slot_mut(below).marks;
            let verdict = core::mem::replace(&mut marks.verdict, Verdict::Doomed);
            if verdict == Verdict::Doomed || is_gone {
                return;
            }
            let Some(again) = presence.table.duplicate(below) else { return presence.count_unfit() };
            let again = presence.table.slot_mut(again);
            if verdict == Verdict::Unseen {
                again.inode = None;
            }
            // One that was not seen may be gone, and is still looked for.
            again.marks.verdict = if verdict == Verdict::Unseen { verdict } else { Verdict::Told };
        });
    }
}
