//! Decides which lines of a `uevent` file are properties: a pure function of the file and of other
//! facts in sysfs.
//!
//! The file has one line per property (`uevent_show` in `drivers/base/core.c`), and nothing in it
//! is escaped. Some values are text from the device, such as the serial number in `HID_UNIQ`, and
//! may contain line feeds. A line alone therefore proves nothing. A property is accepted because of
//! facts that the device does not control:
//!
//! - **The leading block.** `dev_uevent` in `drivers/base/core.c` writes `MAJOR`, `MINOR`,
//!   `DEVNAME`, `DEVMODE`, `DEVUID`, `DEVGID`, `DEVTYPE` and `DRIVER` before any property of a bus,
//!   class or type. These keys are valid nowhere else. Those of the node are valid only if the file
//!   `dev` exists and agrees.
//! - **Links and files.** `SUBSYSTEM` and `DRIVER` come from the links of these names, `MODALIAS`
//!   from the file. A few buses have no such file: see `shape.rs`.
//! - **The order of keys.** Everything up to the first value that a device writes is the kernel's.
//!   After that, a line is the kernel's if it follows the last occurrence of a key that the kernel
//!   always writes after all such values, if an attribute file shows where the value ends, or if
//!   the kernel always writes the key there and it occurs once. The subsystems with such values,
//!   and their keys, are in `shape.rs`.
//!
//! All other lines are refused, as are repeated keys and lines that are not properties.

mod shape;

use std::ffi::CStr;

use heapless::Vec;
use sureplug_core::limits::MAX_PROPERTIES;
use sureplug_core::stream::OWN_PREFIX;

use shape::{MAX_TEXTS, Shape, Text};

/// The keys of the leading block, in the kernel's order.
const BLOCK: [&[u8]; 8] =
    [b"MAJOR", b"MINOR", b"DEVNAME", b"DEVMODE", b"DEVUID", b"DEVGID", b"DEVTYPE", DRIVER];

/// The number of those that describe the device node.
const NODE_KEYS: usize = 6;

const DRIVER: &[u8] = b"DRIVER";
const MODALIAS: &[u8] = b"MODALIAS";

/// Facts in sysfs about a device, other than its `uevent` file; `None` for a file or link that does
/// not exist.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'f> {
    /// The name at the end of the link `subsystem`.
    pub subsystem: &'f [u8],
    /// The last part of the devpath.
    pub name: &'f [u8],
    /// The name at the end of the link `driver`.
    pub driver: Option<&'f [u8]>,
    /// The file `dev`.
    pub dev: Option<&'f [u8]>,
    /// The file `modalias`.
    pub modalias: Option<&'f [u8]>,
    /// The files of [`text_files`], in that order.
    pub texts: [Option<&'f [u8]>; MAX_TEXTS],
}

/// The verdict on a part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilePart<'t> {
    /// A property.
    Property {
        /// Its key.
        key: &'t [u8],
        /// Its value. It may contain line feeds if an attribute file proves that they belong to it.
        value: &'t [u8],
    },
    /// A refused line.
    Refused(&'t [u8]),
}

/// Returns the files of a subsystem's devices that repeat values written by the device; `None` for
/// a value without a file.
pub fn text_files(subsystem: &[u8]) -> impl Iterator<Item = Option<&'static CStr>> {
    let texts = match Shape::of(subsystem, b"") {
        Shape::Texts { texts, .. } => texts,
        Shape::Plain | Shape::Until(_) | Shape::Named(_) => &[],
    };
    texts.iter().map(|text| text.file)
}

