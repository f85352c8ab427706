mod difference;
mod steps;

use super::changes::Changes;
use super::ring::{Position, Ring};
use super::told::{Packet, Told};
use crate::selection::Selection;
use crate::stream::table::{Bit, Effect, Index, Origin, Presence};

/// One of those who read a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ConsumerId(pub(super) u8);

impl ConsumerId {
    pub(super) const fn place(self) -> usize {
        self.0 as usize
    }
}

/// What may be done to a consumer that does not keep up, when tombstones are needed that wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Lag {
    /// It is told to forget everything, and then what is present.
    Reset,
    /// Nothing: the tombstones stay, and new devices may find no place in the table.
    Hold,
}

/// A cursor, a selection, and whose devices it was told of.
pub(super) struct Consumer {
    /// Where the table notes what it was told.
    bit: Bit,
    selection: Selection,
    lag: Lag,
    /// What it reads next.
    at: Position,
    phase: Phase,
    /// Why it is told the difference.
    origin: Origin,
    /// Steps that it missed and was not told of yet.
    missed: u64,
    /// Whether it still has to hear that it must forget everything.
    must_forget: bool,
    /// Whether it wants to hear when it knows all.
    marks_current: bool,
    /// Whether it knows all and still has to hear that.
    must_hear_current: bool,
}

/// How a consumer learns what it must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// From the difference between what it was told and what the table says.
    Difference,
    /// From the ring. Up to that step, it knows already what came and went.
    Ring {
        /// The first step whose devices it does not know of.
        known_before: u64,
    },
}

impl Consumer {
    pub(super) const fn new(bit: Bit, selection: Selection, lag: Lag, at: Position) -> Self {
        Self {
            bit,
            selection,
            lag,
            at,
            phase: Phase::Difference,
            origin: Origin::Scan,
            missed: 0,
            must_forget: false,
            marks_current: false,
            must_hear_current: false,
        }
    }

    pub(super) const fn lag(&self) -> Lag {
        self.lag
    }

    pub(super) const fn read_steps(&self) -> u64 {
        self.at.step
    }

    pub(super) const fn missed(&self) -> u64 {
        self.missed
    }

    pub(super) fn is_behind(&self, tail: Position) -> bool {
        self.at < tail
    }

    /// What it would be told if nothing more happened, and what it missed.
    pub(super) fn unread<const SLOTS: usize, const BYTES: usize>(
        &self,
        head: Position,
        presence: &Presence<SLOTS, BYTES>,
        changes: &Changes<SLOTS>,
    ) -> u64 {
        let difference = match self.phase {
            Phase::Difference => self.difference_length(presence, changes) as u64,
            Phase::Ring { .. } => 0,
        };
        head.step - self.at.step + self.missed + difference + u64::from(self.must_forget)
    }

    pub(super) const fn mark_current(&mut self) {
        self.marks_current = true;
    }

    pub(super) fn reset<const SLOTS: usize, const BYTES: usize>(
        &mut self,
        presence: &mut Presence<SLOTS, BYTES>,
        changes: &mut Changes<SLOTS>,
        head: Position,
    ) {
        self.skip_to(head, changes);
        self.forget(presence, changes);
        (self.phase, self.origin, self.must_forget) = (Phase::Difference, Origin::Scan, true);
        self.must_hear_current = false;
    }

    pub(super) fn next<'p, const RING: usize, const SLOTS: usize, const BYTES: usize>(
        &mut self,
        ring: &Ring<RING>,
        changes: &mut Changes<SLOTS>,
        presence: &mut Presence<SLOTS, BYTES>,
        now: u64,
        packet: &'p mut Packet,
    ) -> Option<Told<'p>> {
        if self.at < ring.tail() {
            self.skip_to(ring.head(), changes);
            if let Phase::Ring { .. } = self.phase {
                return Some(self.fall_behind());
            }
        }
        if core::mem::take(&mut self.must_forget) {
            return Some(Told::Reset);
        }
        if self.phase == Phase::Difference {
            if let Some(step) = self.difference(presence, changes) {
                return self.tell(presence, changes, step, now, self.origin, packet);
            }
            // What was put in meanwhile is read from the ring, but devices came and went already.
            self.phase = Phase::Ring { known_before: ring.head().step };
            self.must_hear_current = self.marks_current;
            if self.missed > 0 {
                return Some(self.take_missed());
            }
        }
        if core::mem::take(&mut self.must_hear_current) {
            return Some(Told::Current);
        }
        self.next_in_ring(ring, changes, presence, packet)
    }

    fn note<const SLOTS: usize, const BYTES: usize>(
        &self,
        presence: &mut Presence<SLOTS, BYTES>,
        changes: &mut Changes<SLOTS>,
        index: Index,
        effect: Effect,
    ) {
        changes.settle(self.bit, index);
        match effect {
            Effect::Add => presence.owe(index, self.bit),
            Effect::Remove => presence.settle(index, self.bit),
            Effect::Between => {}
        }
    }

    fn skip_to<const SLOTS: usize>(&mut self, head: Position, changes: &mut Changes<SLOTS>) {
        self.missed += head.step - self.at.step;
        changes.miss(self.bit, self.at.step);
        self.at = head;
    }

    const fn fall_behind(&mut self) -> Told<'static> {
        (self.phase, self.origin) = (Phase::Difference, Origin::Repair);
        self.must_hear_current = false;
        self.take_missed()
    }

    const fn take_missed(&mut self) -> Told<'static> {
        Told::Missed { steps: core::mem::replace(&mut self.missed, 0) }
    }
}
