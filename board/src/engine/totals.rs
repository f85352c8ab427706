//! What is counted from start to end, and the one table of it: totals, status and metrics are made from that.

use crate::service::metrics::text::{Kind, Value};

/// What was counted. Everything that the kernel sent to the socket is in exactly one of `received`, `lost`,
/// `malformed` and `truncated`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// What ended the daemon.
    pub ended_by: &'static str,
    /// Well-formed events of the kernel.
    pub received: u64,
    /// Those of them that are of subsystems which nobody wants, and were left out.
    pub unselected: u64,
    /// Events that the kernel did not queue.
    pub lost: u64,
    /// Events of the kernel that did not parse.
    pub malformed: u64,
    /// Events of the kernel whose end was cut off.
    pub truncated: u64,
    /// Messages that were not the kernel's.
    pub foreign: u64,
    /// Bytes that were queued at most.
    pub peak_queued: u64,
    /// The effective receive buffer in bytes.
    pub effective: u32,
    /// The longest time in microseconds for which the socket went unread.
    pub longest_stall_us: u64,
    /// The stall that the profile allows.
    pub max_stall_ms: u32,
    /// Scans after a loss.
    pub repairs: u64,
    /// When the last loss was noticed, in microseconds since boot; 0 if there was none.
    pub last_loss_us: u64,
    /// How much was lost then.
    pub last_loss_events: u64,
    /// How long the scan took that made it good, in microseconds.
    pub last_repair_us: u64,
    /// Devices that are present.
    pub devices: u64,
    /// Devices that had no place in the table, each time that they were met.
    pub untracked: u64,
    /// Events that were overwritten before the output took them.
    pub output_missed: u64,
    /// Lines that the output did not take.
    pub output_dropped: u64,
    /// Events lost or damaged since the operator last acknowledged that.
    pub unacknowledged: u64,
    /// Directories and devices that the last scan could not read.
    pub unreadable: u64,
    /// Lines of `uevent` files that the kernel did not write as they stand, each time that they were read.
    pub forged_lines: u64,
    /// Events that removed what was not known, and so were left out.
    pub unknown_removals: u64,
    /// Bytes of the table in use.
    pub table_used: u64,
    /// Clients that get the stream.
    pub clients: u64,
    /// Connections that were accepted.
    pub connections: u64,
    /// Of these, those that were refused.
    pub refused_connections: u64,
    /// Events that were overwritten before a client took them.
    pub clients_missed: u64,
    /// Events that a hook was run for.
    pub hook_runs: u64,
    /// Events that were overwritten before the hook was run for them.
    pub hook_missed: u64,
}

/// A counter or a figure: a row for all outputs.
pub(crate) struct Figure {
    /// Its key in the totals, and in capitals in the status.
    pub(crate) key: &'static str,
    /// Its name as a metric.
    pub(crate) metric: &'static str,
    /// What it is.
    pub(crate) help: &'static str,
    pub(crate) kind: Kind,
    unit: Unit,
    read: fn(&Totals) -> u64,
}

/// What a figure counts.
#[derive(Clone, Copy)]
enum Unit {
    Whole,
    Micros,
    Millis,
}

impl Figure {
    const fn new(
        key: &'static str,
        metric: &'static str,
        help: &'static str,
        kind: Kind,
        unit: Unit,
        read: fn(&Totals) -> u64,
    ) -> Self {
        Self { key, metric, help, kind, unit, read }
    }

    /// Returns how much it is, in the unit of its key.
    pub(crate) fn of(&self, totals: &Totals) -> u64 {
        (self.read)(totals)
    }

    /// Returns how much it is as a metric.
    pub(crate) fn value(&self, totals: &Totals) -> Value {
        let figure = self.of(totals);
        match self.unit {
            Unit::Whole => Value::Whole(figure),
            Unit::Micros => Value::Micros(figure),
            Unit::Millis => Value::Micros(figure.saturating_mul(1_000)),
        }
    }
}

/// How many figures there are.
pub(crate) const FIGURES: usize = 29;

