//! Figures in the text format of Prometheus, version 0.0.4: what a node exporter's textfile collector reads.

use std::fmt;

/// What a figure does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, and its name ends with `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A figure in its base unit, which its name ends with: bytes, seconds, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A whole number.
    Whole(u64),
    /// Seconds, given in microseconds.
    Micros(u64),
}

/// A figure.
///
/// ```
/// use sureplug_board::service::metrics::text::{Kind, Metric, Value};
///
/// let stall = Metric {
///     name: "sureplug_longest_stall_seconds",
///     help: "Longest time for which the socket went unread.",
///     kind: Kind::Gauge,
///     labels: "",
///     value: Value::Micros(31_007),
/// };
/// let text = stall.to_string();
/// let lines: Vec<&str> = text.lines().collect();
/// assert_eq!(lines[0], "# HELP sureplug_longest_stall_seconds Longest time for which the socket went unread.");
/// assert_eq!(lines[1..], ["# TYPE sureplug_longest_stall_seconds gauge", "sureplug_longest_stall_seconds 0.031007"]);
/// # extern crate std;
/// # use std::{string::ToString, vec::Vec};
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is, on one line without backslashes.
    pub help: &'a str,
    /// What it does.
    pub kind: Kind,
    /// Labels with their braces, or nothing.
    pub labels: &'a str,
    /// How much.
    pub value: Value,
}

impl fmt::Display for Metric<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, help, kind, labels, value } = self;
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        write!(f, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{labels} ")?;
        match value {
            Value::Whole(number) => writeln!(f, "{number}"),
            Value::Micros(micros) => writeln!(f, "{}.{:06}", micros / 1_000_000, micros % 1_000_000),
        }
    }
}
