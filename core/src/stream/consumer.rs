//! A consumer's way through the journal.

use super::delivery::{self, Delivery, DeliveryBuffer, DeviceEvent};
use super::journal::{Cursor, Journal, Record};
use super::table::{ConsumerId, DeviceTable, Effect, Index, Origin};
use crate::selection::Selection;
use crate::time::Instant;
use crate::uevent::{Action, Uevent};

/// What may be done to a consumer that lags, when tombstones are needed that wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Lag {
    /// It is made to forget everything, and gets a snapshot.
    Reset,
    /// Nothing: the tombstones stay, and new devices may find no place in the table.
    Hold,
}

/// A cursor, a selection, and how far a delta has come.
pub(super) struct Consumer {
    pub(super) id: ConsumerId,
    pub(super) selection: Selection,
    pub(super) lag: Lag,
    /// What it reads next.
    pub(super) cursor: Cursor,
    phase: Phase,
    /// Why it gets the delta.
    origin: Origin,
    /// Steps that it missed, and of which it did not get the number yet.
    pub(super) missed: u64,
    /// Whether [`Delivery::Reset`] is due.
    reset_due: bool,
    /// Whether it wants [`Delivery::SnapshotEnd`].
    pub(super) marks_snapshot_end: bool,
    /// Whether that is due.
    snapshot_end_due: bool,
}

/// What a consumer gets next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The delta between what was announced to it and the device table.
    Delta,
    /// The journal. Steps before that number are older than the delta: devices came and went already.
    Journal {
        /// The first step that is newer.
        fresh_from: u64,
    },
}

impl Consumer {
    pub(super) const fn new(id: ConsumerId, selection: Selection, lag: Lag, cursor: Cursor) -> Self {
        Self {
            id,
            selection,
            lag,
            cursor,
            phase: Phase::Delta,
            origin: Origin::Scan,
            missed: 0,
            reset_due: false,
            marks_snapshot_end: false,
            snapshot_end_due: false,
        }
    }

    /// Returns what it would get if nothing more happened, and what it missed.
    pub(super) fn unread<const S: usize, const B: usize>(
        &self,
        head: Cursor,
        table: &DeviceTable<S, B>,
    ) -> u64 {
        let delta = match self.phase {
            Phase::Delta => table.delta_length(self.id, &self.selection) as u64,
            Phase::Journal { .. } => 0,
        };
        head.step - self.cursor.step + self.missed + delta + u64::from(self.reset_due)
    }

    pub(super) fn reset<const S: usize, const B: usize>(
        &mut self,
        table: &mut DeviceTable<S, B>,
        head: Cursor,
    ) {
        self.skip_to(head, table);
        table.forget(self.id);
        (self.phase, self.origin, self.reset_due) = (Phase::Delta, Origin::Scan, true);
        self.snapshot_end_due = false;
    }

