//! Telling whoever started the daemon that it is ready, and that it is well: `sd_notify(3)` of systemd, and a line on a
//! file descriptor for s6 and others. Nothing is said to nobody.

use std::env;
use std::ffi::OsStr;
use std::fmt::{Display, Write as _};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, send, socket};
use nix::unistd::write;
use sureplug_core::time::Instant;

use crate::service::log::Text;
use crate::sys;
use crate::time::monotonic_now;

/// Who waits to hear something.
#[derive(Debug)]
pub struct Supervisor {
    /// Of `NOTIFY_SOCKET`, connected.
    notify: Option<OwnedFd>,
    /// How often it wants to hear that all is well, and when next.
    watchdog: Option<(Duration, Instant)>,
    ready: Option<OwnedFd>,
    is_ready: bool,
    /// Whether the last report had something that is missing.
    has_missing: bool,
}

impl Supervisor {
    /// From the environment, and from the number of a descriptor that was handed over. To be called before any other
    /// descriptor is opened.
    ///
    /// # Errors
    ///
    /// What the system says of the descriptor, or of the socket in the environment.
    pub fn find(ready_fd: Option<i32>) -> io::Result<Self> {
        let ready = ready_fd.map(sys::take_descriptor).transpose()?;
        let notify = env::var_os("NOTIFY_SOCKET")
            .filter(|name| !name.is_empty())
            .map(|name| connected(&name))
            .transpose()?;
        let interval = notify.as_ref().and_then(|_| watchdog_interval());
        let watchdog = interval.map(|interval| (interval, monotonic_now()));
        Ok(Self { notify, watchdog, ready, is_ready: false, has_missing: false })
    }

    /// Reports that the daemon serves and knows all devices, or what is `missing`. Only the first report and a
    /// changed one are sent.
    pub fn ready(&mut self, missing: Option<&dyn Display>) {
        let mut text = Text::new();
        // What is too long is cut.
        let _ = match missing {
            Some(missing) => write!(text, "READY=1\nSTATUS={missing}"),
            None if self.has_missing => text.write_str("READY=1\nSTATUS=All devices are known"),
            None => text.write_str("READY=1"),
        };
        if !self.is_ready || missing.is_some() != self.has_missing {
            self.notify(text.as_bytes());
        }
        (self.is_ready, self.has_missing) = (true, missing.is_some());
        if let Some(ready) = self.ready.take() {
            let mut text = Text::new();
            let _ = match missing {
                Some(missing) => writeln!(text, "{missing}"),
                None => text.write_str("\n"),
            };
            let _ = write(&ready, text.as_bytes());
        }
    }

    /// Says that it ends.
    pub fn stopping(&self) {
        self.notify(b"STOPPING=1");
    }

    /// When it wants to hear that all is well.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        self.watchdog.map(|(_, next)| next)
    }

    /// Says that all is well, if that is due.
    pub fn beat(&mut self, now: Instant) {
        let Some((interval, next)) = &mut self.watchdog else { return };
        if *next <= now {
            *next = now.after(*interval);
            self.notify(b"WATCHDOG=1");
        }
    }

    /// It does not wait, and what cannot be said is not said.
    fn notify(&self, text: &[u8]) {
        if let Some(socket) = &self.notify {
            let _ = send(socket.as_raw_fd(), text, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL);
        }
    }
}

/// A name that begins with `@` is not in the file system (unix(7)).
fn connected(name: &OsStr) -> io::Result<OwnedFd> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => UnixAddr::new_abstract(name)?,
        path => UnixAddr::new(path)?,
    };
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
    connect(socket.as_raw_fd(), &address)?;
    Ok(socket)
}

/// Half of what is allowed, as `sd_watchdog_enabled(3)` recommends.
fn watchdog_interval() -> Option<Duration> {
    let number = |key| env::var(key).ok()?.parse::<u64>().ok();
    let is_for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    let allowed = number("WATCHDOG_USEC").filter(|usec| *usec > 0 && is_for_us)?;
    Some(Duration::from_micros(allowed / 2))
}
