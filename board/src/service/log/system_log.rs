//! Writes losses and warnings, but not events, to the kernel log or to syslog.

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

/// The most lines in an interval, equal to the kernel's limit for a program (`devkmsg_write` in
/// `kernel/printk/printk.c`).
const BURST: u32 = 10;

/// The interval of the limit.
const INTERVAL: Duration = Duration::from_secs(5);

/// The longest line in bytes. The kernel truncates lines near 1,000.
const MAX_BYTES: usize = 900;

/// Facility `daemon` (3) and severity `warning` (4), see `syslog(3)`.
const PRIORITY: &str = "<28>";

/// Facility `daemon` and severity `info` (6), for normal conditions.
const INFO: &str = "<30>";

/// The program's name, which also begins each warning.
const NAME: &str = "sureplug: ";

/// The destination of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// The kernel log, `/dev/kmsg`.
    Kmsg,
    /// The syslog daemon that listens on `/dev/log`.
    Syslog,
}

/// An open log, to which writes do not wait.
pub struct SystemLog {
    kind: LogKind,
    fd: OwnedFd,
    /// The address of `/dev/log`, used for each line because the listener may restart.
    address: UnixAddr,
    limit: RateLimit,
    text: FixedText,
    notices: NoticeReader,
    /// The number of forged uevent files that were reported.
    forged_read: usize,
}

impl SystemLog {
    /// Opens a log at its usual path.
    ///
    /// # Errors
    ///
    /// Returns the system's error if the log cannot be opened.
    pub fn open(kind: LogKind) -> io::Result<Self> {
        Self::open_at(kind, Path::new(if kind == LogKind::Kmsg { "/dev/kmsg" } else { "/dev/log" }))
    }

    /// Opens a log at another path.
    ///
    /// # Errors
    ///
    /// Returns the system's error if the log cannot be opened.
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

    /// Checks that a daemon listens on the socket. One that starts later receives the lines from
    /// then on.
    ///
    /// # Errors
    ///
    /// Returns the system's error if `/dev/log` does not accept a connection.
    pub fn check_listener(&self) -> io::Result<()> {
        if self.kind == LogKind::Syslog {
            let probe = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
            connect(probe.as_raw_fd(), &self.address)?;
        }
        Ok(())
    }

    /// Writes a notice, unless the rate limit suppresses it.
    pub fn write(&mut self, notice: &Notice<'_>) {
        let Some(suppressed) = self.limit.admit(monotonic_now()) else { return };
        if suppressed > 0 {
            let _ = writeln!(self.begin(PRIORITY), "{suppressed} lines suppressed");
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

    /// Writes the line. A line that the log does not accept at once is lost.
    fn send(&mut self) {
        self.text.end_line();
        let line = self.text.as_bytes();
        let _ = match self.kind {
            // With its line end, without which the kernel waits for the rest of the line
            // (`vprintk_store` in `kernel/printk/printk.c`).
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
                Notice::OutputDropped { lines } => self.limit.suppressed += lines,
                notice => self.write(&notice),
            }
        }
        while let Some(fault) = context.devices.next_forged(&mut self.forged_read) {
            self.write(&Notice::Forged(fault));
        }
    }
}

/// Writes a notice without its leading name, which is part of the entry's prefix.
struct Unnamed<'t>(&'t mut FixedText, bool);

impl Write for Unnamed<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_first = std::mem::take(&mut self.1);
        self.0.write_str(text.strip_prefix(NAME).filter(|_| is_first).unwrap_or(text))
    }
}

/// Rate limiting for lines, by the kernel's rule (`___ratelimit` in `lib/ratelimit.c`).
#[derive(Default)]
struct RateLimit {
    began: Option<Instant>,
    admitted: u32,
    suppressed: u64,
}

impl RateLimit {
    /// Returns the number of lines suppressed before this one, or `None` if it is suppressed too.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.began.is_none_or(|began| now.since(began) >= INTERVAL) {
            (self.began, self.admitted) = (Some(now), 0);
        }
        if self.admitted == BURST {
            self.suppressed = self.suppressed.saturating_add(1);
            return None;
        }
        self.admitted += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sureplug_core::time::Instant;

    use super::{BURST, RateLimit};

    #[test]
    fn lines_beyond_the_burst_are_suppressed_and_counted() {
        let mut limit = RateLimit::default();
        let mut admit = |second| limit.admit(Instant::BOOT.after(Duration::from_secs(second)));
        assert!((0..BURST).all(|_| admit(1) == Some(0)));
        assert_eq!([admit(2), admit(3), admit(6), admit(7)], [None, None, Some(2), Some(0)]);
    }
}
