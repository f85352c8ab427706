//! The options, one row each. The parser, the help, the manual's table and the options that an
//! image may set (`board/dist/run-options`) come from these rows.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sureplug_core::rcvbuf::{DEVICES_PER_PORT, DEVPATH_MAX_BYTES, MAX_STALL_MS, PortDevice, USB_PORTS};
use sureplug_core::selection::Selection;

use super::value::{UsageError, Value};
use crate::client::DEFAULT_PATH;
use crate::process_policy::ProcessPolicy;
use crate::profile::{Profile, SUBSYSTEMS};
use crate::report::Style;
use crate::service::hook::{DEFAULT_TIMEOUT_MS, Wants};
use crate::service::log::LogKind;

/// The timeout of a hook's run in milliseconds.
const HOOK_TIMEOUT_MS: RangeInclusive<u32> = 1..=600_000;

/// Descriptors for a supervisor, without the standard ones.
const READY_FDS: RangeInclusive<u32> = 3..=65_535;

/// Seconds between two metrics files, up to a day.
const METRICS_INTERVAL_S: RangeInclusive<u32> = 1..=86_400;

/// The interval at which metrics are usually collected.
const DEFAULT_METRICS_INTERVAL: Duration = Duration::from_secs(15);

/// The size of a recording in bytes: at least a few events.
const MAX_BYTES: RangeInclusive<u32> = 4_096..=u32::MAX;

const DEFAULT_MAX_BYTES: u32 = 16 * 1024 * 1024;

/// Real-time priorities (`sched(7)`).
const INTAKE_PRIORITY: RangeInclusive<u32> = 1..=99;

/// The kernel's range of scores (`OOM_SCORE_ADJ_MIN` and `_MAX` in `include/uapi/linux/oom.h`).
const OOM_SCORE_ADJ: RangeInclusive<i32> = -1_000..=1_000;

/// Stands for all commands.
const ALL: &[&str] = &[];

/// An option.
pub(super) struct Row {
    /// The spelling in the help: `-v, --verbose`, `--ports N`.
    pub(super) spelling: &'static str,
    /// The commands that have the option; empty for all.
    pub(super) commands: &'static [&'static str],
    /// The description, with the range and, in parentheses, the default.
    pub(super) help: &'static str,
    field: OptionField,
}

impl Row {
    /// Returns the name without the dashes.
    pub(super) fn name(&self) -> &'static str {
        self.long().0
    }

    /// Returns the name of the value, which is empty for an option without one.
    pub(super) fn value(&self) -> &'static str {
        self.long().1
    }

    fn long(&self) -> (&'static str, &'static str) {
        let start = if self.spelling.starts_with("--") { 2 } else { "-x, --".len() };
        let long = self.spelling.get(start..).unwrap_or_default();
        long.split_once(' ').unwrap_or((long, ""))
    }

    /// Returns `true` if `letter` is the option's short name.
    pub(super) fn is_short(&self, letter: char) -> bool {
        let mut spelled = self.spelling.chars();
        spelled.next() == Some('-') && spelled.next() == Some(letter)
    }

    /// Returns `true` if the command has the option.
    pub(super) fn is_of(&self, command: &str) -> bool {
        self.commands.is_empty() || self.commands.contains(&command)
    }
}

/// Generates the options' values and their table from rows. A row has the field with its type and default; the
/// spelling, commands and help; and a function that makes the field from the value and the preceding options.
macro_rules! options {
    ($($field:ident: $type:ty = $default:expr,
       $spelling:literal, $commands:expr, $help:literal, $make:expr;)*) => {
        /// The values of all options.
        #[derive(Debug)]
        pub(super) struct Options {
            /// The capture of `record` and `decode`.
            pub(super) file: PathBuf,
            $(pub(super) $field: $type,)*
        }

        impl Default for Options {
            fn default() -> Self {
                Self { file: PathBuf::new(), $($field: $default,)* }
            }
        }

        /// Selects the field that an option sets. One function for all rows: a function per row
        /// would cost flash.
        #[allow(non_camel_case_types, reason = "the names of the fields")]
        #[derive(Clone, Copy)]
        enum OptionField {
            $($field,)*
        }

        pub(super) static OPTIONS: &[Row] = &[
            $(Row { spelling: $spelling, commands: $commands, help: $help, field: OptionField::$field },)*
        ];

        impl Row {
            /// Stores the option's value.
            pub(super) fn store(&self, value: &Value, options: &mut Options) -> Result<(), UsageError> {
                match self.field {
                    $(OptionField::$field => {
                        let make: fn(&Value, &Options) -> Result<$type, UsageError> = $make;
                        options.$field = make(value, options)?;
                    })*
                }
                Ok(())
            }
        }
    };
}

