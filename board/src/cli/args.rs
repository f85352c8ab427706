use std::ffi::{OsStr, OsString};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};
use sureplug_core::rcvbuf::{DEVPATH_MAX_BYTES, MAX_STALL_MS, PortDevice, SizingError, USB_PORTS, parse_u32};
use sureplug_core::selection::Selection;

use super::special;
use super::suggest::nearest;
use crate::hooks::DEFAULT_TIMEOUT_MS;
use crate::profile::{Profile, SUBSYSTEMS};
use crate::sinks::LogKind;
use crate::standing::Standing;

/// What the arguments ask for.
#[derive(Debug)]
pub(super) enum Command {
    Run(RunOptions),
    Size(SizeOptions),
    Monitor(RunOptions),
    List(RunOptions),
    Status(RunOptions),
    Audit(RunOptions),
    Measure(RunOptions),
    Record(RunOptions),
    Decode(RunOptions),
    Help(Topic),
    Version,
}

/// What help is wanted about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Sureplug,
    Run,
    Size,
    Monitor,
    List,
    Status,
    Audit,
    Measure,
    Record,
    Decode,
}

impl Topic {
    /// Whether it is about a capture.
    fn has_file(self) -> bool {
        matches!(self, Self::Record | Self::Decode)
    }

    /// That of a command's name.
    fn of(command: &OsStr) -> Option<Self> {
        Some(match command.to_str()? {
            "run" => Self::Run,
            "size" => Self::Size,
            "monitor" => Self::Monitor,
            "list" => Self::List,
            "status" => Self::Status,
            "audit" => Self::Audit,
            "measure" => Self::Measure,
            "record" => Self::Record,
            "decode" => Self::Decode,
            _ => return None,
        })
    }
}

/// What both commands take.
#[derive(Debug)]
pub(super) struct BoardOptions {
    /// What the image was built with, overridden by flags.
    pub(super) profile: Profile,
    /// The subsystems that are wanted.
    pub(super) selection: Selection,
    pub(super) sysfs: PathBuf,
    pub(super) json: bool,
}

/// What `run`, `monitor` and `list` take.
#[derive(Debug)]
// Each is a flag that a person gives.
#[expect(clippy::struct_excessive_bools)]
pub(super) struct RunOptions {
    pub(super) board: BoardOptions,
    /// The subsystems that were named, for who asks a daemon; all if none was.
    pub(super) named: Selection,
    /// Opens a socket of its own although a daemon may be running.
    pub(super) direct: bool,
    pub(super) verbose: bool,
    pub(super) allow_undersized: bool,
    /// Where applications are served; the usual place if nobody says.
    pub(super) socket: Option<PathBuf>,
    /// By number: the group that may connect beside the owner.
    pub(super) socket_group: Option<u32>,
    /// The program that is run for each event.
    pub(super) hook: Option<PathBuf>,
    pub(super) hook_timeout_ms: u32,
    /// The name of an LED in sysfs.
    pub(super) led: Option<String>,
    /// A chip and the number of its line.
    #[cfg(feature = "gpio")]
    pub(super) led_gpio: Option<(PathBuf, u32)>,
    /// A descriptor on which readiness is said.
    pub(super) ready_fd: Option<i32>,
    /// Where what matters is said as well.
    pub(super) system_log: Option<LogKind>,
    /// Where figures are written.
    pub(super) metrics: Option<PathBuf>,
    pub(super) metrics_interval: Duration,
    /// Looks again and again.
    pub(super) watch: bool,
    /// The capture that a command is about.
    pub(super) file: PathBuf,
    /// How large it may become.
    pub(super) max_bytes: u32,
    /// One that is measured, instead of what happens.
    pub(super) pcap: Option<PathBuf>,
    /// Where the lines go instead of to standard output.
    pub(super) log: Option<PathBuf>,
    pub(super) standing: Standing,
}

/// What `size` takes.
#[derive(Debug)]
pub(super) struct SizeOptions {
    pub(super) board: BoardOptions,
}

/// How often figures are written where nothing else is said: as often as they are usually collected.
const DEFAULT_METRICS_INTERVAL: Duration = Duration::from_secs(15);

/// How large a recording becomes where nothing else is said, in bytes.
const DEFAULT_MAX_BYTES: u32 = 16 * 1024 * 1024;