    pub(super) fn next<'b, const R: usize, const S: usize, const B: usize>(
        &mut self,
        journal: &Journal<R>,
        table: &mut DeviceTable<S, B>,
        now: Instant,
        buffer: &'b mut DeliveryBuffer,
    ) -> Option<Delivery<'b>> {
        if self.cursor < journal.tail {
            self.skip_to(journal.head, table);
            if let Phase::Journal { .. } = self.phase {
                return Some(self.fall_behind());
            }
        }
        if core::mem::take(&mut self.reset_due) {
            return Some(Delivery::Reset);
        }
        if self.phase == Phase::Delta {
            if let Some((index, effect)) = table.next_delta(self.id, &self.selection) {
                return self.deliver_made(table, index, effect, now, self.origin, buffer);
            }
            // What was put in meanwhile is read from the journal, but devices came and went already.
            self.phase = Phase::Journal { fresh_from: journal.head.step };
            self.snapshot_end_due = self.marks_snapshot_end;
            if self.missed > 0 {
                return Some(self.take_missed());
            }
        }
        if core::mem::take(&mut self.snapshot_end_due) {
            return Some(Delivery::SnapshotEnd);
        }
        self.next_in_journal(journal, table, buffer)
    }

    fn next_in_journal<'b, const R: usize, const S: usize, const B: usize>(
        &mut self,
        journal: &Journal<R>,
        table: &mut DeviceTable<S, B>,
        buffer: &'b mut DeliveryBuffer,
    ) -> Option<Delivery<'b>> {
        while self.cursor != journal.head {
            let record = journal.record(self.cursor);
            let is_fresh =
                matches!(self.phase, Phase::Journal { fresh_from } if self.cursor.step >= fresh_from);
            if let Some((device, Effect::Add)) = record.device {
                if is_fresh && !table.is_current(device) {
                    // Its slot was needed: for this consumer that is as if the step had been overwritten.
                    self.skip_to(journal.head, table);
                    return Some(self.fall_behind());
                }
            }
            let at = core::mem::replace(&mut self.cursor, record.next);
            let is_due = match record.device {
                None => {
                    self.selection == Selection::ALL
                        || read(journal, at, &record, buffer)
                            .is_some_and(|event| self.selection.admits(event.uevent.subsystem()))
                }
                Some((device, effect)) => {
                    let was_announced = table.is_announced(device, self.id);
                    match effect {
                        Effect::Add => {
                            is_fresh && !was_announced && self.selection.admits(table.subsystem(device.slot))
                        }
                        Effect::Remove => is_fresh && was_announced,
                        Effect::Keep => was_announced,
                    }
                }
            };
            if !is_due {
                continue;
            }
            if let Some((device, effect)) = record.device {
                if record.length == 0 {
                    let (stamp, origin) = (record.stamp, record.origin);
                    return self.deliver_made(table, device.slot, effect, stamp, origin, buffer);
                }
                table.note_delivered(device.slot, self.id, effect);
            }
            return read(journal, at, &record, buffer).map(Delivery::Event);
        }
        None
    }

    /// Delivers an event that is made from the table.
    fn deliver_made<'b, const S: usize, const B: usize>(
        &self,
        table: &mut DeviceTable<S, B>,
        index: Index,
        effect: Effect,
        stamp: Instant,
        origin: Origin,
        buffer: &'b mut DeliveryBuffer,
    ) -> Option<Delivery<'b>> {
        let uevent = table.render(index, effect.action(), &mut buffer.event)?;
        table.note_delivered(index, self.id, effect);
        Some(Delivery::Event(DeviceEvent { stamp, origin, tracked: true, kernel_action: None, uevent }))
    }

    fn skip_to<const S: usize, const B: usize>(&mut self, head: Cursor, table: &mut DeviceTable<S, B>) {
        self.missed += head.step - self.cursor.step;
        table.note_missed(self.id, self.cursor.step);
        self.cursor = head;
    }

    const fn fall_behind(&mut self) -> Delivery<'static> {
        (self.phase, self.origin) = (Phase::Delta, Origin::Resync);
        self.snapshot_end_due = false;
        self.take_missed()
    }

    const fn take_missed(&mut self) -> Delivery<'static> {
        Delivery::Missed { steps: core::mem::replace(&mut self.missed, 0) }
    }
}

/// Reads the event of a record that carries one, as it is delivered.
fn read<'b, const R: usize>(
    journal: &Journal<R>,
    at: Cursor,
    record: &Record,
    buffer: &'b mut DeliveryBuffer,
) -> Option<DeviceEvent<'b>> {
    let DeliveryBuffer { event, kernel } = buffer;
    let kernel = &mut kernel[..record.length];
    journal.datagram(at, kernel);
    let uevent = Uevent::parse(kernel).ok()?;
    let effect = match record.device {
        Some((_, effect)) => Some(effect),
        // Nothing was removed by a synthetic `remove`, of a bus or a module either.
        None => (uevent.action() == Action::Remove && uevent.is_synthetic()).then_some(Effect::Keep),
    };
    let substitute = effect.and_then(|effect| delivery::substitute(uevent.action(), effect));
    Some(DeviceEvent {
        stamp: record.stamp,
        origin: record.origin,
        tracked: record.device.is_some(),
        kernel_action: substitute.map(|_| uevent.action()),
        uevent: match substitute {
            None => uevent,
            Some(action) => delivery::with_action(&uevent, action, event)?,
        },
    })
}
