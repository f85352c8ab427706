use super::ring::{Position, Record, Ring};
use super::told::{self, Entry, Packet, Told};
use crate::presence::{Effect, Index, Origin, Presence};
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

/// A cursor, a selection, and what was told.
pub(super) struct Consumer<const SLOTS: usize> {
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
    /// For each slot, whether it was told `add` and not `remove` of the device there. The slot is not given
    /// to another device before it was.
    told: [bool; SLOTS],
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

impl<const SLOTS: usize> Consumer<SLOTS> {
    pub(super) const fn new(selection: Selection, lag: Lag, at: Position) -> Self {
        Self {
            selection,
            lag,
            at,
            phase: Phase::Difference,
            origin: Origin::Scan,
            missed: 0,
            must_forget: false,
            told: [false; SLOTS],
        }
    }

    pub(super) const fn lag(&self) -> Lag {
        self.lag
    }

    pub(super) const fn read_steps(&self) -> u64 {
        self.at.step
    }

    /// What it would be told if nothing more happened, and what it missed.
    pub(super) fn unread<const BYTES: usize>(
        &self,
        head: Position,
        presence: &Presence<SLOTS, BYTES>,
    ) -> u64 {
        let differs = |index: &Index| {
            if self.told[index.place()] {
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
    pub(super) fn tombstones<const BYTES: usize>(&self, presence: &Presence<SLOTS, BYTES>) -> usize {
        Presence::<SLOTS, BYTES>::indices()
            .filter(|&index| self.told[index.place()] && presence.is_gone(index))
            .count()
    }

    /// Nobody waits for this consumer any more.
    pub(super) fn forget<const BYTES: usize>(&mut self, presence: &mut Presence<SLOTS, BYTES>) {
        for index in Presence::<SLOTS, BYTES>::indices() {
            if core::mem::take(&mut self.told[index.place()]) {
                presence.settle(index);
            }
        }
    }

    pub(super) fn reset<const BYTES: usize>(
        &mut self,
        presence: &mut Presence<SLOTS, BYTES>,
        head: Position,
    ) {
        self.forget(presence);
        self.skip_to(head);
        (self.phase, self.origin, self.must_forget) = (Phase::Difference, Origin::Scan, true);
    }

    pub(super) fn next<'p, const RING: usize, const BYTES: usize>(
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
            if self.missed > 0 {
                return Some(self.take_missed());
            }
        }
        self.next_in_ring(ring, presence, packet)
    }

    fn next_in_ring<'p, const RING: usize, const BYTES: usize>(
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

    fn must_hear<const RING: usize, const BYTES: usize>(
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
        let was_told = self.told[device.slot.place()] && presence.is_current(device);
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
    fn difference<const BYTES: usize>(&self, presence: &Presence<SLOTS, BYTES>) -> Option<(Index, Effect)> {
        let depth = |index: &Index| presence.depth(*index);
        let indices = Presence::<SLOTS, BYTES>::indices;
        let was_told = |index: &Index| self.told[index.place()];
        let gone = indices().filter(|index| was_told(index) && presence.is_gone(*index)).max_by_key(depth);
        if let Some(index) = gone {
            return Some((index, Effect::Remove));
        }
        let new = indices().filter(|index| !was_told(index) && presence.is_present(*index));
        let wanted = new.filter(|index| self.selection.admits(presence.subsystem(*index)));
        wanted.min_by_key(depth).map(|index| (index, Effect::Add))
    }

    /// Tells one device of the difference.
    fn tell<'p, const BYTES: usize>(
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

    fn note<const BYTES: usize>(
        &mut self,
        presence: &mut Presence<SLOTS, BYTES>,
        index: Index,
        effect: Effect,
    ) {
        match effect {
            Effect::Add => presence.owe(index),
            Effect::Remove => presence.settle(index),
            Effect::Between => return,
        }
        self.told[index.place()] = effect == Effect::Add;
    }

    const fn skip_to(&mut self, head: Position) {
        self.missed += head.step - self.at.step;
        self.at = head;
    }

    const fn fall_behind(&mut self) -> Told<'static> {
        (self.phase, self.origin) = (Phase::Difference, Origin::Repair);
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