const COMMANDS: &[&str] =
    &["run", "size", "monitor", "list", "status", "audit", "measure", "record", "decode", "help"];
const OPTIONS: &[&str] = &[
    "--ports",
    "--port-device",
    "--max-stall-ms",
    "--devpath-max",
    "--subsystem",
    "--sysfs",
    "--json",
    "--help",
    "--version",
    "--verbose",
    "--allow-undersized",
    "--direct",
    "--socket",
    "--socket-group",
    "--hook",
    "--hook-timeout-ms",
    "--led",
    #[cfg(feature = "gpio")]
    "--led-gpio",
    "--ready-fd",
    "--log",
    "--metrics",
    "--metrics-interval-s",
    "--watch",
    "--max-bytes",
    "--pcap",
    "--lock-memory",
    "--intake-priority",
    "--oom-score-adj",
];

/// The command line is wrong: what is, and what it should be.
#[derive(Debug)]
pub(super) struct UsageError(pub(super) String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; see sureplug --help", self.0)
    }
}

impl From<lexopt::Error> for UsageError {
    fn from(error: lexopt::Error) -> Self {
        Self(match error {
            lexopt::Error::MissingValue { option: Some(option) } => format!("`{option}` needs a value"),
            lexopt::Error::UnexpectedValue { option, .. } => format!("`{option}` takes no value"),
            lexopt::Error::NonUnicodeValue(value) => {
                format!("the value `{}` is not UTF-8", value.to_string_lossy())
            }
            _ => String::from("the arguments cannot be understood"),
        })
    }
}

pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut parser = Parser::from_args(arguments);
    let mut topic = Topic::Sureplug;
    let mut options = RunOptions {
        board: BoardOptions {
            profile: Profile::BUILD,
            selection: SUBSYSTEMS,
            sysfs: PathBuf::from("/sys"),
            json: false,
        },
        named: Selection::ALL,
        direct: false,
        verbose: false,
        allow_undersized: false,
        socket: None,
        socket_group: None,
        hook: None,
        hook_timeout_ms: DEFAULT_TIMEOUT_MS,
        led: None,
        #[cfg(feature = "gpio")]
        led_gpio: None,
        ready_fd: None,
        system_log: None,
        metrics: None,
        metrics_interval: DEFAULT_METRICS_INTERVAL,
        watch: false,
        file: PathBuf::new(),
        max_bytes: DEFAULT_MAX_BYTES,
        pcap: None,
        log: None,
        standing: Standing::default(),
    };
    let mut subsystems = String::new();
    let mut used = Vec::new();
    while let Some(argument) = parser.next()? {
        let board = &mut options.board;
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help(topic)),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::Version),
            Arg::Long("json") => board.json = true,
            Arg::Long("sysfs") => board.sysfs = directory(parser.value()?)?,
            Arg::Long("ports") => {
                board.profile.ports = Some(number(&mut parser, "--ports", &USB_PORTS)?);
            }
            Arg::Long("port-device") => {
                board.profile.port_device = value(&mut parser, "--port-device", PortDevice::parse)?;
            }
            Arg::Long("max-stall-ms") => {
                board.profile.max_stall_ms = number(&mut parser, "--max-stall-ms", &MAX_STALL_MS)?;
            }
            Arg::Long("devpath-max") => {
                board.profile.devpath_max = Some(number(&mut parser, "--devpath-max", &DEVPATH_MAX_BYTES)?);
            }
            Arg::Long("subsystem") => {
                board.selection = one_more_subsystem(&mut subsystems, &parser.value()?.string()?)?;
                options.named = board.selection.clone();
            }
            Arg::Short('v') => options.verbose = special::note(&special::VERBOSE, &mut used),
            Arg::Value(word) if topic == Topic::Sureplug => match Topic::of(&word) {
                Some(command) => topic = command,
                None if word == "help" => return help(&mut parser),
                None => return Err(unknown("command", &word.to_string_lossy(), COMMANDS)),
            },
            Arg::Value(word) if topic.has_file() && options.file.as_os_str().is_empty() => {
                options.file = PathBuf::from(word);
            }
            Arg::Value(word) => {
                return Err(UsageError(format!("unexpected argument `{}`", word.to_string_lossy())));
            }
            Arg::Short(letter) => return Err(UsageError(format!("unknown option `-{letter}`"))),
            Arg::Long(name) => match special::find(name) {
                Some(option) => {
                    special::note(option, &mut used);
                    option.take(&mut parser, &mut options)?;
                }
                None => return Err(unknown("option", &format!("--{name}"), OPTIONS)),
            },
        }
    }
    special::check(&used, topic)?;
    if topic.has_file() && options.file.as_os_str().is_empty() {
        return Err(UsageError(String::from("no file: name the capture, such as plug.pcap")));
    }
    Ok(match topic {
        Topic::Size => Command::Size(SizeOptions { board: options.board }),
        Topic::Monitor => Command::Monitor(options),
        Topic::List => Command::List(options),
        Topic::Status => Command::Status(options),
        Topic::Audit => Command::Audit(options),
        Topic::Measure => Command::Measure(options),
        Topic::Record => {
            options.board.selection = options.named.clone();
            Command::Record(options)
        }
        Topic::Decode => Command::Decode(options),
        Topic::Sureplug | Topic::Run => Command::Run(options),
    })
}

