//! From arguments to a command and its options.

use std::ffi::{OsStr, OsString};
use std::fmt::{self, Display};
use std::fs;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use lexopt::{Arg, Parser};
use sureplug_core::rcvbuf::{SizingError, parse_u32};

use super::options::{OPTIONS, Options, Row};
use super::{COMMANDS, Command};

/// What the arguments ask for.
#[derive(Debug)]
pub(super) enum Invocation {
    Command(&'static Command, Box<Options>),
    /// The help of a command, or of the program.
    Help(Option<&'static Command>),
    Version,
}

/// Parses the arguments behind the program's name.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, UsageError> {
    let mut parser = Parser::from_args(arguments);
    let mut named: Option<&'static Command> = None;
    let mut options = Box::new(Options::default());
    let mut given: Vec<&Row> = Vec::new();
    while let Some(argument) = parser.next()? {
        let option = match argument {
            Arg::Short(letter) => OPTIONS
                .iter()
                .find(|option| option.is_short(letter))
                .ok_or_else(|| UsageError(format!("unknown option `-{letter}`")))?,
            Arg::Long(name) => {
                OPTIONS.iter().find(|option| option.name() == name).ok_or_else(|| unknown_option(name))?
            }
            Arg::Value(word) => {
                match named {
                    None if word == "help" => return help(&mut parser),
                    None => named = Some(command(&word)?),
                    Some(command) if command.has_file && options.file.as_os_str().is_empty() => {
                        options.file = PathBuf::from(word);
                    }
                    Some(_) => {
                        return Err(UsageError(format!("unexpected argument `{}`", word.to_string_lossy())));
                    }
                }
                continue;
            }
        };
        let text = if option.value().is_empty() { OsString::new() } else { parser.value()? };
        option.store(&Value { name: option.name(), text }, &mut options)?;
        if options.help {
            return Ok(Invocation::Help(named));
        }
        if options.version {
            return Ok(Invocation::Version);
        }
        given.push(option);
    }
    let command = named.unwrap_or(&COMMANDS[0]);
    if let Some(option) = given.into_iter().find(|option| !option.is_of(command.name)) {
        return Err(UsageError(format!("`--{}` is an option of {}", option.name(), listed(option.commands))));
    }
    if command.has_file && options.file.as_os_str().is_empty() {
        return Err(UsageError(String::from("no file: name the capture, such as plug.pcap")));
    }
    Ok(Invocation::Command(command, options))
}

/// Parses what follows `help`.
fn help(parser: &mut Parser) -> Result<Invocation, UsageError> {
    let named = match parser.next()? {
        None => None,
        Some(Arg::Value(word)) if word == "help" => None,
        Some(Arg::Value(word)) => Some(command(&word)?),
        Some(other) => return Err(other.unexpected().into()),
    };
    match parser.next()? {
        None => Ok(Invocation::Help(named)),
        Some(other) => Err(other.unexpected().into()),
    }
}

fn command(word: &OsStr) -> Result<&'static Command, UsageError> {
    let word = word.to_string_lossy();
    let names = COMMANDS.iter().map(|command| command.name).chain(["help"]);
    let found = COMMANDS.iter().find(|command| command.name == word);
    found.ok_or_else(|| UsageError::unknown("command", "", &word, names))
}

fn unknown_option(name: &str) -> UsageError {
    UsageError::unknown("option", "--", name, OPTIONS.iter().map(Row::name))
}

/// Returns `run`, `monitor` and `decode` with these backquotes.
pub(super) fn listed(names: &[&str]) -> String {
    let mut list = String::new();
    for (index, name) in names.iter().enumerate() {
        list.push_str(match names.len() - index {
            _ if index == 0 => "`",
            1 => "` and `",
            _ => "`, `",
        });
        list.push_str(name);
    }
    list + "`"
}

/// An option's value.
pub(super) struct Value {
    /// The option's name, without the dashes.
    name: &'static str,
    pub(super) text: OsString,
}

impl Value {
    pub(super) fn text(&self) -> Result<&str, UsageError> {
        let not_utf8 = || UsageError(format!("the value `{}` is not UTF-8", self.text.to_string_lossy()));
        self.text.to_str().ok_or_else(not_utf8)
    }

    pub(super) fn path(&self) -> Result<PathBuf, UsageError> {
        if self.text.is_empty() {
            return Err(UsageError(format!("--{} '': a path is needed", self.name)));
        }
        Ok(PathBuf::from(&self.text))
    }

    /// A directory that exists: a mistyped one would look like a board without ports.
    pub(super) fn directory(&self) -> Result<PathBuf, UsageError> {
        let path = self.path()?;
        if path.is_dir() { Ok(path) } else { Err(self.wrong("not a directory")) }
    }

    pub(super) fn number(&self, range: &RangeInclusive<u32>) -> Result<u32, UsageError> {
        self.sizing(|text| parse_u32(text, range))
    }

