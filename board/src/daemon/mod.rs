//! Assembles the daemon: the socket's reader and the services.

mod running;

use std::io;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use sureplug_core::selection::Selection;

use crate::engine::{Engine, Service};
use crate::intake::Intake;
use crate::process_policy::ProcessPolicy;
use crate::profile::Sizing;
use crate::report::Totals;
use crate::signals;
use crate::socket::UeventSocket;
pub use running::Running;

/// A daemon that has not started.
pub struct Daemon {
    signals: SignalFd,
    socket: UeventSocket,
    sysfs: PathBuf,
    selection: Selection,
    /// The sizing of the buffer.
    pub(crate) sizing: Option<Sizing>,
    /// Sets the priority of the thread that reads the socket.
    pub(crate) policy: ProcessPolicy,
    services: Vec<Box<dyn Service>>,
}

impl Daemon {
    /// Blocks the daemon's signals, and returns a descriptor to read them from.
    ///
    /// They are those that end the daemon, acknowledge a loss, or would stop or kill it for a
    /// write. Call it before the first event is queued and before any thread starts: threads
    /// inherit the mask.
    ///
    /// # Errors
    ///
    /// Returns the system's error if no descriptor is left.
    pub fn take_signals() -> io::Result<SignalFd> {
        signals::block(&[Signal::SIGTTOU, Signal::SIGXFSZ])?;
        signals::take(&[Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1])
    }

    /// Creates a daemon that reads a bound socket. `sysfs` is `/sys` on a board. Events of
    /// subsystems outside `selection` are discarded.
    #[must_use]
    pub fn new(signals: SignalFd, socket: UeventSocket, sysfs: &Path, selection: Selection) -> Self {
        let (policy, services) = (ProcessPolicy::default(), Vec::new());
        Self { signals, socket, sysfs: sysfs.to_owned(), selection, sizing: None, policy, services }
    }

    /// Attaches a service, if given. Services run in the order of attachment, and end in reverse
    /// order.
    pub fn attach(&mut self, service: Option<impl Service + 'static>) {
        self.services.extend(service.map(|service| -> Box<dyn Service> { Box::new(service) }));
    }

    /// Returns the figures known before the start.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let max_stall_ms = self.sizing.map_or(0, |sizing| sizing.profile.max_stall_ms.into());
        Totals { effective: self.socket.effective().0.into(), max_stall_ms, ..Totals::default() }
    }

    /// Starts reading the socket. All memory is allocated by the time this returns.
    ///
    /// # Errors
    ///
    /// Returns the system's error if sysfs cannot be opened, the priority is refused, or no thread
    /// is left.
    pub fn build(self) -> io::Result<Running> {
        let totals = self.totals();
        let Self { signals, socket, sysfs, selection, sizing, policy, services } = self;
        let intake = policy.with_priority(|| Intake::start(socket)).map_err(io::Error::other)??;
        let engine = Engine::new(intake, &sysfs, selection, totals)?;
        Running::new(engine, signals, sizing.as_ref(), services.into_boxed_slice())
    }
}
