//! What is said of a run: how it ended, and the beginning of what it wrote.

use std::fmt;
use std::time::Duration;

use nix::errno::Errno;
use sureplug_core::time::Instant;
use sureplug_core::uevent::Uevent;

/// Bytes of an event's header that are kept.
const HEADER_BYTES: usize = 256;

/// Bytes of a run's output that are kept.
const OUTPUT_BYTES: usize = 512;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// By itself, with that exit code.
    Exited(i32),
    /// By that signal, which was not ours.
    Killed(i32),
    /// It took longer than that, and was killed with its whole process group.
    TimedOut(Duration),
    /// It could not be started.
    NotStarted(Errno),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Killed(signal) => write!(f, "killed by signal {signal}"),
            Self::TimedOut(after) => write!(
                f,
                "killed, since it took more than {} ms",
                after.as_secs() * 1_000 + u64::from(after.subsec_millis())
            ),
            Self::NotStarted(errno) => write!(f, "not started: {}", errno.desc()),
        }
    }
}

/// A run that there is something to say of.
#[derive(Clone, Copy, Debug)]
pub struct Report<'r> {
    /// When it ended.
    pub at: Instant,
    /// How.
    pub ending: Ending,
    /// The event: `action@devpath`, as far as that is kept.
    pub header: &'r [u8],
    /// What it wrote, as far as that is kept.
    pub output: &'r [u8],
    /// Bytes that it wrote beyond that.
    pub dropped_bytes: u64,
    /// Runs before it that there was something to say of, and no place to.
    pub dropped_reports: u64,
}

/// The report of the last run, and that of the run that goes on.
#[derive(Debug)]
pub(super) struct Draft {
    now: Text,
    last: Text,
    ended: Option<(Instant, Ending)>,
    dropped_reports: u64,
}

#[derive(Debug)]
struct Text {
    header: [u8; HEADER_BYTES],
    header_length: usize,
    output: [u8; OUTPUT_BYTES],
    output_length: usize,
    dropped_bytes: u64,
}

impl Text {
    const NONE: Self = Self {
        header: [0; HEADER_BYTES],
        header_length: 0,
        output: [0; OUTPUT_BYTES],
        output_length: 0,
        dropped_bytes: 0,
    };
}

impl Draft {
    pub(super) const fn new() -> Self {
        Self { now: Text::NONE, last: Text::NONE, ended: None, dropped_reports: 0 }
    }

    /// A run begins.
    pub(super) fn begin(&mut self, uevent: &Uevent<'_>) {
        let header = uevent.datagram().split(|byte| *byte == 0).next().unwrap_or_default();
        let length = header.len().min(HEADER_BYTES);
        self.now.header[..length].copy_from_slice(&header[..length]);
        (self.now.header_length, self.now.output_length, self.now.dropped_bytes) = (length, 0, 0);
    }

    /// It writes something.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        let Text { output, output_length, dropped_bytes, .. } = &mut self.now;
        let length = bytes.len().min(OUTPUT_BYTES - *output_length);
        output[*output_length..*output_length + length].copy_from_slice(&bytes[..length]);
        *output_length += length;
        *dropped_bytes += (bytes.len() - length) as u64;
    }

    /// It has ended. Of one that ended well and wrote nothing there is nothing to say.
    pub(super) fn finish(&mut self, at: Instant, ending: Ending) {
        if ending == Ending::Exited(0) && self.now.output_length == 0 {
            return;
        }
        if self.ended.is_some() {
            self.dropped_reports += 1;
            return;
        }
        std::mem::swap(&mut self.now, &mut self.last);
        self.ended = Some((at, ending));
    }

    pub(super) fn take(&mut self) -> Option<Report<'_>> {
        let (at, ending) = self.ended.take()?;
        let Text { header, header_length, output, output_length, dropped_bytes } = &self.last;
        Some(Report {
            at,
            ending,
            header: &header[..*header_length],
            output: &output[..*output_length],
            dropped_bytes: *dropped_bytes,
            dropped_reports: std::mem::take(&mut self.dropped_reports),
        })
    }
}
