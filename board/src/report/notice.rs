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
use crate::sysfs::{Clipped, Forgery, Missing};

/// A line for the operator, as data. `at` is when the intake read the socket.
#[derive(Clone, Copy)]
pub enum Notice<'a> {
    /// How the buffer was sized, and what the kernel gave; comes first.
    Start(&'a Start<'a>),
    /// The buffer or the profile is too small, and we run all the same.
    Undersized(&'a Undersized),
    /// Applications are not served, and we run all the same.
    Unserved(&'a dyn Display),
    /// Only events of this network namespace's net devices can arrive; said once.
    Restricted,
    /// The kernel runs a program for each event as well; said once.
    UeventHelper {
        /// Its path.
        helper: Clipped,
        /// Whether a hook is run for each event too.
        has_hook: bool,
    },
    /// The status LED cannot be switched; said once.
    LedFailed {
        /// Why.
        error: Errno,
    },
    /// A hook's run that failed, or that wrote something.
    Hook(&'a HookRun),
    /// A hook did not keep up, and events were overwritten. What they changed follows.
    HookMissed {
        /// When it was told so.
        at: Instant,
        /// How many.
        events: u64,
    },
    /// A uevent. Its stamp is the nanoseconds since boot at which the kernel's was read, or at which it was
    /// made.
    Event(DeviceEvent<'a>),
    /// The reader of this output did not keep up, and events were overwritten.
    Missed {
        /// How many.
        events: u64,
        /// Whether the daemon ends, so that what they changed does not follow.
        is_ending: bool,
    },
    /// Whoever reads this must forget all devices: those that are present follow.
    Reset,
    /// All that is present was told; what follows is live.
    Current {
        /// Whether the set of devices is known not to be the present one, since events were lost.
        is_out_of_date: bool,
    },
    /// The first scan has ended.
    Scanned {
        /// When.
        at: Instant,
        /// Devices that are present now.
        devices: usize,
        /// How long it took.
        took: Duration,
    },
    /// Events were lost, and what became of them.
    Loss {
        /// When it was noticed.
        at: Instant,
        /// How it was.
        loss: Loss,
        /// What became of it.
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
        /// What it found.
        outcome: ScanOutcome,
        /// How long it took.
        took: Duration,
    },
    /// No sysfs is mounted yet; said once.
    NoSysfs {
        /// When it was looked for.
        at: Instant,
    },
    /// A scan has found what no event told and no counter shows.
    Unreported {
        /// When.
        at: Instant,
        /// What.
        outcome: ScanOutcome,
        /// How long the scan took.
        took: Duration,
    },
    /// Sysfs shows the network devices of another network namespace than the socket's; said once.
    ForeignSysfs,
    /// Devices have no place in the table; said once.
    TableFull {
        /// When the first was met.
        at: Instant,
        /// Devices that have a place.
        slots: u64,
        /// Bytes for what they say.
        bytes: u64,
        /// The subsystem with the most devices.
        subsystem: Clipped,
        /// How many these are.
        devices: u64,
    },
    /// A scan could not read something; said once for each.
    Unreadable {
        /// What, relative to sysfs.
        path: &'a [u8],
        /// Why.
        error: Errno,
    },
    /// A device's `uevent` file has lines that the kernel did not write as they stand; said once for each device.
    Forged(Forgery<'a>),
    /// An event of the kernel that does not parse.
    Malformed {
        /// When.
        at: Instant,
        /// Why and where.
        error: ParseError,
        /// Bytes of the datagram.
        length: usize,
    },
    /// An event of the kernel that is longer than any uevent can be.
    Truncated {
        /// When.
        at: Instant,
    },
    /// The first message that was not the kernel's.
    Foreign {
        /// When.
        at: Instant,
        /// Whose it was.
        sender: Sender,
    },
    /// Lines were dropped here, because they could not be written, or because the reader of this output did
    /// not keep up.
    OutputDropped {
        /// How many.
        lines: u64,
    },
    /// The last line.
    Totals(&'a Totals),
}

/// What became of a loss.
#[derive(Clone, Copy, Debug)]
pub enum Resync {
    /// A scan has resynced it: what it found, and how long it took.
    Done(ScanOutcome, Duration),
    /// The scan could not read everything, and is tried again.
    Incomplete(Missing),
    /// The daemon ends.
    Ending,
}

/// How the daemon starts.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// How the buffer was sized.
    pub sizing: &'a Sizing,
    /// The buffer that the kernel gave.
    pub effective: Effective,
    /// The subsystems that are wanted.
    pub selection: &'a Selection,
    /// What becomes of the others.
    pub filtering: Filtering,
}

/// What was lost, and how the socket was when the first of it was noticed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loss {
    /// Events that the kernel did not queue; at least that many where it has no drop counter.
    pub dropped: u32,
    /// Events that came damaged.
    pub damaged: u32,
    /// Bytes that were queued then.
    pub queued: u32,
    /// The effective receive buffer in bytes.
    pub effective: u32,
}

/// Why the daemon runs with less than the board needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Undersized {
    /// The kernel gave too little.
    pub buffer: Option<Shortfall>,
    /// The board has more than the profile says.
    pub profile: [Option<Mismatch>; 2],
}

impl Undersized {
    /// Returns `true` if there is a reason at all.
    pub(crate) fn is_any(&self) -> bool {
        self.buffer.is_some() || self.profile.iter().any(Option::is_some)
    }

    /// One sentence or two each.
    pub fn reasons(&self) -> impl Iterator<Item = &dyn Display> {
        let buffer = self.buffer.iter().map(|reason| -> &dyn Display { reason });
        buffer.chain(self.profile.iter().flatten().map(|reason| -> &dyn Display { reason }))
    }
}

/// How a hook's run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunEnd {
    /// By itself, or by a signal that was not the daemon's.
    Ended(ExitStatus),
    /// It took longer than that, and was killed with its whole process group.
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

/// A run of a hook that failed, or that wrote something.
#[derive(Debug)]
pub struct HookRun {
    /// When it ended.
    pub at: Instant,
    /// How.
    pub end: RunEnd,
    /// The event: `action@devpath`, as far as that is kept.
    pub header: Vec<u8, 256>,
    /// What it wrote, as far as that is kept.
    pub output: Vec<u8, 512>,
    /// Bytes that it wrote beyond that.
    pub dropped_bytes: u64,
    /// Runs before it that are not reported.
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

    /// Begins the report of a run for the event of a datagram.
    pub(crate) fn begin(&mut self, datagram: &[u8]) {
        let header = datagram.split(|byte| *byte == 0).next().unwrap_or_default();
        self.header.clear();
        append(&mut self.header, header);
        self.output.clear();
        self.dropped_bytes = 0;
    }

    /// Adds what the run has written.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.dropped_bytes += append(&mut self.output, bytes);
    }
}

/// Appends as many bytes as fit. Returns how many do not.
fn append<const N: usize>(to: &mut Vec<u8, N>, bytes: &[u8]) -> u64 {
    let (fits, rest) = bytes.split_at(bytes.len().min(N - to.len()));
    // There is room for them.
    let _ = to.extend_from_slice(fits);
    rest.len() as u64
}
