//! Parses arguments into a command and its options.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use super::options::{OPTIONS, Options, Row};
use super::value::{UsageError, Value};
use super::{COMMANDS, Command};

/// The parsed command line.
#[derive(Debug)]
pub(super) enum Invocation {
    Command(&'static Command, Box<Options>),
    /// The help of a command, or of the program.
    Help(Option<&'static Command>),
    Version,
}

/// Parses the arguments after the program's name.
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
            Arg::Long(name) => OPTIONS
                .iter()
                .find(|option| option.name() == name)
                .ok_or_else(|| UsageError::unknown("option", "--", name, OPTIONS.iter().map(Row::name)))?,
            Arg::Value(word) => {
                match named {
                    None if word == "help" => return help(&mut parser),
                    None => named = Some(command(&word)?),
                    Some(command) if command.has_file() && options.file.as_os_str().is_empty() => {
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
    if let Some(option) = given.into_iter().find(|option| !option.is_of(command.name())) {
        return Err(UsageError(format!("`--{}` is an option of {}", option.name(), listed(option.commands))));
    }
    if command.has_file() && options.file.as_os_str().is_empty() {
        return Err(UsageError(String::from("missing FILE: name the capture, such as plug.pcap")));
    }
    Ok(Invocation::Command(command, options))
}

/// Parses the arguments after `help`.
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
    let names = COMMANDS.iter().map(Command::name).chain(["help"]);
    let found = COMMANDS.iter().find(|command| command.name() == word);
    found.ok_or_else(|| UsageError::unknown("command", "", &word, names))
}

/// Returns a list in words, such as `run`, `monitor` and `decode`, with the backquotes.
pub(super) fn listed(names: &[&str]) -> String {
    match names {
        [others @ .., last] if !others.is_empty() => format!("`{}` and `{last}`", others.join("`, `")),
        names => format!("`{}`", names.concat()),
    }
}

#[cfg(test)]
mod tests {
    use sureplug_core::selection::Selection;

    use super::{Command, Invocation, Options, Value, parse};
    use crate::cli::value::{distance, nearest};
    use crate::profile::SUBSYSTEMS;

    fn parsed(line: &str) -> Result<Invocation, String> {
        parse(line.split_whitespace().map(Into::into)).map_err(|error| error.to_string())
    }

    fn run(line: &str) -> Box<Options> {
        match parsed(line) {
            Ok(Invocation::Command(command, options)) if command.name() == "run" => options,
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
            let is_it = matches!(&found, Ok(Invocation::Help(of)) if of.map(Command::name) == wanted);
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
    fn misspelling_is_recognised_and_another_word_is_not() {
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
            ("help run junk", "invalid arguments"),
            ("help --json", "invalid arguments"),
            ("--subsystem usb --subsystem a/b", "--subsystem a/b: name 1, byte 2: a subsystem has no"),
            ("--subsystem usb --subsystem all", "--subsystem all: `all` stands beside names"),
            ("size --subsystem=", "--subsystem : no subsystem is named"),
            ("size --allow-undersized", "`--allow-undersized` is an option of `run`"),
            ("-v size", "`--verbose` is an option of `run`, `monitor` and `decode`"),
            ("monitor --hook /bin/true", "`--hook` is an option of `run`"),
            ("audit -v", "`--verbose` is an option of `run`"),
            ("--watch", "`--watch` is an option of `audit`"),
            ("size --metrics x", "`--metrics` is an option of `run`"),
            ("--metrics x --metrics-interval-s 0", "out of range: write a number from 1 to 86400"),
            ("record", "missing FILE: name the capture"),
            ("record a.pcap b.pcap", "unexpected argument `b.pcap`"),
            ("record a.pcap --max-bytes 4095", "out of range: write a number from 4096"),
            ("decode a.pcap --max-bytes 4096", "`--max-bytes` is an option of `record`"),
            ("list --direct", "`--direct` is an option of `monitor`"),
            (
                "--subsystem usb,block",
                "--subsystem usb,block: name 1, byte 4: a subsystem has no blank, comma",
            ),
            ("--socket=", "--socket '': the path is empty"),
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
