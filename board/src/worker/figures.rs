//! What the worker can say of itself.

use sureplug_core::schedule::Agreement;

use super::Worker;
use crate::broker::Figures;
use crate::totals::Totals;

impl Worker {
    /// What was counted up to now.
    pub(super) fn totals(&self) -> Totals {
        let counters = self.intake.counters();
        Totals {
            foreign: counters.foreign(),
            peak_queued: counters.peak_queued(),
            longest_stall_us: counters.longest_stall_us(),
            devices: self.tracker.stream.presence().devices() as u64,
            ..self.tracker.totals
        }
    }

    /// For who collects figures.
    pub(super) fn publish(&self) {
        if let Some(metrics) = &self.metrics {
            metrics.publish(&self.totals());
        }
    }

    /// For those who ask.
    pub(super) fn figures(&self) -> Figures {
        let state = match self.tracker.schedule.agreement() {
            Agreement::Starting => "starting",
            Agreement::Lossy => "repairing",
            Agreement::Steady => "steady",
        };
        let totals = self.totals();
        Figures {
            state,
            totals,
            table_used_bytes: self.tracker.stream.presence().used_bytes(),
            unacknowledged: self.unacknowledged(),
            started: self.started,
            sizing: self.sizing,
            ports: self.tracker.ports.clone(),
        }
    }
}
