use std::fmt::{self, Display};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use heapless::Vec;
use nix::errno::Errno;
use sureplug_core::netlink::Sender;
use sureplug_core::rcvbuf::Effective;
use sureplug_core::selection::Selection;
use sureplug_core::stream::{DeviceEvent, ScanOutcome};
use sureplug_core::time::{Instant, micros};
use sureplug_core::uevent::ParseError;

use super::Totals;
use crate::cause::Advice;
use crate::profile::{Mismatch, Sizing};
use crate::socket::{Filtering, Shortfall};
use crate::sysfs::{Clipped, Fault, Missing};

/// A line for the operator, as data. `at` is the time at which the intake read the socket.
#[derive(Clone, Copy)]
pub enum Notice<'a> {
    /// The size of the buffer, and the size that the kernel granted. Comes first.
    Start(&'a Start<'a>),
    /// The buffer or the profile is too small. The daemon runs nevertheless.
    Undersized(&'a Undersized),
    /// Applications are not served. The daemon runs nevertheless.
    Unserved(&'a (dyn Display + Sync)),
    /// Only events of this network namespace's network devices can arrive. Reported once.
    Restricted,
    /// The kernel also runs a program for each event. Reported once.
    UeventHelper {
        /// The program's path.
        helper: Clipped,
        /// Whether a hook is run for each event too.
        has_hook: bool,
    },
    /// The status LED cannot be switched. Reported once.
    LedFailed(Errno),
    /// A hook's run that failed or produced output.
    Hook(&'a HookRun),
    /// A hook lagged, and events were overwritten. The delta follows.
    HookMissed {
        /// When the hook reached the gap.
        at: Instant,
        /// The number of events.
        events: u64,
    },
    /// A uevent. Its stamp is in nanoseconds since boot: when the kernel's event was read, or when
    /// the event was made.
    Event(DeviceEvent<'a>),
    /// The reader of this output lagged, and events were overwritten.
    Missed {
        /// The number of events.
        events: u64,
        /// Whether the daemon is ending, so that the delta does not follow.
        is_ending: bool,
    },
    /// The reader must forget all devices. Those present follow.
    Reset,
    /// All present devices were written. Live events follow.
    Current {
        /// Whether the devices are known to be out of date because events were lost.
        is_out_of_date: bool,
    },
    /// The first scan has ended.
    Scanned {
        /// When it ended.
        at: Instant,
        /// Devices that are present.
        devices: usize,
        /// The duration of the scan.
        took: Duration,
    },
    /// Events were lost, with the result of the resync.
    Loss {
        /// When the loss was noticed.
        at: Instant,
        /// The loss.
        loss: Loss,
        /// The result of the resync.
        resync: Resync,
    },
    /// A scan could not read everything in sysfs.
    Incomplete {
        /// When it ended.
        at: Instant,
        /// What it could not read.
        missing: Missing,
        /// The pause before the next attempt; zero if there is none.
        retry: Duration,
    },
    /// A scan could read everything again.
    Completed {
        /// When it ended.
        at: Instant,
        /// The findings.
        outcome: ScanOutcome,
        /// The duration of the scan.
        took: Duration,
    },
    /// No sysfs is mounted yet. Reported once.
    NoSysfs {
        /// When this was noticed.
        at: Instant,
    },
    /// A scan found changes that no event reported and no counter shows.
    Unreported {
        /// When it ended.
        at: Instant,
        /// The findings.
        outcome: ScanOutcome,
        /// The duration of the scan.
        took: Duration,
    },
    /// Sysfs shows the network devices of a network namespace other than the socket's. Reported
    /// once.
    ForeignSysfs,
    /// Devices do not fit into the table. Reported once.
    TableFull {
        /// When the first was met.
        at: Instant,
        /// Devices that fit.
        slots: u64,
        /// Bytes for their properties.
        bytes: u64,
        /// The subsystem with the most devices.
        subsystem: Clipped,
        /// The number of these devices.
        devices: u64,
    },
    /// A scan could not read a path. Reported once for each path.
    Unreadable(&'a Fault<Errno>),
    /// A device's `uevent` file has lines that the kernel did not write. Reported once for each
    /// device.
    Forged(&'a Fault<Clipped>),
    /// An event of the kernel that could not be parsed.
    Malformed {
        /// When it was read.
        at: Instant,
        /// The fault and its position.
        error: ParseError,
        /// Bytes of the datagram.
        length: usize,
    },
    /// An event of the kernel longer than any uevent can be.
    Truncated {
        /// When it was read.
        at: Instant,
    },
    /// The first message of another sender.
    Foreign {
        /// When it was read.
        at: Instant,
        /// The sender.
        sender: Sender,
    },
    /// Lines were dropped here because they could not be written, or because the reader of this
    /// output lagged.
    OutputDropped {
        /// The number of lines.
        lines: u64,
    },
    /// The last line.
    Totals(&'a Totals),
}

/// The result of a resync.
#[derive(Clone, Copy, Debug)]
pub enum Resync {
    /// A scan has resynchronised: its findings and its duration.
    Done(ScanOutcome, Duration),
    /// The scan could not read everything and is repeated.
    Incomplete(Missing),
    /// The daemon is ending.
    Ending,
}

/// The configuration at start.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The size of the buffer.
    pub sizing: &'a Sizing,
    /// The buffer that the kernel gave.
    pub effective: Effective,
    /// The selected subsystems.
    pub selection: &'a Selection,
    /// What happens to events of other subsystems.
    pub filtering: Filtering,
}

/// A loss, and the state of the socket when it was first noticed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loss {
    /// Events that the kernel dropped; a lower bound if it has no drop counter.
    pub dropped: u32,
    /// Events that arrived damaged.
    pub damaged: u32,
    /// Bytes queued at that time.
    pub queued: u32,
    /// The effective receive buffer in bytes.
    pub effective: u32,
}

/// Why the daemon runs with less than the board needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Undersized {
    /// The kernel granted too little.
    pub buffer: Option<Shortfall>,
    /// The board exceeds the profile.
    pub profile: [Option<Mismatch>; 2],
}

impl Undersized {
    /// Returns `true` if there is any reason.
    pub(crate) fn is_any(&self) -> bool {
        self.buffer.is_some() || self.profile.iter().any(Option::is_some)
    }

    /// Returns the reasons, a sentence or two each.
    pub fn reasons(&self) -> impl Iterator<Item = &dyn Display> {
        let buffer = self.buffer.iter().map(|reason| -> &dyn Display { reason });
        buffer.chain(self.profile.iter().flatten().map(|reason| -> &dyn Display { reason }))
    }
}

/// How a hook's run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunEnd {
    /// By itself, or by a signal that the daemon did not send.
    Ended(ExitStatus),
    /// It exceeded this time, and was killed with its process group.
    TimedOut(Duration),
    /// It could not be started.
    NotStarted(Errno),
}

impl Display for RunEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(status) => match status.signal() {
                Some(signal) => write!(f, "killed by signal {signal}"),
                None => write!(f, "exit code {}", status.code().unwrap_or_default()),
            },
            Self::TimedOut(after) => {
                write!(f, "killed, since it took more than {} ms", micros(*after) / 1_000)
            }
            Self::NotStarted(errno) => write!(f, "not started: {}{}", errno.desc(), Advice(*errno)),
        }
    }
}