/// The selection of all names up to this one.
fn one_more_subsystem(names: &mut String, name: &str) -> Result<Selection, UsageError> {
    names.push(' ');
    names.push_str(name);
    // One alone first, so that the fault is found where it is.
    Selection::parse(name)
        .and_then(|_| Selection::parse(names))
        .map_err(|error| UsageError(format!("--subsystem {name}: {error}")))
}

fn help(parser: &mut Parser) -> Result<Command, UsageError> {
    let topic = match parser.next()? {
        None => Topic::Sureplug,
        Some(Arg::Value(word)) => match Topic::of(&word) {
            Some(topic) => topic,
            None => return Err(unknown("command", &word.to_string_lossy(), COMMANDS)),
        },
        Some(other) => return Err(other.unexpected().into()),
    };
    match parser.next()? {
        None => Ok(Command::Help(topic)),
        Some(other) => Err(other.unexpected().into()),
    }
}

fn unknown(what: &str, found: &str, candidates: &[&str]) -> UsageError {
    UsageError(match nearest(found, candidates) {
        Some(meant) => format!("unknown {what} `{found}`; did you mean `{meant}`?"),
        None => format!("unknown {what} `{found}`"),
    })
}

pub(super) fn number(
    parser: &mut Parser,
    option: &str,
    range: &RangeInclusive<u32>,
) -> Result<u32, UsageError> {
    value(parser, option, |text| parse_u32(text, range))
}

/// A mistyped directory would look like a board without ports.
fn directory(path: OsString) -> Result<PathBuf, UsageError> {
    let path = PathBuf::from(path);
    if path.is_dir() {
        Ok(path)
    } else {
        Err(UsageError(format!("--sysfs {}: not a directory", path.to_string_lossy())))
    }
}

/// An option's value, and what is wrong with it together with the option's name.
fn value<T>(
    parser: &mut Parser,
    option: &str,
    parse: impl FnOnce(&str) -> Result<T, SizingError>,
) -> Result<T, UsageError> {
    let text = parser.value()?.string()?;
    parse(&text).map_err(|error| UsageError(format!("{option} {text}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::{Command, SUBSYSTEMS, Selection, Topic, parse};

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(Into::into)).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_runs() {
        let Ok(Command::Run(options)) = parsed("") else { panic!("no run") };
        assert!(!options.verbose && !options.allow_undersized && !options.board.json);
    }

    #[test]
    fn flags_override_the_build() {
        for line in ["--ports 7 --max-stall-ms 250", "run --ports=7 --max-stall-ms=250"] {
            let Ok(Command::Run(options)) = parsed(line) else { panic!("{line}") };
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
            let Ok(Command::Run(options)) = parsed(line) else { panic!("{line}") };
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
            assert!(matches!(parsed(line), Ok(Command::Help(topic)) if topic == wanted), "{line}");
        }
        assert!(matches!(parsed("size --version"), Ok(Command::Version)));
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
            ("--subsystem usb --subsystem a/b", "--subsystem a/b: name 0, byte 1: a subsystem has no"),
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