/// Returns `true` if a `uevent` file names something that sysfs does not show: a node without the
/// file `dev`, an alias without `modalias`, or texts without any of their files. This is so for a
/// moment while a device is added or removed: `uevent` is the first of these files to appear, and
/// not the first to vanish (`device_add` and `device_del` in `drivers/base/core.c`).
pub fn lacks_files(file: &[u8], facts: &Facts<'_>) -> bool {
    let lacks_dev = facts.dev.is_none() && file.starts_with(b"MAJOR=");
    let is_unproven = |line| {
        split(line).is_some_and(|(key, value)| {
            key == MODALIAS && !shape::has_modalias_without_file(facts.subsystem, value)
        })
    };
    let lacks_modalias = facts.modalias.is_none() && Lines(file).any(is_unproven);
    let has_text_files = text_files(facts.subsystem).any(|file| file.is_some());
    let lacks_texts = has_text_files && facts.texts.iter().all(Option::is_none);
    lacks_dev || lacks_modalias || lacks_texts
}

/// Reads a `uevent` file, and passes each property and each refused line to `out`.
pub fn read<'t>(file: &'t [u8], facts: &Facts<'t>, out: &mut dyn FnMut(FilePart<'t>)) {
    let mut reader = Reader { facts, keys: Vec::new(), out };
    let rest = reader.leading_block(file);
    match Shape::of(facts.subsystem, rest) {
        Shape::Plain => reader.plain_lines(rest),
        Shape::Until(key) => reader.until(rest, key),
        Shape::Named(key) => reader.named(rest, key),
        Shape::Texts { texts, anchor } => reader.with_texts(rest, texts, anchor),
    }
    if let Some(modalias) = facts.modalias.and_then(|file| Lines(file).next()).filter(|line| !line.is_empty())
    {
        reader.take(MODALIAS, modalias);
    }
}

struct Reader<'t, 'r> {
    facts: &'r Facts<'t>,
    /// The accepted keys.
    keys: Vec<&'t [u8], MAX_PROPERTIES>,
    out: &'r mut dyn FnMut(FilePart<'t>),
}

