use super::ring::{Position, Record, Ring};
use super::told::{self, Entry, Packet, Told};
use crate::presence::{Bit, Effect, Index, Origin, Presence};
use crate::selection::Selection;
use crate::uevent::Uevent;

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

    /// What it would be told if nothing more happened, and what it missed.
    pub(super) fn unread<const SLOTS: usize, const BYTES: usize>(
        &self,
        head: Position,
        presence: &Presence<SLOTS, BYTES>,
    ) -> u64 {
        let differs = |index: &Index| {
            if presence.is_owed(*index, self.bit) {
                return presence.is_gone(*index);
            }
            presence.is_present(*index) && self.selection.admits(presence.subsystem(*index))
        };
        let difference = match self.phase {
            Phase::Difference => Presence::<SLOTS, BYTES>::indices().filter(differs).count() as u64,
            Phase::Ring { .. } => 0,
        };
        head.step - self.at.step + self.missed + difference + u64::from(self.must_forget)
    }

    /// Devices that are gone, and that it was not told to be gone.
    pub(super) fn tombstones<const SLOTS: usize, const BYTES: usize>(
        &self,
        presence: &Presence<SLOTS, BYTES>,
    ) -> usize {
        Presence::<SLOTS, BYTES>::indices()
            .filter(|&index| presence.is_owed(index, self.bit) && presence.is_gone(index))
            .count()
    }

    pub(super) const fn mark_current(&mut self) {
        self.marks_current = true;
    }

    /// It is taken to have been told all that is present of its selection.
    pub(super) fn take_as_told<const SLOTS: usize, const BYTES: usize>(
        &mut self,
        presence: &mut Presence<SLOTS, BYTES>,
    ) {
        for index in Presence::<SLOTS, BYTES>::indices() {
            if presence.is_present(index) && self.selection.admits(presence.subsystem(index)) {
                presence.owe(index, self.bit);
            }
        }
    }

    /// Nobody waits for this consumer any more.
    pub(super) fn forget<const SLOTS: usize, const BYTES: usize>(
        &mut self,
        presence: &mut Presence<SLOTS, BYTES>,
    ) {
        for index in Presence::<SLOTS, BYTES>::indices() {
            presence.settle(index, self.bit);
        }
    }

    pub(super) fn reset<const SLOTS: usize, const BYTES: usize>(
        &mut self,
        presence: &mut Presence<SLOTS, BYTES>,
        head: Position,
    ) {
        self.forget(presence);
        self.skip_to(head);
        (self.phase, self.origin, self.must_forget) = (Phase::Difference, Origin::Scan, true);
        self.must_hear_current = false;
    }

    pub(super) fn next<'p, const RING: usize, const SLOTS: usize, const BYTES: usize>(
        &mut self,
        ring: &Ring<RING>,
        presence: &mut Presence<SLOTS, BYTES>,
        now: u64,
        packet: &'p mut Packet,
    ) -> Option<Told<'p>> {
        if self.at < ring.tail() {
            self.skip_to(ring.head());
            if let Phase::Ring { .. } = self.phase {
                return Some(self.fall_behind());
            }
        }
        if core::mem::take(&mut self.must_forget) {
            return Some(Told::Reset);
        }
        if self.phase == Phase::Difference {
            if let Some((index, effect)) = self.difference(presence) {
                return self.tell(presence, index, effect, now, packet);
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
        self.next_in_ring(ring, presence, packet)
    }

    fn next_in_ring<'p, const RING: usize, const SLOTS: usize, const BYTES: usize>(
        &mut self,
        ring: &Ring<RING>,
        presence: &mut Presence<SLOTS, BYTES>,
        packet: &'p mut Packet,
    ) -> Option<Told<'p>> {
        while self.at != ring.head() {
            let record = ring.record(self.at);
            if let Some((device, Effect::Add)) = record.device {
                if !self.knows(self.at) && !presence.is_current(device) {
                    // Its slot was needed: for this consumer that is as if the step had been overwritten.
                    self.skip_to(ring.head());
                    return Some(self.fall_behind());
                }
            }
            let at = core::mem::replace(&mut self.at, record.next);
            if !self.must_hear(at, &record, ring, presence, packet) {
                continue;
            }
            if record.length == 0 {
                let (device, effect) = record.device?;
                let uevent = presence.render(device.slot, told::made_as(effect), &mut packet.told)?;
                self.note(presence, device.slot, effect);
                return Some(made(record.stamp, record.origin, uevent));
            }
            if let Some((device, effect)) = record.device {
                self.note(presence, device.slot, effect);
            }
            return read(ring, at, &record, packet).map(Told::Event);
        }
        None
    }

    /// Whether a step is older than what it was told from the table.
    const fn knows(&self, at: Position) -> bool {
        match self.phase {
            Phase::Difference => true,
            Phase::Ring { known_before } => at.step < known_before,
        }
    }

    fn must_hear<const RING: usize, const SLOTS: usize, const BYTES: usize>(
        &self,
        at: Position,
        record: &Record,
        ring: &Ring<RING>,
        presence: &Presence<SLOTS, BYTES>,
        packet: &mut Packet,
    ) -> bool {
        let Some((device, effect)) = record.device else {
            return self.selection == Selection::ALL
                || read(ring, at, record, packet)
                    .is_some_and(|entry| self.selection.admits(entry.uevent.subsystem()));
        };
        let was_told = presence.is_owed(device.slot, self.bit) && presence.is_current(device);
        match effect {
            Effect::Add => {
                !self.knows(at) && !was_told && self.selection.admits(presence.subsystem(device.slot))
            }
            Effect::Remove => !self.knows(at) && was_told,
            Effect::Between => was_told,
        }
    }

    /// The next thing that it must hear so as to know what the table says. Whoever is removed or replaced
    /// comes before whoever is added, since that may be another one of the same devpath.
    fn difference<const SLOTS: usize, const BYTES: usize>(
        &self,
        presence: &Presence<SLOTS, BYTES>,
    ) -> Option<(Index, Effect)> {
        let depth = |index: &Index| presence.depth(*index);
        let indices = Presence::<SLOTS, BYTES>::indices;
        let was_told = |index: &Index| presence.is_owed(*index, self.bit);
        let gone = indices().filter(|index| was_told(index) && presence.is_gone(*index)).max_by_key(depth);
        if let Some(index) = gone {
            return Some((index, Effect::Remove));
        }
        let new = indices().filter(|index| !was_told(index) && presence.is_present(*index));
        let wanted = new.filter(|index| self.selection.admits(presence.subsystem(*index)));
        wanted.min_by_key(depth).map(|index| (index, Effect::Add))
    }

    /// Tells one device of the difference.
    fn tell<'p, const SLOTS: usize, const BYTES: usize>(
        &mut self,
        presence: &mut Presence<SLOTS, BYTES>,
        index: Index,
        effect: Effect,
        now: u64,
        packet: &'p mut Packet,
    ) -> Option<Told<'p>> {
        let uevent = presence.render(index, told::made_as(effect), &mut packet.told)?;
        self.note(presence, index, effect);
        Some(made(now, self.origin, uevent))
    }

    fn note<const SLOTS: usize, const BYTES: usize>(
        &mut self,
        presence: &mut Presence<SLOTS, BYTES>,
        index: Index,
        effect: Effect,
    ) {
        match effect {
            Effect::Add => presence.owe(index, self.bit),
            Effect::Remove => presence.settle(index, self.bit),
            Effect::Between => {}
        }
    }

    const fn skip_to(&mut self, head: Position) {
        self.missed += head.step - self.at.step;
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

/// Something that is made from the table.
const fn made(stamp: u64, origin: Origin, uevent: Uevent<'_>) -> Told<'_> {
    Told::Event(Entry { stamp, origin, tracked: true, kernel_action: None, uevent })
}

/// The event of a record that carries one, as it is told.
fn read<'p, const RING: usize>(
    ring: &Ring<RING>,
    at: Position,
    record: &Record,
    packet: &'p mut Packet,
) -> Option<Entry<'p>> {
    let Packet { told, kernel } = packet;
    let kernel = &mut kernel[..record.length];
    ring.datagram(at, kernel);
    let uevent = Uevent::parse(kernel).ok()?;
    let action = record.device.and_then(|(_, effect)| told::told_as(uevent.action(), effect));
    let entry = Entry {
        stamp: record.stamp,
        origin: record.origin,
        tracked: record.device.is_some(),
        kernel_action: action.map(|_| uevent.action()),
        uevent,
    };
    match action {
        None => Some(entry),
        Some(action) => Some(Entry { uevent: told::with_action(&uevent, action, told)?, ..entry }),
    }
}
