//! Writes losses and warnings, but not events, to the kernel's log or the system's.

use std::fmt::{self, Write};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{OFlag, open};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, sendto, socket};
use nix::sys::stat::Mode;
use nix::unistd::write;
use sureplug_core::time::Instant;

use crate::engine::{Context, NoticeReader, Service};
use crate::report::{self, FixedText, Notice, Style};
use crate::sys::retry;
use crate::time::monotonic_now;

/// Lines in each interval: as many as the kernel accepts from a program (`devkmsg_write` in
/// `kernel/printk/printk.c`).
const BURST: u32 = 10;
const INTERVAL: Duration = Duration::from_secs(5);

/// The most bytes of a line; the kernel truncates its own near 1,000.
const MAX_BYTES: usize = 900;

/// Facility `daemon` (3), severity `warning` (4): see `syslog(3)`.
const PRIORITY: &str = "<28>";

/// The same with severity `info` (6), for normal conditions.
const INFO: &str = "<30>";

/// The program's name, as before warnings.
const NAME: &str = "sureplug: ";

/// The destination of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// The kernel's ring, `/dev/kmsg`.
    Kmsg,
    /// The daemon that listens at `/dev/log`.
    Syslog,
}

/// An open log. The daemon does not wait for its reader.
pub struct SystemLog {
    kind: LogKind,
    fd: OwnedFd,
    /// The socket of `/dev/log`, whose listener may appear later or again.
    address: UnixAddr,
    limit: RateLimit,
    text: FixedText,
    notices: NoticeReader,
    /// Devices that were named for lines that the kernel did not write.
    forged_read: usize,
}

impl SystemLog {
    /// Opens a log.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub fn open(kind: LogKind) -> io::Result<Self> {
        Self::open_at(kind, Path::new(if kind == LogKind::Kmsg { "/dev/kmsg" } else { "/dev/log" }))
    }

    /// Opens a log at another path.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub fn open_at(kind: LogKind, path: &Path) -> io::Result<Self> {
        let fd = match kind {
            LogKind::Kmsg => {
                open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK, Mode::empty())?
            }
            LogKind::Syslog => {
                let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
                socket(AddressFamily::Unix, SockType::Datagram, flags, None)?
            }
        };
        Ok(Self {
            kind,
            fd,
            address: UnixAddr::new(path)?,
            limit: RateLimit::default(),
            text: FixedText::new(MAX_BYTES),
            notices: NoticeReader::default(),
            forged_read: 0,
        })
    }

    /// Checks that a daemon listens at the socket. One that starts later receives lines
    /// nevertheless.
    ///
    /// # Errors
    ///
    /// Returns the system's error about `/dev/log`.
    pub fn check_listener(&self) -> io::Result<()> {
        if self.kind == LogKind::Syslog {
            let probe = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
            connect(probe.as_raw_fd(), &self.address)?;
        }
        Ok(())
    }

    /// Writes a notice, unless there were too many.
    pub fn write(&mut self, notice: &Notice<'_>) {
        let Some(held_back) = self.limit.admit(monotonic_now()) else { return };
        if held_back > 0 {
            let _ = writeln!(self.begin(PRIORITY), "{held_back} lines held back");
            self.send();
        }
        let is_fine = matches!(notice, Notice::Scanned { .. });
        let text = self.begin(if is_fine { INFO } else { PRIORITY });
        let _ = report::write(&mut Unnamed(text, true), notice, Style::Text { verbose: false });
        self.send();
    }

    fn begin(&mut self, priority: &str) -> &mut FixedText {
        self.text.clear();
        let _ = write!(self.text, "{priority}{NAME}");
        &mut self.text
    }

    /// Writes a line. A log that does not accept it loses it.
    fn send(&mut self) {
        self.text.end_line();
        let line = self.text.as_bytes();
        let _ = match self.kind {
            // With its line end: without one the kernel waits for more (`vprintk_store` in
            // `kernel/printk/printk.c`).
            LogKind::Kmsg => retry(|| write(&self.fd, line)),
            LogKind::Syslog => {
                let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
                retry(|| sendto(self.fd.as_raw_fd(), line.trim_ascii_end(), &self.address, flags))
            }
        };
    }
}

impl Service for SystemLog {
    fn deliver(&mut self, context: &mut Context<'_>) {
        while let Some(notice) = context.notices.next(&mut self.notices, u64::MAX) {
            match notice {
                Notice::OutputDropped { lines } => self.limit.held_back += lines,
                notice => self.write(&notice),
            }
        }
        while let Some(fault) = context.devices.next_forged(&mut self.forged_read) {
            self.write(&Notice::Forged(fault));
        }
    }
}

/// Writes a notice as a log entry, without the name that the log adds.
struct Unnamed<'t>(&'t mut FixedText, bool);

impl Write for Unnamed<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_first = std::mem::take(&mut self.1);
        self.0.write_str(text.strip_prefix(NAME).filter(|_| is_first).unwrap_or(text))
    }
}

/// Passes some lines in each interval and counts the others, by the kernel's own rule
/// (`___ratelimit` in `lib/ratelimit.c`).
#[derive(Default)]
struct RateLimit {
    began: Option<Instant>,
    admitted: u32,
    held_back: u64,
}

impl RateLimit {
    /// Returns whether a line may pass at this time, and the number of lines suppressed before it.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.began.is_none_or(|began| now.since(began) >= INTERVAL) {
            (self.began, self.admitted) = (Some(now), 0);
        }
        if self.admitted == BURST {
            self.held_back = self.held_back.saturating_add(1);
            return None;
        }
        self.admitted += 1;
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sureplug_core::time::Instant;

    use super::{BURST, RateLimit};

    #[test]
    fn lines_beyond_the_burst_are_held_back_and_counted() {
        let mut limit = RateLimit::default();
        let mut admit = |second| limit.admit(Instant::BOOT.after(Duration::from_secs(second)));
        assert!((0..BURST).all(|_| admit(1) == Some(0)));
        assert_eq!([admit(2), admit(3), admit(6), admit(7)], [None, None, Some(2), Some(0)]);
    }
}