/// A hook's run that failed or produced output.
#[derive(Debug)]
pub struct HookRun {
    /// When it ended.
    pub at: Instant,
    /// How it ended.
    pub end: RunEnd,
    /// The event as `action@devpath`, truncated if too long.
    pub header: Vec<u8, 256>,
    /// Its output, truncated if too long.
    pub output: Vec<u8, 512>,
    /// Bytes of output beyond that.
    pub dropped_bytes: u64,
    /// Earlier runs that were not reported.
    pub dropped_reports: u64,
}

impl HookRun {
    pub(crate) fn new() -> Self {
        Self {
            at: Instant::BOOT,
            end: RunEnd::Ended(ExitStatus::default()),
            header: Vec::new(),
            output: Vec::new(),
            dropped_bytes: 0,
            dropped_reports: 0,
        }
    }

    /// Begins the report of a run for a datagram's event.
    pub(crate) fn begin(&mut self, datagram: &[u8]) {
        let header = datagram.split(|byte| *byte == 0).next().unwrap_or_default();
        self.header.clear();
        append(&mut self.header, header);
        self.output.clear();
        self.dropped_bytes = 0;
    }

    /// Appends output of the run.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.dropped_bytes += append(&mut self.output, bytes);
    }
}

/// Appends as many bytes as fit, and returns the number of those that do not.
fn append<const N: usize>(to: &mut Vec<u8, N>, bytes: &[u8]) -> u64 {
    let (fits, rest) = bytes.split_at(bytes.len().min(N - to.len()));
    // They fit.
    let _ = to.extend_from_slice(fits);
    rest.len() as u64
}
