//! Reports readiness and health to the program that started the daemon: `sd_notify(3)` of systemd,
//! and a line on a file descriptor for s6 and others.

use std::env;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;
use sureplug_core::time::Instant;

use nix::poll::PollTimeout;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use nix::unistd::write;
use sureplug_core::stream::Agreement;

use crate::doorbell::poll_out;
use crate::engine::{Context, Service};
use crate::report::FixedText;
use crate::sys;
use crate::time::monotonic_now;

/// The largest report in bytes.
const MAX_BYTES: usize = 900;

/// The prefix of a report other than a plain `READY=1`.
const HEAD: &str = "READY=1\nSTATUS=";

/// The receivers of reports.
#[derive(Debug)]
pub struct Supervisor {
    /// The connected socket of `NOTIFY_SOCKET`.
    notify: Option<OwnedFd>,
    /// The interval between watchdog reports, and the time of the next one.
    watchdog: Option<(Duration, Instant)>,
    /// The descriptor of `--ready-fd`, until readiness was reported on it.
    ready: Option<OwnedFd>,
    is_ready: bool,
    /// Whether the last report was of an incomplete view.
    has_missing: bool,
    text: FixedText,
}

impl Supervisor {
    /// Connects to `NOTIFY_SOCKET` and takes over the inherited descriptor `ready_fd`.
    ///
    /// Must be called before any other descriptor is opened, which could get that number.
    ///
    /// # Errors
    ///
    /// Returns the system's error if the descriptor is not open or the socket cannot be connected.
    pub fn find(ready_fd: Option<i32>) -> io::Result<Self> {
        let ready = ready_fd.map(sys::take_descriptor).transpose()?;
        let notify = env::var_os("NOTIFY_SOCKET")
            .filter(|name| !name.is_empty())
            .map(|name| connected(&name))
            .transpose()?;
        let interval = notify.as_ref().and_then(|_| watchdog_interval());
        let watchdog = interval.map(|interval| (interval, monotonic_now()));
        Ok(Self {
            notify,
            watchdog,
            ready,
            is_ready: false,
            has_missing: false,
            text: FixedText::new(MAX_BYTES),
        })
    }

    /// Reports readiness, and whether the device table is complete. Sends only the first report and
    /// changes.
    fn report_readiness(&mut self, context: &Context<'_>) {
        let has_missing = context.missing.is_some() || context.health.is_limited();
        if context.health.agreement == Agreement::Starting || self.is_ready && has_missing == self.has_missing
        {
            return;
        }
        let state = match &context.missing {
            Some(_) => "Devices are missing: sysfs could not be read: ",
            None if context.health.is_restricted => "Only events of net devices can arrive",
            None if context.health.is_foreign => "Sysfs belongs to another network namespace",
            None => "All devices are known",
        };
        self.text.clear();
        // `FixedText` truncates text that is too long.
        let _ = write!(self.text, "{HEAD}{state}");
        if let Some(missing) = &context.missing {
            let _ = write!(self.text, "{missing}");
        }
        let is_plain = !has_missing && !self.is_ready;
        self.notify(if is_plain { "READY=1" } else { &self.text });
        if let Some(ready) = self.ready.take() {
            let _ = self.text.write_str("\n");
            self.text.end_line();
            let line = if is_plain { "\n" } else { &self.text[HEAD.len()..] };
            // A pipe that can be written takes 4,096 bytes (pipe(7)); a full one must not delay the
            // engine.
            if poll_out(ready.as_fd(), None, PollTimeout::ZERO).unwrap_or(false) {
                let _ = write(&ready, line.as_bytes());
            }
        }
        (self.is_ready, self.has_missing) = (true, has_missing);
    }

    /// Sends a report without waiting. One that cannot be sent is dropped.
    fn notify(&self, text: &str) {
        if let Some(socket) = &self.notify {
            let _ = sys::send_now(socket, text.as_bytes());
        }
    }
}

impl Service for Supervisor {
    fn deadline(&self) -> Option<Instant> {
        self.watchdog.map(|(_, next)| next)
    }

    fn deliver(&mut self, context: &mut Context<'_>) {
        self.report_readiness(context);
        if let Some((interval, next)) = &mut self.watchdog {
            if *next <= context.now {
                *next = context.now.after(*interval);
                self.notify("WATCHDOG=1");
            }
        }
    }

    fn stop(&mut self) {
        self.notify("STOPPING=1");
    }
}

/// Returns a socket connected to `NOTIFY_SOCKET`. A leading `@` marks an abstract address
/// (unix(7)).
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

/// Returns half the watchdog timeout, the interval that `sd_watchdog_enabled(3)` recommends.
fn watchdog_interval() -> Option<Duration> {
    let number = |key| env::var(key).ok()?.parse::<u64>().ok();
    let is_for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    let allowed = number("WATCHDOG_USEC").filter(|usec| *usec > 0 && is_for_us)?;
    Some(Duration::from_micros(allowed / 2))
}