    /// A figure that the buffer's size depends on.
    pub(super) fn sizing<T>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, SizingError>,
    ) -> Result<T, UsageError> {
        parse(self.text()?).map_err(|error| self.wrong(error))
    }

    /// A number that may be negative.
    pub(super) fn integer(&self, range: &RangeInclusive<i32>) -> Result<i32, UsageError> {
        let number = self.text()?.parse().ok().filter(|number| range.contains(number));
        let (start, end) = (range.start(), range.end());
        number.ok_or_else(|| self.wrong(format_args!("write a whole number from {start} to {end}")))
    }

    /// The key of a property.
    pub(super) fn key(&self) -> Result<String, UsageError> {
        let key = self.text()?;
        if !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'=') {
            return Ok(key.to_owned());
        }
        Err(self.wrong("write a key without `=`, such as MODALIAS"))
    }

    /// A GPIO chip and the number of its line.
    pub(super) fn gpio_line(&self) -> Result<(PathBuf, u32), UsageError> {
        let parts = self.text()?.rsplit_once(':');
        let line = parts.and_then(|(chip, line)| Some((PathBuf::from(chip), line.parse().ok()?)));
        line.ok_or_else(|| self.wrong("write CHIP:LINE, as /dev/gpiochip0:17"))
    }

    /// The number of a group, by its name in `/etc/group` (group(5)) or its number. Other databases are not asked: a
    /// board has none, and the C library would load code for them.
    pub(super) fn group(&self) -> Result<u32, UsageError> {
        let name = self.text()?;
        let in_file = || {
            fs::read_to_string("/etc/group").ok()?.lines().find_map(|line| {
                let mut fields = line.split(':');
                let is_it = fields.next() == Some(name);
                fields.nth(1)?.parse().ok().filter(|_| is_it)
            })
        };
        let number = name.parse().ok().or_else(in_file);
        number.ok_or_else(|| self.wrong("no group of /etc/group, and no number"))
    }

    /// Returns the error of a value together with the option's name.
    pub(super) fn wrong(&self, reason: impl Display) -> UsageError {
        UsageError(format!("--{} {}: {reason}", self.name, self.text.to_string_lossy()))
    }

    /// Returns the error of an option that this build does not have.
    pub(super) fn unknown(&self) -> UsageError {
        UsageError(format!("unknown option `--{}`", self.name))
    }
}

/// The command line is wrong: what is, and what it should be.
#[derive(Debug)]
pub(super) struct UsageError(String);

impl UsageError {
    /// Makes the error of an unknown word behind these dashes, with the known one that was probably meant.
    fn unknown<'k>(what: &str, dashes: &str, found: &str, known: impl Iterator<Item = &'k str>) -> Self {
        Self(match nearest(found, known) {
            Some(meant) => format!("unknown {what} `{dashes}{found}`; did you mean `{dashes}{meant}`?"),
            None => format!("unknown {what} `{dashes}{found}`"),
        })
    }
}

impl Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; see sureplug --help", self.0)
    }
}

impl From<lexopt::Error> for UsageError {
    fn from(error: lexopt::Error) -> Self {
        Self(match error {
            lexopt::Error::MissingValue { option: Some(option) } => format!("`{option}` needs a value"),
            lexopt::Error::UnexpectedValue { option, .. } => format!("`{option}` takes no value"),
            _ => String::from("the arguments cannot be understood"),
        })
    }
}

/// Returns the nearest candidate, if it is near enough for `found` to be a typing error.
fn nearest<'c>(found: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let word = found.as_bytes();
    let holds_word = |candidate: &str| {
        word.len() > 2 && candidate.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
    };
    let mut nearest = None;
    let mut too_far = word.len() / 3 + 2;
    for candidate in candidates {
        if holds_word(candidate) {
            return Some(candidate);
        }
        let distance = distance(found, candidate);
        if distance < too_far {
            (nearest, too_far) = (Some(candidate), distance);
        }
    }
    nearest
}