options! {
    ports: Option<u32> = Profile::BUILD.ports, "--ports N", ALL,
        "USB ports of the board itself, 1 to 127 (the image's, else counted in sysfs, at least 4)",
        |value, _| value.number(&USB_PORTS).map(Some);
    port_device: PortDevice = Profile::BUILD.port_device, "--port-device CLASS", ALL,
        "the worst device in each port: hub, mouse, keyboard, storage, card-reader, serial, audio, ethernet, uas, \
         phone, smart-card, hub8 (a hub with 8 sticks), or custom:EVENTSxBYTES[+EVENTSxBYTES...]@CYCLE_MS (the image's, else storage)",
        |value, _| value.sizing(PortDevice::parse);
    devices_per_port: u32 = Profile::BUILD.devices_per_port, "--devices-per-port N", ALL,
        "how many such devices each port has at once, hubs included, 1 to 127 (the image's, else 1)",
        |value, _| value.number(&DEVICES_PER_PORT);
    max_stall_ms: u32 = Profile::BUILD.max_stall_ms, "--max-stall-ms MS", ALL,
        "the longest time that the socket may go unread, 1 to 600000 (the image's, else 1000)",
        |value, _| value.number(&MAX_STALL_MS);
    devpath_max: Option<u32> = Profile::BUILD.devpath_max, "--devpath-max BYTES", ALL,
        "the longest devpath of a device in a port, 16 to 1000 (the image's, else 96)",
        |value, _| value.number(&DEVPATH_MAX_BYTES).map(Some);
    subsystem: Option<Named> = None, "--subsystem NAME", ALL,
        "a subsystem to watch, or `all`; repeatable, up to 16 (the image's, else those of USB devices: usb, \
         block, net, tty, input, sound and others)",
        |value, before| Named::and(before.subsystem.as_ref(), value);
    sysfs: PathBuf = PathBuf::from("/sys"), "--sysfs DIR", ALL,
        "where sysfs is mounted (/sys)",
        |value, _| value.directory();
    json: bool = false, "--json", ALL,
        "write one JSON object per line",
        |_, _| Ok(true);
    help: bool = false, "-h, --help", ALL,
        "show this text, or the help of the preceding command",
        |_, _| Ok(true);
    version: bool = false, "-V, --version", ALL,
        "show the version",
        |_, _| Ok(true);
    verbose: bool = false, "-v, --verbose", &["run", "monitor", "decode"],
        "show all properties of each event, one per line",
        |_, _| Ok(true);
    socket: Option<PathBuf> = None, "--socket PATH", &["run", "monitor", "list", "status"],
        "the socket on which the daemon serves applications (/run/sureplug/events)",
        |value, _| value.path().map(Some);
    socket_group: Option<u32> = None, "--socket-group GROUP", &["run"],
        "the group that may connect, by its name in /etc/group or its number (the group of the process)",
        |value, _| value.group().map(Some);
    allow_undersized: bool = false, "--allow-undersized", &["run"],
        "start even if the buffer is too small or the profile states fewer ports than sysfs shows, and repeat the warning",
        |_, _| Ok(true);
    hook: Option<PathBuf> = None, "--hook PATH", &["run"],
        "a program to run for each event, with the subsystem as its argument and the properties as its environment; \
         one run at a time, except for firmware",
        |value, _| value.path().map(Some);
    hook_subsystem: Option<Named> = None, "--hook-subsystem NAME", &["run"],
        "a subsystem to run the hook for, or `all`; repeatable, up to 16 (all)",
        |value, before| Named::and(before.hook_subsystem.as_ref(), value);
    hook_property: Option<String> = None, "--hook-property KEY", &["run"],
        "run the hook only for events with this property, such as MODALIAS",
        |value, _| value.key().map(Some);
    hook_timeout_ms: u32 = DEFAULT_TIMEOUT_MS, "--hook-timeout-ms MS", &["run"],
        "the timeout of a run of the hook, 1 to 600000 (10000)",
        |value, _| value.number(&HOOK_TIMEOUT_MS);
    led: Option<String> = None, "--led NAME", &["run"],
        "an LED of /sys/class/leds: on, blinking during a resync, and slowly after a loss until SIGUSR1",
        |value, _| value.text().map(|name| Some(name.to_owned()));
    led_gpio: Option<(PathBuf, u32)> = None, "--led-gpio CHIP:LINE", &["run"],
        "the same on a GPIO line, such as /dev/gpiochip0:17; needs a build with the cargo feature gpio",
        |value, _| if cfg!(feature = "gpio") { value.gpio_line().map(Some) } else { Err(value.unknown()) };
    ready_fd: Option<i32> = None, "--ready-fd N", &["run"],
        "a descriptor, 3 to 65535, that receives a line and is closed when all devices are known",
        |value, _| value.number(&READY_FDS).map(|fd| i32::try_from(fd).ok());
    metrics: Option<PathBuf> = None, "--metrics FILE", &["run"],
        "write metrics for Prometheus to a file that is replaced atomically; uses FILE.tmp beside it",
        |value, _| value.path().map(Some);
    metrics_interval: Duration = DEFAULT_METRICS_INTERVAL, "--metrics-interval-s S", &["run"],
        "seconds between two metrics files, 1 to 86400 (15)",
        |value, _| value.number(&METRICS_INTERVAL_S).map(|seconds| Duration::from_secs(seconds.into()));
    log: Logs = Logs::default(), "--log WHERE", &["run"],
        "kmsg or syslog: also log losses and warnings there, at most ten lines in 5 s; the path of a terminal: write \
         all lines there instead of to standard output",
        |value, before| Ok(before.log.and(value));
    lock_memory: bool = false, "--lock-memory", &["run"],
        "keep all memory resident (mlockall); needs CAP_IPC_LOCK or a large enough RLIMIT_MEMLOCK",
        |_, _| Ok(true);
    intake_priority: Option<u32> = None, "--intake-priority N", &["run"],
        "SCHED_FIFO priority of the thread that reads the socket, 1 to 99 (none); needs CAP_SYS_NICE or RLIMIT_RTPRIO",
        |value, _| value.number(&INTAKE_PRIORITY).map(Some);
    oom_score_adj: Option<i32> = None, "--oom-score-adj N", &["run"],
        "how readily the kernel kills the daemon when memory runs out, -1000 (never) to 1000 (as started); a lower \
         score needs CAP_SYS_RESOURCE, and hooks inherit it",
        |value, _| value.integer(&OOM_SCORE_ADJ).map(Some);
    direct: bool = false, "--direct", &["monitor"],
        "open a separate socket, as `sureplug run` does, even if a daemon runs",
        |_, _| Ok(true);
    watch: bool = false, "--watch", &["audit"],
        "repeat every second, with drops per second, until SIGINT or SIGTERM",
        |_, _| Ok(true);
    pcap: Option<PathBuf> = None, "--pcap FILE", &["measure"],
        "measure a capture of one plug and one unplug instead of live events",
        |value, _| value.path().map(Some);
    max_bytes: u32 = DEFAULT_MAX_BYTES, "--max-bytes BYTES", &["record"],
        "stop before the file exceeds this size, 4096 to 4294967295 (16777216)",
        |value, _| value.number(&MAX_BYTES);
}

