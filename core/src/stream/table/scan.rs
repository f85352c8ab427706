//! A scan of sysfs, driven by the caller one device at a time.

use core::num::NonZeroU64;

use super::properties::{self, Part};
use super::slot::{Index, Marks, State, Verdict};
use super::step::{Effect, Origin, Out};
use super::{DeviceTable, Order};
use crate::stream::zeroable::Zeroable;
use crate::uevent::{Action, Uevent};

/// The reason for a scan, which determines its deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ScanKind {
    /// Nothing is known yet: findings are delivered with [`Origin::Scan`].
    Start,
    /// Events were lost: findings are delivered with [`Origin::Resync`], and devices that stayed
    /// with `change`, since that may have been lost.
    Resync,
    /// Changes may exist that no counter shows. If there are none, nothing is delivered.
    Settle,
}

/// The result of a look at one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Look {
    /// The table now has the device as read.
    Taken,
    /// An event about the device arrived meanwhile and may be newer, so nothing was taken. Without
    /// another look the device stays as announced.
    Touched,
    /// The device does not fit into the table.
    Unfit,
}

/// The findings of a scan, in devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScanOutcome {
    /// Present, and not announced before.
    pub added: u32,
    /// Announced as present, but gone.
    pub removed: u32,
    /// Replaced by another device under the same devpath.
    pub replaced: u32,
    /// Unchanged.
    pub kept: u32,
    /// Present, but without a place in the table.
    pub unfit: u32,
}

impl ScanOutcome {
    /// Returns `true` if the announced devices differed from those of sysfs.
    #[must_use]
    pub const fn has_resynced(&self) -> bool {
        self.added + self.removed + self.replaced > 0
    }
}

/// A running scan.
#[derive(Clone, Copy)]
pub(super) struct Scan {
    kind: ScanKind,
    /// Whether all events sent before the scan were applied. Until then an event may be older than
    /// the loss.
    caught_up: bool,
    /// Where the search for unseen devices continues. It restarts when unseen devices appear before
    /// this place.
    pub(super) unseen_from: usize,
    /// The count before the scan.
    unfit: u64,
    pub(super) outcome: ScanOutcome,
}

impl Scan {
    pub(super) const fn origin(&self) -> Origin {
        match self.kind {
            ScanKind::Start => Origin::Scan,
            ScanKind::Resync | ScanKind::Settle => Origin::Resync,
        }
    }

    /// Returns the marks of a device that an event adds. An event from before the scan may be older
    /// than the loss, and the properties of an event other than `add` may include more than the
    /// device's own.
    pub(super) fn marks_of_added(&self, uevent: &Uevent<'_>) -> Marks {
        let verdict = if self.caught_up { Verdict::Reported } else { Verdict::Unseen };
        let is_vague = !self.caught_up || uevent.action() != Action::Add;
        let change_due = self.kind == ScanKind::Resync && is_vague;
        Marks { verdict, change_due, ..Marks::default() }
    }
}

impl<const SLOTS: usize, const BYTES: usize> DeviceTable<SLOTS, BYTES> {
    pub(in crate::stream) fn begin_scan(&mut self, kind: ScanKind) {
        for index in Self::indices() {
            if self.slots.slot(index).state == State::Found {
                self.slots.release(index);
            }
            let slot = self.slots.slot_mut(index);
            // Devices that the last scan could not read are still due a `change`.
            let change_due =
                slot.state == State::Present && (kind == ScanKind::Resync || slot.marks.change_due);
            slot.marks = Marks { change_due, ..Marks::default() };
        }
        self.in_flight.clear();
        let (unfit, outcome) = (self.unfit, ScanOutcome::default());
        self.scan = Zeroable::Just(Scan { kind, caught_up: false, unseen_from: 0, unfit, outcome });
    }

    /// Returns `true` during the first scan.
    pub(in crate::stream) fn is_starting(&self) -> bool {
        self.scan.as_ref().is_some_and(|scan| scan.kind == ScanKind::Start)
    }

    pub(in crate::stream) fn look_at(&mut self, devpath: &[u8]) {
        self.touched = false;
        self.in_flight.clear();
        // A longer text is not a devpath: no event can be about it.
        let _ = self.in_flight.extend_from_slice(devpath);
    }

    pub(in crate::stream) fn look_at_unseen(&mut self) -> Option<(&[u8], &[u8])> {
        let from = self.scan.as_ref()?.unseen_from;
        let mut unseen = Self::indices().skip(from);
        let index = unseen.find(|&index| {
            let slot = self.slots.slot(index);
            slot.is_indexed() && slot.marks.verdict == Verdict::Unseen
        });
        let next = index.map_or(SLOTS, |index| index.place() + 1);
        self.scan.as_mut()?.unseen_from = next;
        let index = index?;
        self.touched = false;
        self.in_flight.clear();
        let _ = self.in_flight.extend_from_slice(self.slots.path(index));
        Some((self.slots.path(index), self.subsystem(index).unwrap_or_default()))
    }

