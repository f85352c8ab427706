//! What the worker can say of itself.

use sureplug_core::stream::Agreement;

use super::Worker;
use crate::engine::totals::Totals;
use crate::service::broker::{Broker, Figures};
use crate::service::hook::Hook;
use crate::service::log::Console;

impl Worker {
    /// Returns what was counted up to now.
    pub(super) fn totals(&self) -> Totals {
        let counters = self.intake.counters();
        let stream = &self.tracker.stream;
        let served = self.broker.as_ref().map(Broker::counts).unwrap_or_default();
        let [hook_runs, hook_missed] = self.hook.as_ref().map(Hook::counts).unwrap_or_default();
        let dropped = self.console.as_ref().map_or(0, Console::dropped) + self.tracker.dropped_notices;
        Totals {
            foreign: counters.foreign(),
            peak_queued: counters.peak_queued(),
            longest_stall_us: counters.longest_stall_us(),
            devices: stream.devices() as u64,
            unknown_removals: stream.counts().unknown_removals,
            table_used: stream.used_bytes() as u64,
            unacknowledged: self.unacknowledged(),
            unreadable: self.tracker.missing.map_or(0, |missing| missing.count.into()),
            forged_lines: self.devices.forgery_count(),
            output_missed: self.tracker.totals.output_missed + self.missed_and_unsaid(),
            output_dropped: self.tracker.totals.output_dropped + dropped,
            clients: self.broker.as_ref().map_or(0, Broker::clients) as u64,
            connections: served.connections,
            refused_connections: served.refused,
            clients_missed: served.missed,
            hook_runs,
            hook_missed,
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
            Agreement::Steady if self.is_restricted() => "restricted",
            Agreement::Steady => "steady",
        };
        let totals = self.totals();
        Figures {
            state,
            totals,
            started: self.started,
            sizing: self.sizing,
            ports: self.tracker.ports.clone(),
        }
    }
}
