//! A consumer's progress through the journal.

use super::delivery::{self, Delivery, DeliveryBuffer, DeviceEvent};
use super::journal::{Cursor, Journal, Record};
use super::table::{ConsumerId, DeviceTable, Effect, Index, Origin, Turn};
use crate::selection::Selection;
use crate::time::Instant;
use crate::uevent::{Action, Uevent};

/// What happens to a lagging consumer when the table needs the tombstones that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Lag {
    /// The consumer must forget all devices, and gets a snapshot.
    Reset,
    /// Nothing: the tombstones stay, and new devices may not fit into the table.
    Hold,
}

/// A cursor, a selection, and the progress of a delta.
pub(super) struct Consumer {
    pub(super) id: ConsumerId,
    pub(super) selection: Selection,
    pub(super) lag: Lag,
    /// The next step to read.
    pub(super) cursor: Cursor,
    phase: Phase,
    /// The origin of the events in its delta.
    origin: Origin,
    /// Steps that it missed and was not yet notified of.
    pub(super) missed: u64,
    /// Whether [`Delivery::Reset`] is due.
    reset_due: bool,
    /// Whether it receives [`Delivery::SnapshotEnd`].
    pub(super) marks_snapshot_end: bool,
    /// Whether [`Delivery::SnapshotEnd`] is due.
    snapshot_end_due: bool,
}

/// The source of a consumer's next delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The delta between the devices announced to it and the device table.
    Delta {
        /// The turn of its last step that was no removal.
        last: Option<Turn>,
    },
    /// The journal. The delta already covers devices that came and went in steps before
    /// `fresh_from`.
    Journal {
        /// The first step newer than the delta.
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
            phase: Phase::Delta { last: None },
            origin: Origin::Scan,
            missed: 0,
            reset_due: false,
            marks_snapshot_end: false,
            snapshot_end_due: false,
        }
    }

    /// Returns the steps that the consumer would get if nothing more happened, plus those that it
    /// missed.
    pub(super) fn unread<const S: usize, const B: usize>(
        &self,
        head: Cursor,
        table: &DeviceTable<S, B>,
    ) -> u64 {
        let delta = match self.phase {
            Phase::Delta { .. } => table.delta_length(self.id, &self.selection) as u64,
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
        (self.phase, self.origin, self.reset_due) = (Phase::Delta { last: None }, Origin::Scan, true);
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
        if let Phase::Delta { last } = &mut self.phase {
            if let Some((index, effect)) = table.next_delta(self.id, &self.selection, last) {
                return self.deliver_made(table, index, effect, now, self.origin, buffer);
            }
            // The delta covers devices that came and went while it was delivered: the journal must
            // not repeat them.
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
                    // The slot was reused: to this consumer the step is as good as overwritten.
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

    /// Delivers an event that is rendered from the table.
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
        (self.phase, self.origin) = (Phase::Delta { last: None }, Origin::Resync);
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
        // A synthetic `remove` of a bus or a module removes nothing either.
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