impl<'t> Reader<'t, '_> {
    fn take(&mut self, key: &'t [u8], value: &'t [u8]) {
        // An event has no room for more.
        let _ = self.keys.push(key);
        (self.out)(FilePart::Property { key, value });
    }

    fn refuse(&mut self, line: &'t [u8]) {
        (self.out)(FilePart::Refused(line));
    }

    /// Takes the leading block, and returns the rest.
    fn leading_block(&mut self, file: &'t [u8]) -> &'t [u8] {
        let mut block: [Option<(&[u8], &[u8])>; BLOCK.len()] = [None; BLOCK.len()];
        let mut lines = Lines(file);
        let mut rest = file;
        while let Some(line) = lines.next() {
            let Some((key, value)) = split(line) else { break };
            match BLOCK.iter().position(|wanted| *wanted == key) {
                Some(place) if block[place].is_none() => block[place] = Some((line, value)),
                _ => break,
            }
            rest = lines.0;
        }
        let has_node = match (block[0], block[1], self.facts.dev) {
            (Some((_, major)), Some((_, minor)), Some(dev)) => {
                let dev = dev.strip_suffix(b"\n").unwrap_or(dev);
                dev.strip_prefix(major).and_then(|rest| rest.strip_prefix(b":")) == Some(minor)
            }
            _ => false,
        };
        for (place, found) in block.into_iter().enumerate() {
            match found {
                Some((line, _)) if place < NODE_KEYS && !has_node => self.refuse(line),
                Some((_, value)) if BLOCK[place] != DRIVER => self.take(BLOCK[place], value),
                _ => {}
            }
        }
        // The line and the link differ while a driver is bound or unbound.
        if let Some(driver) = self.facts.driver {
            self.take(DRIVER, driver);
        }
        rest
    }

    /// Takes lines that the device cannot influence.
    fn plain_lines(&mut self, lines: &'t [u8]) {
        Lines(lines).for_each(|line| self.plain(line));
    }

    /// Takes lines up to the one with this key, and refuses those after it.
    fn until(&mut self, lines: &'t [u8], last: &[u8]) {
        let mut is_behind = false;
        for line in Lines(lines) {
            if is_behind {
                self.refuse_but_for_modalias(line);
            } else {
                self.plain(line);
            }
            is_behind |= key(line) == last;
        }
    }

    /// Refuses a line unless it repeats the file `modalias`, which is valid anywhere.
    fn refuse_but_for_modalias(&mut self, line: &'t [u8]) {
        match split(line) {
            Some((MODALIAS, value)) if self.is_of_modalias_file(value) => {}
            _ => self.refuse(line),
        }
    }

    fn plain(&mut self, line: &'t [u8]) {
        match split(line) {
            Some((MODALIAS, value)) if self.facts.modalias.is_some() => {
                if !self.is_of_modalias_file(value) {
                    self.refuse(line);
                }
            }
            Some((MODALIAS, value)) if !shape::has_modalias_without_file(self.facts.subsystem, value) => {
                self.refuse(line);
            }
            Some((key, value)) if !is_reserved(key) && !self.keys.contains(&key) => {
                self.take(key, value);
            }
            // A processor's `MODALIAS` ends with a line feed (`print_cpu_modalias` in `drivers/base/cpu.c`).
            None if line.is_empty() && self.facts.subsystem == b"cpu" => {}
            _ => self.refuse(line),
        }
    }

    /// Returns `true` if the file `modalias` agrees. ACPI writes a line for each of two kinds
    /// (`__acpi_device_uevent_modalias` in `drivers/acpi/device_sysfs.c`). An input device shortens
    /// the list of its keys, after the `-`, to the available room (`input_print_modalias` in
    /// `drivers/input/input.c`).
    fn is_of_modalias_file(&self, value: &'t [u8]) -> bool {
        let fixed = |value: &'t [u8]| value.split(|byte| *byte == b'-').next();
        Lines(self.facts.modalias.unwrap_or_default())
            .any(|line| line == value || value.starts_with(b"input:") && fixed(line) == fixed(value))
    }

    /// Takes lines of which the first with the `wanted` key repeats the name of the device's
    /// directory, which the device may influence. The others contain no line feeds.
    fn named(&mut self, lines: &'t [u8], wanted: &[u8]) {
        let mut rest = Lines(lines);
        loop {
            let before = rest.0;
            let Some(line) = rest.next() else { return };
            let Some((key, value)) = split(line).filter(|(key, _)| *key == wanted) else {
                self.plain(line);
                continue;
            };
            let name = self.facts.name;
            let value_and_rest = &before[key.len() + 1..];
            let is_name = |value: &[u8]| {
                // A name cannot contain a slash (`kobject_set_name_vargs` in `lib/kobject.c`).
                value.iter().map(|byte| if *byte == b'/' { b'!' } else { *byte }).eq(name.iter().copied())
            };
            if let Some((value, behind)) = value_and_rest.split_at_checked(name.len()) {
                if is_name(value) && matches!(behind.first(), None | Some(b'\n')) {
                    self.take(key, value);
                    return self.plain_lines(behind.get(1..).unwrap_or_default());
                }
            }
            self.take(key, value);
            if name.contains(&b'\n') {
                return rest.for_each(|line| self.refuse(line));
            }
        }
    }

    /// Takes the kernel's properties, the device's texts, and from their anchor on the kernel's
    /// again.
    fn with_texts(&mut self, lines: &'t [u8], texts: &'static [Text], anchor: &[u8]) {
        let start = offsets(lines, |line| shape::is_text(texts, line)).next().unwrap_or(lines.len());
        let (head, rest) = lines.split_at(start);
        let is_anchor = |line: &[u8]| !anchor.is_empty() && key(line) == anchor;
        let end = offsets(rest, is_anchor).last().unwrap_or(rest.len());
        self.plain_lines(head);
        self.texts(&rest[..end], texts);
        self.plain_lines(&rest[end..]);
    }

    fn texts(&mut self, zone: &'t [u8], texts: &'static [Text]) {
        let has_files = self.facts.texts.iter().any(Option::is_some);
        if let Some(proven) = proven(zone, texts, self.facts).filter(|_| has_files) {
            return proven.iter().for_each(|(key, value)| self.take(key, value));
        }
        let is_well_formed = !has_files && is_one_line_each(zone, texts);
        for (index, line) in Lines(zone).enumerate() {
            let text = texts.iter().find(|text| text.key == key(line));
            let is_alone = || Lines(zone).filter(|other| key(other) == key(line)).count() == 1;
            // The first line begins the first text.
            match (text, split(line)) {
                (Some(text), Some((key, value)))
                    if is_well_formed || index == 0 || text.is_always && is_alone() =>
                {
                    self.take(key, value);
                }
                _ => self.refuse(line),
            }
        }
    }
}