/// The named subsystems, one option each.
#[derive(Debug)]
pub(super) struct Named {
    /// The names, separated by spaces.
    names: String,
    selection: Selection,
}

impl Named {
    fn and(before: Option<&Self>, value: &Value) -> Result<Option<Self>, UsageError> {
        let name = value.text()?;
        let names = before.map_or_else(String::new, |before| before.names.clone() + " ") + name;
        // Checked alone first, so that the position in an error refers to this name.
        let selection = Selection::parse(name).and_then(|_| Selection::parse(&names));
        selection.map(|selection| Some(Self { names, selection })).map_err(|error| value.wrong(error))
    }
}

/// The destinations of the lines of `run`.
#[derive(Debug, Default)]
pub(super) struct Logs {
    /// The log for losses and warnings.
    pub(super) system: Option<LogKind>,
    /// The terminal for all lines, instead of standard output.
    pub(super) path: Option<PathBuf>,
}

impl Logs {
    fn and(&self, value: &Value) -> Self {
        let (system, path) = (self.system, self.path.clone());
        match value.text.to_str() {
            Some("kmsg") => Self { system: Some(LogKind::Kmsg), path },
            Some("syslog") => Self { system: Some(LogKind::Syslog), path },
            _ => Self { system, path: Some(PathBuf::from(&value.text)) },
        }
    }
}

impl Options {
    /// Returns the image's profile, overridden by options.
    pub(super) const fn profile(&self) -> Profile {
        let Self { ports, port_device, devices_per_port, max_stall_ms, devpath_max, .. } = *self;
        Profile { ports, port_device, devices_per_port, max_stall_ms, devpath_max }
    }

    /// Returns the subsystems to watch, by default the image's.
    pub(super) fn selection(&self) -> &Selection {
        self.subsystem.as_ref().map_or(&SUBSYSTEMS, |named| &named.selection)
    }

    /// Returns the subsystems to show, by default all.
    pub(super) fn named(&self) -> &Selection {
        self.subsystem.as_ref().map_or(&Selection::ALL, |named| &named.selection)
    }

    /// Returns the events to run the hook for.
    pub(super) fn hook_wants(&self) -> Wants {
        Wants {
            selection: self.hook_subsystem.as_ref().map_or(Selection::ALL, |named| named.selection.clone()),
            property: self.hook_property.as_ref().map(|key| key.as_bytes().into()),
        }
    }

    /// Returns the process policy.
    pub(super) const fn policy(&self) -> ProcessPolicy {
        let Self { lock_memory, intake_priority, oom_score_adj, .. } = *self;
        ProcessPolicy { lock_memory, intake_priority, oom_score_adj }
    }

    /// Returns the path of the applications' socket.
    pub(super) fn socket(&self) -> &Path {
        self.socket.as_deref().unwrap_or(Path::new(DEFAULT_PATH))
    }

    /// Returns the format of events.
    pub(super) const fn style(&self) -> Style {
        if self.json { Style::Json } else { Style::Text { verbose: self.verbose } }
    }
}
