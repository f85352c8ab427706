//! What happens, step by step, as it is read from the ring.

use super::{Consumer, Phase};
use crate::selection::Selection;
use crate::stream::journal::changes::Changes;
use crate::stream::journal::ring::{Position, Record, Ring};
use crate::stream::journal::told::{self, Entry, Packet, Told};
use crate::stream::table::{self, Effect, Presence};
use crate::uevent::{Action, Uevent};

impl Consumer {
    pub(super) fn next_in_ring<'p, const RING: usize, const SLOTS: usize, const BYTES: usize>(
        &mut self,
        ring: &Ring<RING>,
        changes: &mut Changes<SLOTS>,
        presence: &mut Presence<SLOTS, BYTES>,
        packet: &'p mut Packet,
    ) -> Option<Told<'p>> {
        while self.at != ring.head() {
            let record = ring.record(self.at);
            if let Some((device, Effect::Add)) = record.device {
                if !self.knows(self.at) && !presence.is_current(device) {
                    // Its slot was needed: for this consumer that is as if the step had been overwritten.
                    self.skip_to(ring.head(), changes);
                    return Some(self.fall_behind());
                }
            }
            let at = core::mem::replace(&mut self.at, record.next);
            if !self.must_hear(at, &record, ring, presence, packet) {
                continue;
            }
            if record.length == 0 {
                let (device, effect) = record.device?;
                let step = (device.slot, effect);
                return self.tell(presence, changes, step, record.stamp, record.origin, packet);
            }
            if let Some((device, effect)) = record.device {
                self.note(presence, changes, device.slot, effect);
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
    let effect = match record.device {
        Some((_, effect)) => Some(effect),
        // Nothing was removed by a synthetic `remove`, of a bus or a module either.
        None => {
            (uevent.action() == Action::Remove && table::is_synthetic(&uevent)).then_some(Effect::Between)
        }
    };
    let action = effect.and_then(|effect| told::told_as(uevent.action(), effect));
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