    pub(in crate::stream) fn saw(&mut self, uevent: &Uevent<'_>, inode: Option<NonZeroU64>) -> Look {
        if !self.conclude() {
            return Look::Touched;
        }
        let path = uevent.devpath();
        let found = self.slots.find(path, State::Found);
        let Some(present) = self.slots.find(path, State::Present) else {
            return self.keep_found(found, uevent, inode);
        };
        // A device that was once gone does not return.
        let was_there = self.slots.slot(present).marks.verdict != Verdict::Doomed;
        if was_there && self.is_same(present, uevent, inode) {
            let slot = self.slots.slot_mut(present);
            slot.marks.verdict = Verdict::Kept;
            slot.inode = slot.inode.or(inode);
            self.slots.refresh(present, uevent, Part::ALL);
            if let Some(found) = found {
                self.slots.release(found);
            }
            Look::Taken
        } else {
            self.slots.slot_mut(present).marks.verdict = Verdict::Doomed;
            self.keep_found(found, uevent, inode)
        }
    }

    pub(in crate::stream) fn gone(&mut self) -> Look {
        if !self.conclude() {
            return Look::Touched;
        }
        if let Some(index) = self.slots.find(&self.in_flight, State::Present) {
            self.slots.slot_mut(index).marks.verdict = Verdict::Doomed;
        }
        if let Some(index) = self.slots.find(&self.in_flight, State::Found) {
            self.slots.release(index);
        }
        Look::Taken
    }

    /// Returns `true` if a look counts. All events sent before it have been applied.
    fn conclude(&mut self) -> bool {
        let Some(scan) = self.scan.as_mut() else { return false };
        if !core::mem::replace(&mut scan.caught_up, true) {
            scan.unseen_from = 0;
        }
        !core::mem::take(&mut self.touched)
    }

    /// Returns `true` if the device read at the devpath of a present device is that device.
    pub(super) fn is_same(&self, index: Index, uevent: &Uevent<'_>, inode: Option<NonZeroU64>) -> bool {
        let (slot, properties) = (self.slots.slot(index), self.slots.properties(index));
        match slot.inode.zip(inode) {
            Some((before, now)) if before != now => false,
            None if !slot.is_medium_stale => properties::agrees(properties, uevent),
            _ => properties::agrees_but_for_medium(properties, uevent),
        }
    }

    pub(in crate::stream) fn end_scan(&mut self, out: Out<'_>) -> ScanOutcome {
        let Some(scan) = self.scan.take() else { return ScanOutcome::default() };
        let origin = scan.origin();
        for index in Self::indices() {
            let slot = self.slots.slot(index);
            if slot.state == State::Present && slot.marks.verdict == Verdict::Doomed {
                self.doom_below(index);
            }
        }
        let mut outcome = scan.outcome;
        let is_doomed = |table: &Self, index| {
            let slot = table.slots.slot(index);
            slot.state == State::Present && slot.marks.verdict == Verdict::Doomed
        };
        self.for_each(Order::ChildrenFirst, &is_doomed, &mut |table, index| {
            match table.slots.find(table.slots.path(index), State::Found) {
                Some(_) => outcome.replaced += 1,
                None => outcome.removed += 1,
            }
            table.emit_made(index, Effect::Remove, origin, out);
            table.slots.entomb(index);
        });
        let is_found = |table: &Self, index| table.slots.slot(index).state == State::Found;
        self.for_each(Order::ParentsFirst, &is_found, &mut |table, index| {
            table.slots.slot_mut(index).state = State::Present;
            outcome.added += 1;
            table.emit_made(index, Effect::Add, origin, out);
        });
        outcome.added -= outcome.replaced;
        for index in Self::indices() {
            let marks = &mut self.slots.slot_mut(index).marks;
            let change_due = core::mem::replace(&mut marks.change_due, false);
            if marks.verdict == Verdict::Unseen {
                marks.change_due = change_due;
            } else if marks.verdict == Verdict::Kept {
                outcome.kept += 1;
                if change_due {
                    self.emit_made(index, Effect::Keep, origin, out);
                }
            }
        }
        outcome.unfit = u32::try_from(self.unfit - scan.unfit).unwrap_or(u32::MAX);
        self.overflowing = outcome.unfit > 0;
        self.in_flight.clear();
        outcome
    }

    /// Stores a finding until the scan ends.
    fn keep_found(&mut self, found: Option<Index>, uevent: &Uevent<'_>, inode: Option<NonZeroU64>) -> Look {
        if let Some(found) = found {
            self.slots.release(found);
        }
        let index = self.slots.insert(uevent, State::Found);
        if let Some(index) = index {
            let slot = self.slots.slot_mut(index);
            (slot.inode, slot.marks.verdict) = (inode, Verdict::Reported);
            return Look::Taken;
        }
        self.count_unfit();
        Look::Unfit
    }

    /// Marks the descendants of a device that is gone or was replaced: they are gone or were
    /// replaced with it.
    pub(super) fn doom_below(&mut self, of: Index) {
        let is_doomed = self.slots.slot(of).marks.verdict == Verdict::Doomed;
        let is_gone = is_doomed && self.slots.find(self.slots.path(of), State::Found).is_none();
        self.for_each_below(of, &mut |table, below| {
            let marks = &mut table.slots.slot_mut(below).marks;
            let verdict = core::mem::replace(&mut marks.verdict, Verdict::Doomed);
            if verdict == Verdict::Doomed || is_gone {
                return;
            }
            let Some(again) = table.slots.duplicate(below) else { return table.count_unfit() };
            let again = table.slots.slot_mut(again);
            if verdict == Verdict::Unseen {
                again.inode = None;
            }
            // An unseen device may be gone, and is still looked for.
            again.marks.verdict = if verdict == Verdict::Unseen { verdict } else { Verdict::Reported };
        });
    }
}