/// Returns the keys and values of the texts, if they equal their files and nothing stands between
/// them.
fn proven<'t>(
    zone: &'t [u8],
    texts: &'static [Text],
    facts: &Facts<'_>,
) -> Option<Vec<(&'t [u8], &'t [u8]), MAX_TEXTS>> {
    let mut proven = Vec::new();
    let mut rest = zone;
    for (text, file) in texts.iter().zip(facts.texts) {
        let Some(file) = file else { continue };
        let shown = file.strip_suffix(b"\n").unwrap_or(file);
        let quote: &[u8] = if text.is_quoted { b"\"" } else { b"" };
        let behind = [text.key, b"=", quote, shown, quote, b"\n"]
            .iter()
            .try_fold(rest, |rest, part| rest.strip_prefix(*part));
        match behind {
            Some(behind) => {
                let (key, value) = split(&rest[..rest.len() - behind.len() - 1])?;
                proven.push((key, value)).ok()?;
                rest = behind;
            }
            // For a device without the string, the file is empty.
            None if shown.is_empty() => {}
            None => return None,
        }
    }
    rest.is_empty().then_some(proven)
}

/// Returns `true` if there is exactly one complete line for each text, in order.
fn is_one_line_each(zone: &[u8], texts: &[Text]) -> bool {
    let mut left = texts.iter();
    Lines(zone).all(|line| {
        let Some((key, value)) = split(line) else { return false };
        left.by_ref().find(|text| text.key == key).is_some_and(|text| {
            let inner = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
            !text.is_quoted || inner.is_some()
        })
    })
}

/// Returns `true` for keys of an event or of its place, of the leading block, and of this daemon.
fn is_reserved(key: &[u8]) -> bool {
    const OF_EVENT: [&[u8]; 5] = [b"ACTION", b"DEVPATH", b"SUBSYSTEM", b"SEQNUM", b"DEVPATH_OLD"];
    BLOCK.contains(&key)
        || OF_EVENT.contains(&key)
        || key.starts_with(b"SYNTH_")
        || key.starts_with(OWN_PREFIX)
}

/// Returns the key and the value of a line; `None` if it is not a property.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = line.iter().position(|byte| *byte == b'=').filter(|end| *end > 0)?;
    Some((&line[..end], &line[end + 1..]))
}

fn key(line: &[u8]) -> &[u8] {
    split(line).map_or(b"", |(key, _)| key)
}

/// Returns the offsets of the wanted lines.
fn offsets(all: &[u8], is_wanted: impl Fn(&[u8]) -> bool) -> impl Iterator<Item = usize> {
    let mut end = 0;
    Lines(all).filter_map(move |line| {
        let start = end;
        end += line.len() + 1;
        is_wanted(line).then_some(start)
    })
}

/// Lines, each ended by a line feed, which the last one may lack.
struct Lines<'t>(&'t [u8]);

impl<'t> Iterator for Lines<'t> {
    type Item = &'t [u8];

    fn next(&mut self) -> Option<&'t [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.iter().position(|byte| *byte == b'\n').unwrap_or(self.0.len());
        let (line, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        Some(line)
    }
}
