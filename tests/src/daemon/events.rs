use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use serde_json::Value;

use super::{Output, json, number};
use crate::fold::Fold;
use crate::kernel::raise;

/// The clock of the kernel's log, in microseconds since boot.
///
/// # Panics
///
/// On a kernel without that clock.
#[must_use]
pub fn now_us() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("a clock");
    u64::try_from(now.num_microseconds()).expect("a time after boot")
}

/// A stamp as it stands before an event in text, in microseconds since boot, and what follows it.
///
/// # Panics
///
/// If the line has no stamp as the kernel's log has it: `[%5u.%06u] `.
#[must_use]
pub fn stamp(line: &str) -> Option<(u64, &str)> {
    let (stamp, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let (seconds, micros) = stamp.split_once('.').expect("seconds and microseconds");
    assert!(seconds.len() >= 5 && micros.len() == 6, "{line}");
    let number = |text: &str| -> u64 { text.trim_start().parse().expect("a number") };
    Some((number(seconds) * 1_000_000 + number(micros), rest))
}

/// Raises an event that [`marked`] recognises.
pub fn raise_number(number: u64, mark: &str) {
    raise("change", mark, &format!("NUMBER={number}"));
}

/// The number of an event that a test raised with that mark.
#[must_use]
pub fn marked(event: &Value, mark: &str) -> Option<u64> {
    let properties = &event["properties"];
    let ours = event["kind"] == "event" && properties["SYNTH_UUID"] == mark;
    ours.then(|| properties["SYNTH_ARG_NUMBER"].as_str()?.parse().ok()).flatten()
}

impl Output {
    /// The last of its JSON objects.
    ///
    /// # Panics
    ///
    /// If that is no `totals`.
    #[must_use]
    pub fn totals(&self) -> Value {
        let last = json(self.stdout.last().expect("lines"));
        assert_eq!(last["kind"], "totals", "{last}");
        last
    }

    /// The numbers of the events that a test raised with that mark, in order.
    #[must_use]
    pub fn numbers(&self, mark: &str) -> Vec<u64> {
        self.stdout.iter().filter_map(|line| marked(&json(line), mark)).collect()
    }

    /// Checks that `add` and `remove` alternate on every line, and folds them.
    ///
    /// # Panics
    ///
    /// If they do not.
    #[must_use]
    pub fn fold(&self) -> Fold {
        Fold::of(&self.stdout).unwrap_or_else(|error| panic!("{error}"))
    }

    /// No event was lost, and each that was received was shown, or is counted as missed or dropped by the
    /// output. For events of devices that stay.
    ///
    /// # Panics
    ///
    /// If not.
    pub fn assert_accounts_for_all(&self) {
        let totals = self.totals();
        for key in ["lost", "malformed", "truncated", "foreign"] {
            assert_eq!(number(&totals, key), 0, "{key} of {totals}");
        }
        let sum = |kind: &str, key: &str| -> u64 { self.objects(kind).iter().map(|o| number(o, key)).sum() };
        let (missed, dropped) = (sum("missed", "events"), sum("output_dropped", "lines"));
        assert_eq!(missed, number(&totals, "output_missed_events"), "{totals}");
        assert_eq!(dropped, number(&totals, "output_dropped_lines"), "{totals}");
        let events = self.objects("event");
        let shown = events.iter().filter(|event| event["properties"]["SUREPLUG_ORIGIN"] == "kernel").count();
        assert!(shown as u64 + missed + dropped >= number(&totals, "received"), "{shown} shown: {totals}");
        let _ = self.fold();
    }
}
