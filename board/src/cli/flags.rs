//! The options as they are written: a row for each, without those that end the parsing, `--help` and `--version`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::Parser;
use sureplug_core::rcvbuf::{DEVPATH_MAX_BYTES, MAX_STALL_MS, PortDevice, USB_PORTS};
use sureplug_core::selection::Selection;

use super::group;
use super::options::Options;
use super::topic::Topic;
use super::usage::UsageError;
use super::value::Value;
use crate::service::log::LogKind;

/// Milliseconds that a run of a hook may be allowed.
const HOOK_TIMEOUT_MS: RangeInclusive<u32> = 1..=600_000;

/// Descriptors on which a supervisor may want to hear something: not the standard ones.
const READY_FDS: RangeInclusive<u32> = 3..=65_535;

/// Seconds between two files of figures; up to a day.
const METRICS_INTERVAL_S: RangeInclusive<u32> = 1..=86_400;

/// Bytes of a recording: from some events to what 32 bits count.
const MAX_BYTES: RangeInclusive<u32> = 4_096..=u32::MAX;

/// Real-time priorities (`sched(7)`).
const INTAKE_PRIORITY: RangeInclusive<u32> = 1..=99;

/// The kernel's range (`OOM_SCORE_ADJ_MIN` and `_MAX` in `include/uapi/linux/oom.h`).
const OOM_SCORE_ADJ: RangeInclusive<i32> = -1_000..=1_000;

/// What an option does.
type Take = fn(&mut Value<'_>, &mut Options) -> Result<(), UsageError>;

/// An option.
pub(super) struct Flag {
    /// Its name without the dashes.
    pub(super) name: &'static str,
    /// The commands that have it; none for all.
    commands: &'static [Topic],
    take: Take,
}

/// The one of that name, without the dashes.
pub(super) fn find(name: &str) -> Result<&'static Flag, UsageError> {
    let names = || FLAGS.iter().map(|flag| flag.name).chain(["help", "version"]);
    let found = FLAGS.iter().find(|flag| flag.name == name);
    found.ok_or_else(|| UsageError::unknown("option", "--", name, names()))
}

impl Flag {
    const fn new(name: &'static str, commands: &'static [Topic], take: Take) -> Self {
        Self { name, commands, take }
    }

    const fn of_all(name: &'static str, take: Take) -> Self {
        Self::new(name, &[], take)
    }

    const fn of_run(name: &'static str, take: Take) -> Self {
        Self::new(name, &[Topic::Run], take)
    }

    /// Notes what it says, with its value if it has one.
    pub(super) fn take(&self, parser: &mut Parser, options: &mut Options) -> Result<(), UsageError> {
        (self.take)(&mut Value { parser, name: self.name }, options)
    }

    /// Checks that a command has it.
    pub(super) fn check(&self, topic: Topic) -> Result<(), UsageError> {
        // Without a command it is `run`.
        let topic = if topic == Topic::Sureplug { Topic::Run } else { topic };
        if self.commands.is_empty() || self.commands.contains(&topic) {
            return Ok(());
        }
        let mut commands = String::new();
        for (place, command) in self.commands.iter().enumerate() {
            commands.push_str(match self.commands.len() - place {
                _ if place == 0 => "`",
                1 => "` and `",
                _ => "`, `",
            });
            commands.push_str(command.name());
        }
        Err(UsageError(format!("`--{}` is an option of {commands}`", self.name)))
    }
}

/// Adds a subsystem to the names that were given before, and returns what they select.
fn more_subsystems(value: &mut Value<'_>, mut names: String) -> Result<(String, Selection), UsageError> {
    let name = value.text()?;
    names.push(' ');
    names.push_str(&name);
    // One alone first, so that the fault is found where it is.
    let selection = Selection::parse(&name).and_then(|_| Selection::parse(&names));
    selection.map(|selection| (names, selection)).map_err(|error| value.wrong(&name, error))
}

