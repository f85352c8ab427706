//! What the benches promise, in one table. A limit that can fail a run counts what is the same in every run: instructions,
//! system calls. Times depend on the machine; the benches print them as ratios, and no limit is about them.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use tempfile::NamedTempFile;

/// The most that something may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// What costs that, and what is counted.
    pub what: &'static str,
    /// The most of it.
    pub most: f64,
}

/// Instructions of the processor to parse one captured event, on `x86_64`. Here and below: about 1.3 times what Rust 1.87 and
/// 1.95 make of it, since compilers and C libraries differ by some percent.
pub const PARSE: Limit = Limit { what: "instructions to parse an event", most: 2_600.0 };

/// The same to apply one event of a hub with eight sticks to the table of devices and the journal, and to read it there.
pub const STREAM: Limit = Limit { what: "instructions to parse, apply and read an event", most: 13_500.0 };

/// Instructions of classic BPF that refuse one event of another subsystem; independent of machine and compiler.
pub const REFUSE: Limit = Limit { what: "instructions of BPF to refuse an event", most: 320.0 };

/// System calls per device of a scan, independent of machine and compiler. Most of them read the
/// files and links that confirm the contents of the `uevent` file.
pub const SCAN: Limit = Limit { what: "system calls to scan a device", most: 16.0 };

/// System calls of an audit, by those of `ss -f netlink` and one walk of `/proc/*/fd`. The C library's own are among them.
pub const AUDIT: Limit = Limit { what: "times the system calls of ss and a walk of /proc/*/fd", most: 1.2 };

impl Limit {
    /// Prints what was found beside the limit; `true` if it is kept.
    #[must_use]
    pub fn is_kept(self, found: f64) -> bool {
        let Self { what, most } = self;
        let is_kept = found <= most;
        println!("{}: {found:.2} {what} (at most {most})", if is_kept { "ok" } else { "EXCEEDED" });
        is_kept
    }
}

/// Runs a command to its end, and counts the system calls of it and of what it starts, by name.
///
/// # Panics
///
/// If there is no strace.
#[must_use]
pub fn system_calls(command: &Command) -> BTreeMap<String, u64> {
    let summary = NamedTempFile::new().expect("a file");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-o"]).arg(summary.path()).arg(command.get_program()).args(command.get_args());
    strace.stdout(Stdio::null()).status().expect("strace, of the package of that name");
    let text = std::fs::read_to_string(summary.path()).expect("what strace counted");
    let mut calls = BTreeMap::new();
    for line in text.lines() {
        // Time in percent and in seconds, microseconds a call, calls, errors if any, name.
        let fields: Vec<_> = line.split_whitespace().collect();
        let (Some(count), Some(name)) = (fields.get(3).and_then(|text| text.parse().ok()), fields.last())
        else {
            continue;
        };
        if *name != "total" {
            calls.insert((*name).to_owned(), count);
        }
    }
    assert!(!calls.is_empty(), "strace counted nothing: {text}");
    calls
}
