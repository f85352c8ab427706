//! Options that not every command has.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Parser, ValueExt};

use super::args::{RunOptions, Topic, UsageError, number};
use super::group;
use crate::sinks::LogKind;

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

/// Such an option.
pub(super) struct Special {
    name: &'static str,
    topics: &'static [Topic],
    /// The same, as a person is told it.
    of: &'static str,
}

pub(super) static VERBOSE: Special = Special {
    name: "verbose",
    topics: &[Topic::Run, Topic::Monitor, Topic::Decode],
    of: "`run`, `monitor` and `decode`",
};

static OTHERS: &[Special] = &[
    Special { name: "direct", topics: &[Topic::Monitor], of: "`monitor`" },
    Special {
        name: "socket",
        topics: &[Topic::Run, Topic::Monitor, Topic::List, Topic::Status],
        of: "`run`, `monitor`, `list` and `status`",
    },
    Special::of_run("allow-undersized"),
    Special::of_run("socket-group"),
    Special::of_run("hook"),
    Special::of_run("hook-timeout-ms"),
    Special::of_run("led"),
    #[cfg(feature = "gpio")]
    Special::of_run("led-gpio"),
    Special::of_run("ready-fd"),
    Special::of_run("log"),
    Special::of_run("metrics"),
    Special::of_run("metrics-interval-s"),
    Special::of_run("lock-memory"),
    Special::of_run("intake-priority"),
    Special::of_run("oom-score-adj"),
    Special { name: "watch", topics: &[Topic::Audit], of: "`audit`" },
    Special { name: "max-bytes", topics: &[Topic::Record], of: "`record`" },
    Special { name: "pcap", topics: &[Topic::Measure], of: "`measure`" },
];

/// The one of that name, without the dashes.
pub(super) fn find(name: &str) -> Option<&'static Special> {
    [&VERBOSE].into_iter().chain(OTHERS).find(|option| option.name == name)
}

/// Notes that it was used.
pub(super) fn note(option: &'static Special, used: &mut Vec<&'static Special>) -> bool {
    used.push(option);
    true
}

/// Checks that a command has all that were used.
pub(super) fn check(used: &[&Special], topic: Topic) -> Result<(), UsageError> {
    // Without a command it is `run`.
    let topic = if topic == Topic::Sureplug { Topic::Run } else { topic };
    match used.iter().find(|option| !option.topics.contains(&topic)) {
        Some(Special { name, of, .. }) => Err(UsageError(format!("`--{name}` is an option of {of}"))),
        None => Ok(()),
    }
}

impl Special {
    const fn of_run(name: &'static str) -> Self {
        Self { name, topics: &[Topic::Run], of: "`run`" }
    }

    /// Takes its value, if it has one.
    pub(super) fn take(&self, parser: &mut Parser, options: &mut RunOptions) -> Result<(), UsageError> {
        match self.name {
            "verbose" => options.verbose = true,
            "direct" => options.direct = true,
            "watch" => options.watch = true,
            "metrics" => options.metrics = Some(PathBuf::from(parser.value()?)),
            "metrics-interval-s" => {
                let seconds = number(parser, "--metrics-interval-s", &METRICS_INTERVAL_S)?;
                options.metrics_interval = Duration::from_secs(seconds.into());
            }
            "max-bytes" => options.max_bytes = number(parser, "--max-bytes", &MAX_BYTES)?,
            "pcap" => options.pcap = Some(PathBuf::from(parser.value()?)),
            "allow-undersized" => options.allow_undersized = true,
            "log" => {
                let log = parser.value()?;
                match log.to_str() {
                    Some("kmsg") => options.system_log = Some(LogKind::Kmsg),
                    Some("syslog") => options.system_log = Some(LogKind::Syslog),
                    _ => options.log = Some(PathBuf::from(log)),
                }
            }
            "lock-memory" => options.standing.lock_memory = true,
            "intake-priority" => {
                let priority = number(parser, "--intake-priority", &INTAKE_PRIORITY)?;
                options.standing.intake_priority = Some(priority);
            }
            "oom-score-adj" => options.standing.oom_score_adj = Some(oom_score_adj(parser)?),
            "socket" => options.socket = Some(PathBuf::from(parser.value()?)),
            "hook" => options.hook = Some(PathBuf::from(parser.value()?)),
            "led" => options.led = Some(parser.value()?.string()?),
            "hook-timeout-ms" => {
                options.hook_timeout_ms = number(parser, "--hook-timeout-ms", &HOOK_TIMEOUT_MS)?;
            }
            "ready-fd" => {
                options.ready_fd = i32::try_from(number(parser, "--ready-fd", &READY_FDS)?).ok();
            }
            "socket-group" => {
                let name = parser.value()?.string()?;
                let unknown =
                    || UsageError(format!("--socket-group {name}: no group of /etc/group, and no number"));
                options.socket_group = Some(group::number(&name).ok_or_else(unknown)?);
            }
            #[cfg(feature = "gpio")]
            "led-gpio" => {
                let text = parser.value()?.string()?;
                let parts = text.rsplit_once(':');
                let line = parts.and_then(|(chip, line)| Some((PathBuf::from(chip), line.parse().ok()?)));
                let wrong =
                    || UsageError(format!("--led-gpio {text}: write CHIP:LINE, as /dev/gpiochip0:17"));
                options.led_gpio = Some(line.ok_or_else(wrong)?);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The kernel's range (`OOM_SCORE_ADJ_MIN` and `_MAX` in `include/uapi/linux/oom.h`).
fn oom_score_adj(parser: &mut Parser) -> Result<i32, UsageError> {
    let text = parser.value()?.string()?;
    let score = text.parse().ok().filter(|score| (-1_000..=1_000).contains(score));
    score.ok_or_else(|| {
        UsageError(format!("--oom-score-adj {text}: write a whole number from -1000 to 1000, such as -900"))
    })
}