/// Returns how many bytes must be inserted, removed or replaced to get from `a` to `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        row[0] = left;
        for (above, to) in row[1..].iter_mut().zip(b.bytes()) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *above;
            left = replaced.min(left + 1).min(diagonal + 1);
            *above = left;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use sureplug_core::selection::Selection;

    use super::{Invocation, Options, Value, distance, nearest, parse};
    use crate::profile::SUBSYSTEMS;

    fn parsed(line: &str) -> Result<Invocation, String> {
        parse(line.split_whitespace().map(Into::into)).map_err(|error| error.to_string())
    }

    fn run(line: &str) -> Box<Options> {
        match parsed(line) {
            Ok(Invocation::Command(command, options)) if command.name == "run" => options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn empty_line_runs() {
        let options = run("");
        assert!(!options.verbose && !options.allow_undersized && !options.json);
    }

    #[test]
    fn options_override_the_build() {
        for line in ["--ports 7 --max-stall-ms 250", "run --ports=7 --max-stall-ms=250"] {
            let profile = run(line).profile();
            assert_eq!((profile.ports, profile.max_stall_ms), (Some(7), 250));
            assert!(profile.is_fixed());
        }
    }

    #[test]
    fn subsystems_replace_those_of_the_build() {
        for (line, wanted) in [
            ("", SUBSYSTEMS),
            ("--subsystem net", Selection::of(&[b"net"]).unwrap()),
            (
                "--subsystem=net run --subsystem mem --subsystem net",
                Selection::of(&[b"net", b"mem"]).unwrap(),
            ),
            ("--subsystem all", Selection::ALL),
        ] {
            assert_eq!(*run(line).selection(), wanted, "{line}");
        }
        assert_eq!(*run("").named(), Selection::ALL);
    }

    #[test]
    fn help_is_about_the_command() {
        for (line, wanted) in [
            ("--help", None),
            ("run --help", Some("run")),
            ("size --json -h", Some("size")),
            ("help size", Some("size")),
            ("help", None),
            ("help help", None),
        ] {
            let found = parsed(line);
            let is_it = matches!(&found, Ok(Invocation::Help(of)) if of.map(|of| of.name) == wanted);
            assert!(is_it, "{line}: {found:?}");
        }
        assert!(matches!(parsed("size --version"), Ok(Invocation::Version)));
    }

    #[test]
    fn group_has_a_name_and_a_number() {
        let number = |text: &str| Value { name: "socket-group", text: text.into() }.group().ok();
        assert_eq!((number("root"), number("17")), (Some(0), Some(17)));
        assert_eq!((number("no such group"), number("-1"), number("")), (None, None, None));
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn typing_error_is_recognised_and_another_word_is_not() {
        for (found, meant) in [
            ("jsno", Some("json")),
            ("port", Some("ports")),
            ("JSON", Some("json")),
            ("device", Some("port-device")),
            ("colour", None),
        ] {
            assert_eq!(nearest(found, ["ports", "port-device", "json"].into_iter()), meant);
        }
    }

    #[test]
    fn mistake_is_named_and_the_right_word_suggested() {
        for (line, wanted) in [
            ("--jsno", "unknown option `--jsno`; did you mean `--json`?"),
            ("--allow-undersize", "did you mean `--allow-undersized`?"),
            ("size --verbos", "unknown option `--verbos`; did you mean `--verbose`?"),
            ("siz", "unknown command `siz`; did you mean `size`?"),
            ("run size", "unexpected argument `size`"),
            ("-x", "unknown option `-x`"),
            ("--ports 0", "--ports 0: 0 is out of range: write a number from 1 to 127"),
            ("--ports 128", "--ports 128: 128 is out of range"),
            ("--ports four", "--ports four: byte 0: not a decimal number"),
            ("--port-device toaster", "--port-device toaster: unknown device class"),
            ("--max-stall-ms 600001", "out of range: write a number from 1 to 600000"),
            ("--devpath-max 15", "out of range: write a number from 16 to 1000"),
            ("--ports", "`--ports` needs a value"),
            ("--sysfs /no/such/directory", "--sysfs /no/such/directory: not a directory"),
            ("--json=yes", "`--json` takes no value"),
            ("help run junk", "the arguments cannot be understood"),
            ("help --json", "the arguments cannot be understood"),
            ("--subsystem usb --subsystem a/b", "--subsystem a/b: name 1, byte 2: a subsystem has no"),
            ("--subsystem usb --subsystem all", "--subsystem all: `all` stands alone"),
            ("size --subsystem=", "--subsystem : no subsystem is named"),
            ("size --allow-undersized", "`--allow-undersized` is an option of `run`"),
            ("-v size", "`--verbose` is an option of `run`, `monitor` and `decode`"),
            ("monitor --hook /bin/true", "`--hook` is an option of `run`"),
            ("audit -v", "`--verbose` is an option of `run`"),
            ("--watch", "`--watch` is an option of `audit`"),
            ("size --metrics x", "`--metrics` is an option of `run`"),
            ("--metrics x --metrics-interval-s 0", "out of range: write a number from 1 to 86400"),
            ("record", "no file: name the capture"),
            ("record a.pcap b.pcap", "unexpected argument `b.pcap`"),
            ("record a.pcap --max-bytes 4095", "out of range: write a number from 4096"),
            ("decode a.pcap --max-bytes 4096", "`--max-bytes` is an option of `record`"),
            ("list --direct", "`--direct` is an option of `monitor`"),
            (
                "--subsystem usb,block",
                "--subsystem usb,block: name 1, byte 4: a subsystem has no blank, comma",
            ),
            ("--socket=", "--socket '': a path is needed"),
            ("--intake-priority 0", "--intake-priority 0: 0 is out of range: write a number from 1 to 99"),
            ("--oom-score-adj low", "--oom-score-adj low: write a whole number from -1000 to 1000"),
            ("--oom-score-adj -1001", "--oom-score-adj -1001: write a whole number"),
            ("size --log /dev/ttyS1", "`--log` is an option of `run`"),
            ("--lock-memory size", "`--lock-memory` is an option of `run`"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(wanted), "{line}: {error}");
            assert!(error.ends_with("see sureplug --help"), "{line}: {error}");
        }
    }
}
