//! The single table of figures. Totals, status, JSON and metrics are made from it.

/// A counter or a gauge: one row for all outputs.
pub(crate) struct Figure {
    /// The key in the totals, and in upper case in the status.
    pub(crate) key: &'static str,
    /// The name of the metric.
    pub(crate) metric: &'static str,
    /// The metric's description.
    pub(crate) help: &'static str,
    pub(crate) kind: FigureKind,
    pub(crate) unit: Unit,
    read: fn(&Totals) -> u64,
}

/// How a figure changes over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FigureKind {
    /// Only grows. Its metric ends with `_total`.
    Counter,
    /// Grows and shrinks.
    Gauge,
}

/// The unit of a figure.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Whole,
    Micros,
    Millis,
}

impl Figure {
    /// Returns the value in the unit of the key.
    pub(crate) fn of(&self, totals: &Totals) -> u64 {
        (self.read)(totals)
    }
}

macro_rules! figures {
    ($($field:ident: $key:literal, $metric:literal, $help:literal, $kind:ident, $unit:ident;)*) => {
        /// Everything that was counted. Each event that the kernel sent to the socket is in exactly
        /// one of `received`, `lost`, `malformed` and `truncated`.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct Totals {
            /// The reason why the daemon ended.
            pub ended_by: &'static str,
            $(#[doc = $help] pub $field: u64,)*
        }

        /// The number of figures.
        pub(crate) const FIGURES: usize = [$($key),*].len();

        /// All figures.
        pub(crate) static TABLE: [Figure; FIGURES] = [$(Figure {
            key: $key,
            metric: $metric,
            help: $help,
            kind: FigureKind::$kind,
            unit: Unit::$unit,
            read: |totals| totals.$field,
        }),*];

        #[cfg(test)]
        impl Totals {
            /// Returns figures with consecutive values, for tests.
            pub(crate) fn numbered(first: u64, step: u64) -> Self {
                let mut numbers = (0..).map(|index| first + index * step);
                let mut number = || numbers.next().unwrap_or_default();
                Self { ended_by: "", $($field: number()),* }
            }
        }
    };
}

// Field: key, metric, help, kind, unit.
figures! {
    received: "received", "sureplug_uevents_received_total", "Well-formed events of the kernel.", Counter, Whole;
    unselected: "unselected", "sureplug_uevents_unselected_total", "Received events of subsystems that are not wanted.", Counter, Whole;
    lost: "lost", "sureplug_uevents_lost_total", "Events that the kernel dropped.", Counter, Whole;
    malformed: "malformed", "sureplug_uevents_malformed_total", "Events of the kernel that were damaged.", Counter, Whole;
    truncated: "truncated", "sureplug_uevents_truncated_total", "Events of the kernel that were cut short.", Counter, Whole;
    foreign: "foreign", "sureplug_messages_foreign_total", "Messages that the kernel did not send, ignored.", Counter, Whole;
    unknown_removals: "unknown_removals", "sureplug_unknown_removals_total", "Events that removed an unknown device, left out.", Counter, Whole;
    unacknowledged: "unacknowledged", "sureplug_uevents_unacknowledged", "Events lost or damaged since the last acknowledgement.", Gauge, Whole;
    resyncs: "repairs", "sureplug_repairs_total", "Scans of sysfs that resynced a loss.", Counter, Whole;
    last_loss_us: "last_loss_monotonic_us", "sureplug_last_loss_monotonic_seconds", "Time of the last loss since boot; 0 without one.", Gauge, Micros;
    last_loss_events: "last_loss_events", "sureplug_last_loss_events", "Events of the last loss.", Gauge, Whole;
    last_resync_us: "last_repair_us", "sureplug_last_repair_seconds", "Time that the scan took which resynced the last loss.", Gauge, Micros;
    unreadable: "unreadable", "sureplug_sysfs_unreadable", "Directories and devices that the last scan could not read.", Gauge, Whole;
    forged_lines: "forged_lines", "sureplug_sysfs_forged_lines_total", "Lines in sysfs that the kernel did not write, each time that they were read.", Counter, Whole;
    peak_queued: "peak_queued_bytes", "sureplug_rcvbuf_peak_queued_bytes", "Most that was seen queued in the receive buffer.", Gauge, Whole;
    effective: "effective_bytes", "sureplug_rcvbuf_bytes", "Effective receive buffer.", Gauge, Whole;
    longest_stall_us: "longest_stall_us", "sureplug_longest_stall_seconds", "Longest time for which it went unread.", Gauge, Micros;
    max_stall_ms: "max_stall_ms", "sureplug_max_stall_seconds", "Stall that the buffer is made for.", Gauge, Millis;
    devices: "devices", "sureplug_devices", "Devices that are present.", Gauge, Whole;
    untracked: "untracked", "sureplug_devices_untracked_total", "Devices without a place in the table.", Counter, Whole;
    table_used: "table_used_bytes", "sureplug_table_used_bytes", "Bytes of the device table in use.", Gauge, Whole;
    output_missed: "output_missed_events", "sureplug_output_missed_events_total", "Events that the output was too slow for.", Counter, Whole;
    output_dropped: "output_dropped_lines", "sureplug_output_dropped_lines_total", "Lines that the output did not take.", Counter, Whole;
    clients: "clients", "sureplug_clients", "Clients that get the stream.", Gauge, Whole;
    connections: "connections", "sureplug_connections_total", "Connections that were accepted.", Counter, Whole;
    refused_connections: "refused_connections", "sureplug_connections_refused_total", "Accepted connections that were refused then.", Counter, Whole;
    clients_missed: "clients_missed_events", "sureplug_clients_missed_events_total", "Events that a client was too slow for.", Counter, Whole;
    hook_runs: "hook_runs", "sureplug_hook_runs_total", "Events that the hook was run for.", Counter, Whole;
    hook_missed: "hook_missed_events", "sureplug_hook_missed_events_total", "Events that the hook was too slow for.", Counter, Whole;
}

impl Totals {
    /// Returns the number of events that did not arrive intact.
    pub(crate) const fn damaged_or_lost(&self) -> u64 {
        self.lost + self.malformed + self.truncated
    }
}

#[cfg(test)]
mod tests {
    use super::{FigureKind, TABLE};

    #[test]
    fn a_figure_has_one_name_and_one_unit_in_all_outputs() {
        for figure in &TABLE {
            assert_eq!(TABLE.iter().filter(|other| other.key == figure.key).count(), 1, "{}", figure.key);
            assert_eq!(
                figure.metric.ends_with("_total"),
                figure.kind == FigureKind::Counter,
                "{}",
                figure.key
            );
            let is_time = figure.key.ends_with("_us") || figure.key.ends_with("_ms");
            assert_eq!(figure.metric.ends_with("_seconds"), is_time, "{}", figure.key);
            assert!(figure.metric.starts_with("sureplug_") && figure.help.ends_with('.'), "{}", figure.key);
        }
    }
}
