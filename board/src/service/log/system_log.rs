//! What matters, beside the kernel's own lines or in the system's log: losses and warnings, not events.

use std::fmt::{self, Write};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use crate::service::log::rate_limit::RateLimit;
use nix::fcntl::{OFlag, open};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, sendto, socket};
use nix::sys::stat::Mode;
use nix::unistd::write;

use crate::report::{Line, Style};
use crate::time::monotonic_now;

/// Lines in each interval: what the kernel takes from a program too (`devkmsg_write` in `kernel/printk/printk.c`).
const BURST: u32 = 10;
const INTERVAL: Duration = Duration::from_secs(5);

/// Bytes of a line at most; the kernel's are cut near 1,000.
const MAX_BYTES: usize = 900;

/// Facility `daemon` (3), severity `warning` (4): see `syslog(3)`.
const PRIORITY: &str = "<28>";

/// The same with severity `info` (6), for what is as it should be.
const INFO: &str = "<30>";

/// Where such lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// The kernel's ring, `/dev/kmsg`.
    Kmsg,
    /// Whoever listens at `/dev/log`.
    Syslog,
}

/// A log that is open. Nothing of it is on the heap, and nobody waits for who reads it.
pub struct SystemLog {
    kind: LogKind,
    fd: OwnedFd,
    /// Of `/dev/log`, which may come later or anew.
    address: UnixAddr,
    limit: RateLimit,
    text: Text,
}

impl SystemLog {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn open(kind: LogKind) -> io::Result<Self> {
        Self::open_at(kind, Path::new(if kind == LogKind::Kmsg { "/dev/kmsg" } else { "/dev/log" }))
    }

    /// The same with another path.
    ///
    /// # Errors
    ///
    /// What the system says.
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
        let address = UnixAddr::new(path)?;
        let limit = RateLimit::new(BURST, INTERVAL);
        Ok(Self { kind, fd, address, limit, text: Text::new() })
    }

    /// Whether somebody takes lines now; one who comes later is found all the same.
    ///
    /// # Errors
    ///
    /// What the system says of `/dev/log`.
    pub fn is_heard(&self) -> io::Result<()> {
        if self.kind == LogKind::Syslog {
            let probe = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
            connect(probe.as_raw_fd(), &self.address)?;
        }
        Ok(())
    }

    /// Says a line that is no event, unless there were too many.
    pub fn say(&mut self, line: &Line<'_>) {
        if let Line::Event(_) | Line::Totals(_) = line {
            return;
        }
        let Some(held_back) = self.limit.admit(monotonic_now()) else { return };
        if held_back > 0 {
            self.text.length = 0;
            // What is too long is cut.
            let _ = writeln!(self.text, "{PRIORITY}sureplug: {held_back} lines held back");
            self.send();
        }
        self.text.length = 0;
        let is_fine = matches!(line, Line::Scanned { .. });
        let _ = self.text.write_str(if is_fine { INFO } else { PRIORITY });
        let _ = self.text.write_str("sureplug: ");
        let _ = line.write(&mut Lines(&mut self.text), Style::Text { verbose: false });
        self.send();
    }

    /// A log that does not take it loses it.
    fn send(&mut self) {
        if let (MAX_BYTES, Some(last)) = (self.text.length, self.text.bytes.last_mut()) {
            *last = b'\n';
        }
        let line = &self.text.bytes[..self.text.length];
        let _ = match self.kind {
            // Its line end with it: without one the kernel waits for more (`vprintk_store` in `kernel/printk/printk.c`).
            LogKind::Kmsg => write(&self.fd, line),
            LogKind::Syslog => {
                sendto(self.fd.as_raw_fd(), line.trim_ascii_end(), &self.address, MsgFlags::MSG_NOSIGNAL)
            }
        };
    }
}

/// Text in fixed memory; the rest is cut off.
pub(crate) struct Text {
    bytes: [u8; MAX_BYTES],
    length: usize,
}

impl Text {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; MAX_BYTES], length: 0 }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.length..];
        let length = whole_chars(text, room.len());
        room[..length].copy_from_slice(&text.as_bytes()[..length]);
        self.length += length;
        Ok(())
    }
}

/// How much of a text fits, in whole characters.
fn whole_chars(text: &str, room: usize) -> usize {
    (0..=room.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0)
}

/// A line as a log has it: without the name that is in front already.
struct Lines<'t>(&'t mut Text);

impl Write for Lines<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let has_name = self.0.length == PRIORITY.len() + "sureplug: ".len();
        let text = if has_name { text.strip_prefix("sureplug: ").unwrap_or(text) } else { text };
        self.0.write_str(text)
    }
}