static FLAGS: &[Flag] = &[
    Flag::of_all("ports", |value, options| {
        options.board.profile.ports = Some(value.number(&USB_PORTS)?);
        Ok(())
    }),
    Flag::of_all("port-device", |value, options| {
        options.board.profile.port_device = value.sizing(PortDevice::parse)?;
        Ok(())
    }),
    Flag::of_all("max-stall-ms", |value, options| {
        options.board.profile.max_stall_ms = value.number(&MAX_STALL_MS)?;
        Ok(())
    }),
    Flag::of_all("devpath-max", |value, options| {
        options.board.profile.devpath_max = Some(value.number(&DEVPATH_MAX_BYTES)?);
        Ok(())
    }),
    Flag::of_all("subsystem", |value, options| {
        let names = std::mem::take(&mut options.names);
        (options.names, options.named) = more_subsystems(value, names)?;
        options.board.selection = options.named.clone();
        Ok(())
    }),
    Flag::of_all("sysfs", |value, options| {
        options.board.sysfs = value.directory()?;
        Ok(())
    }),
    Flag::of_all("json", |_, options| {
        options.board.json = true;
        Ok(())
    }),
    Flag::new("verbose", &[Topic::Run, Topic::Monitor, Topic::Decode], |_, options| {
        options.verbose = true;
        Ok(())
    }),
    Flag::of_run("allow-undersized", |_, options| {
        options.allow_undersized = true;
        Ok(())
    }),
    Flag::new("direct", &[Topic::Monitor], |_, options| {
        options.direct = true;
        Ok(())
    }),
    Flag::new("socket", &[Topic::Run, Topic::Monitor, Topic::List, Topic::Status], |value, options| {
        options.socket = Some(value.path()?);
        Ok(())
    }),
    Flag::of_run("socket-group", |value, options| {
        let name = value.text()?;
        let unknown = || value.wrong(&name, "no group of /etc/group, and no number");
        options.socket_group = Some(group::number(&name).ok_or_else(unknown)?);
        Ok(())
    }),
    Flag::of_run("hook", |value, options| {
        options.hook = Some(value.path()?);
        Ok(())
    }),
    Flag::of_run("hook-timeout-ms", |value, options| {
        options.hook_timeout_ms = value.number(&HOOK_TIMEOUT_MS)?;
        Ok(())
    }),
    Flag::of_run("hook-subsystem", |value, options| {
        let names = std::mem::take(&mut options.hook_names);
        (options.hook_names, options.hook_wants.selection) = more_subsystems(value, names)?;
        Ok(())
    }),
    Flag::of_run("hook-property", |value, options| {
        let key = value.text()?;
        let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'=');
        if !is_key {
            return Err(value.wrong(&key, "write a key without `=`, such as MODALIAS"));
        }
        options.hook_wants.property = Some(key.into_bytes().into_boxed_slice());
        Ok(())
    }),
    Flag::of_run("led", |value, options| {
        options.led = Some(value.text()?);
        Ok(())
    }),
    #[cfg(feature = "gpio")]
    Flag::of_run("led-gpio", |value, options| {
        let text = value.text()?;
        let parts = text.rsplit_once(':');
        let line = parts.and_then(|(chip, line)| Some((PathBuf::from(chip), line.parse().ok()?)));
        let wrong = || value.wrong(&text, "write CHIP:LINE, as /dev/gpiochip0:17");
        options.led_gpio = Some(line.ok_or_else(wrong)?);
        Ok(())
    }),
    Flag::of_run("ready-fd", |value, options| {
        options.ready_fd = i32::try_from(value.number(&READY_FDS)?).ok();
        Ok(())
    }),
    Flag::of_run("log", |value, options| {
        let log = value.raw()?;
        match log.to_str() {
            Some("kmsg") => options.system_log = Some(LogKind::Kmsg),
            Some("syslog") => options.system_log = Some(LogKind::Syslog),
            _ => options.log = Some(PathBuf::from(log)),
        }
        Ok(())
    }),
    Flag::of_run("metrics", |value, options| {
        options.metrics = Some(value.path()?);
        Ok(())
    }),
    Flag::of_run("metrics-interval-s", |value, options| {
        options.metrics_interval = Duration::from_secs(value.number(&METRICS_INTERVAL_S)?.into());
        Ok(())
    }),
    Flag::new("watch", &[Topic::Audit], |_, options| {
        options.watch = true;
        Ok(())
    }),
    Flag::new("max-bytes", &[Topic::Record], |value, options| {
        options.max_bytes = value.number(&MAX_BYTES)?;
        Ok(())
    }),
    Flag::new("pcap", &[Topic::Measure], |value, options| {
        options.pcap = Some(value.path()?);
        Ok(())
    }),
    Flag::of_run("lock-memory", |_, options| {
        options.standing.lock_memory = true;
        Ok(())
    }),
    Flag::of_run("intake-priority", |value, options| {
        options.standing.intake_priority = Some(value.number(&INTAKE_PRIORITY)?);
        Ok(())
    }),
    Flag::of_run("oom-score-adj", |value, options| {
        let text = value.text()?;
        let score = text.parse().ok().filter(|score| OOM_SCORE_ADJ.contains(score));
        let wrong = || value.wrong(&text, "write a whole number from -1000 to 1000, such as -900");
        options.standing.oom_score_adj = Some(score.ok_or_else(wrong)?);
        Ok(())
    }),
];
