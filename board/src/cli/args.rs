use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use super::flags::{self, Flag};
use super::options::Options;
use super::topic::Topic;
use super::usage::UsageError;

/// What the arguments ask for.
#[derive(Debug)]
pub(super) enum Request {
    /// A command, with what it is to do.
    Command(Topic, Box<Options>),
    Help(Topic),
    Version,
}

pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, UsageError> {
    let mut parser = Parser::from_args(arguments);
    let mut topic = Topic::Sureplug;
    let mut options = Box::new(Options::usual());
    let mut used: Vec<&Flag> = Vec::new();
    while let Some(argument) = parser.next()? {
        let flag = match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Request::Help(topic)),
            Arg::Short('V') | Arg::Long("version") => return Ok(Request::Version),
            Arg::Short('v') => flags::find("verbose")?,
            Arg::Short(letter) => return Err(UsageError(format!("unknown option `-{letter}`"))),
            Arg::Long(name) => flags::find(name)?,
            Arg::Value(word) => {
                if topic == Topic::Sureplug {
                    match command(&word)? {
                        Some(command) => topic = command,
                        None => return help(&mut parser),
                    }
                } else if topic.has_file() && options.file.as_os_str().is_empty() {
                    options.file = PathBuf::from(word);
                } else {
                    return Err(UsageError(format!("unexpected argument `{}`", word.to_string_lossy())));
                }
                continue;
            }
        };
        used.push(flag);
        flag.take(&mut parser, &mut options)?;
    }
    used.iter().try_for_each(|flag| flag.check(topic))?;
    if topic.has_file() && options.file.as_os_str().is_empty() {
        return Err(UsageError(String::from("no file: name the capture, such as plug.pcap")));
    }
    if topic == Topic::Record {
        // Whole, where nothing else is said.
        options.board.selection = options.named.clone();
    }
    Ok(Request::Command(topic, options))
}

/// What a command's name stands for; nothing for `help`.
fn command(word: &OsStr) -> Result<Option<Topic>, UsageError> {
    let word = word.to_string_lossy();
    let found = Topic::COMMANDS.into_iter().find(|command| command.name() == word);
    if found.is_some() || word == "help" {
        return Ok(found);
    }
    let names = Topic::COMMANDS.iter().map(|command| command.name()).chain(["help"]);
    Err(UsageError::unknown("command", "", &word, names))
}

fn help(parser: &mut Parser) -> Result<Request, UsageError> {
    let topic = match parser.next()? {
        None => Topic::Sureplug,
        Some(Arg::Value(word)) => command(&word)?.unwrap_or(Topic::Sureplug),
        Some(other) => return Err(other.unexpected().into()),
    };
    match parser.next()? {
        None => Ok(Request::Help(topic)),
        Some(other) => Err(other.unexpected().into()),
    }
}

#[cfg(test)]
mod tests {
    use sureplug_core::selection::Selection;

    use super::{Options, Request, Topic, parse};
    use crate::profile::SUBSYSTEMS;

    fn parsed(line: &str) -> Result<Request, String> {
        parse(line.split_whitespace().map(Into::into)).map_err(|error| error.to_string())
    }

    fn run(line: &str) -> Box<Options> {
        let Ok(Request::Command(Topic::Sureplug | Topic::Run, options)) = parsed(line) else {
            panic!("no run: {line}")
        };
        options
    }

    #[test]
    fn nothing_runs() {
        let options = run("");
        assert!(!options.verbose && !options.allow_undersized && !options.board.json);
    }

    #[test]
    fn options_override_the_build() {
        for line in ["--ports 7 --max-stall-ms 250", "run --ports=7 --max-stall-ms=250"] {
            let options = run(line);
            assert_eq!((options.board.profile.ports, options.board.profile.max_stall_ms), (Some(7), 250));
            assert!(options.board.profile.is_fixed());
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
            let options = run(line);
            assert_eq!(options.board.selection, wanted, "{line}");
        }
    }

    #[test]
    fn help_is_about_the_command() {
        for (line, wanted) in [
            ("--help", Topic::Sureplug),
            ("run --help", Topic::Run),
            ("size --json -h", Topic::Size),
            ("help size", Topic::Size),
            ("help", Topic::Sureplug),
        ] {
            assert!(matches!(parsed(line), Ok(Request::Help(topic)) if topic == wanted), "{line}");
        }
        assert!(matches!(parsed("size --version"), Ok(Request::Version)));
    }

    #[test]
    fn what_is_wrong_is_named_and_the_right_word_suggested() {
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