/// All of them.
#[rustfmt::skip]
pub(crate) static TABLE: [Figure; FIGURES] = {
    use Kind::{Counter, Gauge};
    use Unit::{Micros, Millis, Whole};
    [
        Figure::new("received", "sureplug_uevents_received_total", "Well-formed events of the kernel.", Counter, Whole, |t| t.received),
        Figure::new("unselected", "sureplug_uevents_unselected_total", "Received events of subsystems that are not wanted.", Counter, Whole, |t| t.unselected),
        Figure::new("lost", "sureplug_uevents_lost_total", "Events that the kernel dropped.", Counter, Whole, |t| t.lost),
        Figure::new("malformed", "sureplug_uevents_malformed_total", "Events of the kernel that were damaged.", Counter, Whole, |t| t.malformed),
        Figure::new("truncated", "sureplug_uevents_truncated_total", "Events of the kernel that were cut short.", Counter, Whole, |t| t.truncated),
        Figure::new("foreign", "sureplug_messages_foreign_total", "Messages that the kernel did not send, ignored.", Counter, Whole, |t| t.foreign),
        Figure::new("unknown_removals", "sureplug_unknown_removals_total", "Events that removed an unknown device, left out.", Counter, Whole, |t| t.unknown_removals),
        Figure::new("unacknowledged", "sureplug_uevents_unacknowledged", "Events lost or damaged since the last acknowledgement.", Gauge, Whole, |t| t.unacknowledged),
        Figure::new("repairs", "sureplug_repairs_total", "Scans of sysfs that resynced a loss.", Counter, Whole, |t| t.repairs),
        Figure::new("last_loss_monotonic_us", "sureplug_last_loss_monotonic_seconds", "Time of the last loss since boot; 0 without one.", Gauge, Micros, |t| t.last_loss_us),
        Figure::new("last_loss_events", "sureplug_last_loss_events", "Events of the last loss.", Gauge, Whole, |t| t.last_loss_events),
        Figure::new("last_repair_us", "sureplug_last_repair_seconds", "Time that the scan took which resynced the last loss.", Gauge, Micros, |t| t.last_repair_us),
        Figure::new("unreadable", "sureplug_sysfs_unreadable", "Directories and devices that the last scan could not read.", Gauge, Whole, |t| t.unreadable),
        Figure::new("forged_lines", "sureplug_sysfs_forged_lines_total", "Lines in sysfs that the kernel did not write, each time that they were read.", Counter, Whole, |t| t.forged_lines),
        Figure::new("peak_queued_bytes", "sureplug_rcvbuf_peak_queued_bytes", "Most that was seen queued in the receive buffer.", Gauge, Whole, |t| t.peak_queued),
        Figure::new("effective_bytes", "sureplug_rcvbuf_bytes", "Effective receive buffer.", Gauge, Whole, |t| t.effective.into()),
        Figure::new("longest_stall_us", "sureplug_longest_stall_seconds", "Longest time for which it went unread.", Gauge, Micros, |t| t.longest_stall_us),
        Figure::new("max_stall_ms", "sureplug_max_stall_seconds", "Stall that the buffer is made for.", Gauge, Millis, |t| t.max_stall_ms.into()),
        Figure::new("devices", "sureplug_devices", "Devices that are present.", Gauge, Whole, |t| t.devices),
        Figure::new("untracked", "sureplug_devices_untracked_total", "Devices without a place in the table.", Counter, Whole, |t| t.untracked),
        Figure::new("table_used_bytes", "sureplug_table_used_bytes", "Bytes of the device table in use.", Gauge, Whole, |t| t.table_used),
        Figure::new("output_missed_events", "sureplug_output_missed_events_total", "Events that the output was too slow for.", Counter, Whole, |t| t.output_missed),
        Figure::new("output_dropped_lines", "sureplug_output_dropped_lines_total", "Lines that the output did not take.", Counter, Whole, |t| t.output_dropped),
        Figure::new("clients", "sureplug_clients", "Clients that get the stream.", Gauge, Whole, |t| t.clients),
        Figure::new("connections", "sureplug_connections_total", "Connections that were accepted.", Counter, Whole, |t| t.connections),
        Figure::new("refused_connections", "sureplug_connections_refused_total", "Accepted connections that were refused then.", Counter, Whole, |t| t.refused_connections),
        Figure::new("clients_missed_events", "sureplug_clients_missed_events_total", "Events that a client was too slow for.", Counter, Whole, |t| t.clients_missed),
        Figure::new("hook_runs", "sureplug_hook_runs_total", "Events that the hook was run for.", Counter, Whole, |t| t.hook_runs),
        Figure::new("hook_missed_events", "sureplug_hook_missed_events_total", "Events that the hook was too slow for.", Counter, Whole, |t| t.hook_missed),
    ]
};

#[cfg(test)]
mod tests {
    use crate::service::metrics::text::Kind;

    use super::TABLE;

    #[test]
    fn a_figure_has_one_name_and_one_unit_in_all_outputs() {
        for figure in &TABLE {
            assert_eq!(TABLE.iter().filter(|other| other.key == figure.key).count(), 1, "{}", figure.key);
            assert_eq!(figure.metric.ends_with("_total"), figure.kind == Kind::Counter, "{}", figure.key);
            let is_time = figure.key.ends_with("_us") || figure.key.ends_with("_ms");
            assert_eq!(figure.metric.ends_with("_seconds"), is_time, "{}", figure.key);
            assert!(figure.metric.starts_with("sureplug_") && figure.help.ends_with('.'), "{}", figure.key);
        }
    }
}
