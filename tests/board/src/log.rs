use serde_json::Value;
use sureplug_tests::fold::Fold;

use crate::lines::Lines;
use crate::truth::is_at_port;

/// The daemon's output on the console since its start, folded line by line.
#[derive(Default)]
pub struct Log {
    /// The next line of the console that was not looked at.
    pub(crate) next: usize,
    /// The first.
    start: usize,
    /// The present devices, as reported.
    pub fold: Fold,
    /// Its JSON objects.
    pub objects: Vec<Value>,
    /// Other lines, of the kernel and of others on the console.
    pub others: Vec<String>,
}

impl Log {
    /// Begins with a line of the console.
    #[must_use]
    pub fn starting_at(next: usize) -> Self {
        Self { next, start: next, ..Self::default() }
    }

    /// The first line of the console that is the daemon's.
    pub(crate) fn started_at(&self) -> usize {
        self.start
    }

    /// Takes what has come, and returns how many lines that were.
    ///
    /// # Panics
    ///
    /// If a line breaks the rule of the stream.
    pub(crate) fn absorb(&mut self, lines: &Lines) -> usize {
        let new = lines.since(self.next);
        for line in &new {
            if line.starts_with('{') {
                let object = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                self.fold.take(&object).unwrap_or_else(|error| panic!("{error}"));
                self.objects.push(object);
            } else if !line.is_empty() {
                self.others.push(line.clone());
            }
        }
        self.next += new.len();
        new.len()
    }

    /// Returns `true` if the daemon selects a subsystem, according to its first line.
    #[must_use]
    pub fn selects(&self, subsystem: &str) -> bool {
        let start = self.of_kind(0, "start").next().and_then(|start| start["subsystems"].as_str());
        start.is_some_and(|names| names == "all" || names.split(' ').any(|name| name == subsystem))
    }

    /// The objects of a kind, from object number `start` on.
    pub fn of_kind<'l>(&'l self, start: usize, kind: &'l str) -> impl Iterator<Item = &'l Value> {
        self.objects[start..].iter().filter(move |object| object["kind"] == kind)
    }

    /// The events about tracked devices in a port, from object number `start` on.
    pub fn at_port<'l>(&'l self, start: usize, port: &'l str) -> impl Iterator<Item = &'l Value> {
        self.of_kind(start, "event").filter(move |event| {
            let devpath = event["devpath"].as_str().unwrap_or_default();
            event["properties"]["SUREPLUG_TRACKED"] != "no" && is_at_port(devpath, port)
        })
    }

    /// Events that the console missed, from object number `start` on. An emulated board may be too slow for its own console:
    /// whether any are missed depends on the machine that emulates it. The devices in the stream do not.
    ///
    /// # Panics
    ///
    /// If a line about it has no number.
    #[must_use]
    pub fn missed(&self, start: usize) -> u64 {
        self.of_kind(start, "missed").map(|missed| missed["events"].as_u64().expect("a number")).sum()
    }

    /// Checks that since object number `start` the kernel lost nothing, nothing was damaged, and
    /// every event is the kernel's, except for the delta after events that the console missed,
    /// which are counted.
    ///
    /// # Panics
    ///
    /// Panics otherwise.
    pub fn assert_lost_nothing(&self, start: usize) {
        let mut has_missed = false;
        for object in &self.objects[start..] {
            match object["kind"].as_str() {
                Some("missed") => has_missed = true,
                Some("event") => {
                    let origin = &object["properties"]["SUREPLUG_ORIGIN"];
                    assert!(*origin == "kernel" || has_missed && *origin == "repair", "{object}");
                }
                Some("totals") => {
                    for key in ["lost", "malformed", "truncated", "foreign", "repairs"] {
                        assert_eq!(object[key], 0, "{key} of {object}");
                    }
                    assert_eq!(object["output_missed_events"], self.missed(0), "{object}");
                }
                _ => panic!("{object}"),
            }
        }
    }
}
