//! How it is: for the LED, for whoever started it, and for who acknowledges a loss.

use crate::service::led::indicator::Condition;
use sureplug_core::stream::{Agreement, ScanKind};

use super::Worker;
use crate::engine::totals::Totals;
use crate::report::Line;
use crate::time::monotonic_now;

impl Worker {
    /// Events lost or damaged since somebody acknowledged that.
    pub(super) const fn unacknowledged(&self) -> u64 {
        lost(&self.tracker.totals) - self.acknowledged
    }

    /// Somebody has seen what was lost.
    pub(super) const fn acknowledge(&mut self) {
        self.acknowledged = lost(&self.tracker.totals);
    }

    /// Does what is due for the LED and the supervisor.
    pub(super) fn look_after(&mut self) {
        let condition = match (self.tracker.schedule.agreement(), self.unacknowledged()) {
            (Agreement::Lossy, _) => Condition::Repairing,
            (_, 0) if !self.is_restricted() => Condition::Steady,
            (_, _) => Condition::Lossy,
        };
        self.show_condition(condition);
        if let Some(supervisor) = &mut self.supervisor {
            supervisor.beat(monotonic_now());
        }
    }

    /// Shows a repair before it begins.
    pub(super) fn show(&mut self, condition: Condition, kind: ScanKind) {
        if kind == ScanKind::Resync {
            self.show_condition(condition);
        }
    }

    /// Returns `true` if some of the kernel's events cannot arrive, or sysfs shows the net devices of another namespace.
    pub(super) const fn is_restricted(&self) -> bool {
        self.has_few_events || self.devices.is_foreign()
    }

    /// Reports readiness after the first scan, and what that could not read until a later one could.
    pub(super) fn report_readiness(&mut self) {
        if self.tracker.schedule.agreement() == Agreement::Starting {
            return;
        }
        let Some(supervisor) = &mut self.supervisor else { return };
        match &self.tracker.missing {
            Some(missing) => supervisor
                .ready(Some(&format_args!("Devices are missing: sysfs could not be read: {missing}"))),
            None if self.has_few_events => supervisor.ready(Some(&"Only events of net devices can arrive")),
            None if self.devices.is_foreign() => {
                supervisor.ready(Some(&"Sysfs belongs to another network namespace"));
            }
            None => supervisor.ready(None),
        }
    }

    fn show_condition(&mut self, condition: Condition) {
        let Some(led) = &mut self.led else { return };
        if let Some(error) = led.show(condition, monotonic_now()) {
            self.tracker.note(Line::LedFailed { error });
        }
    }
}

const fn lost(totals: &Totals) -> u64 {
    totals.lost + totals.malformed + totals.truncated
}
