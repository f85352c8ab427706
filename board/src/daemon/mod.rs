//! Assembles the daemon: the reader of the socket, and the services.

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

/// A daemon that is not running yet.
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
    /// Blocks the signals that end the daemon, that acknowledge a loss, or that must not stop it
    /// for a write. This must precede the first queued event and the first thread, so that no
    /// thread takes such a signal.
    ///
    /// # Errors
    ///
    /// Returns an error if no descriptor is left.
    pub fn take_signals() -> io::Result<SignalFd> {
        signals::block(&[Signal::SIGTTOU, Signal::SIGXFSZ])?;
        signals::take(&[Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1])
    }

    /// Takes a bound socket. `sysfs` is `/sys` on a board; events of subsystems outside `selection`
    /// are discarded.
    #[must_use]
    pub fn new(signals: SignalFd, socket: UeventSocket, sysfs: &Path, selection: Selection) -> Self {
        let (policy, services) = (ProcessPolicy::default(), Vec::new());
        Self { signals, socket, sysfs: sysfs.to_owned(), selection, sizing: None, policy, services }
    }

    /// Attaches a service, if there is one. Services run in the order in which they were attached,
    /// and end in reverse order.
    pub fn attach(&mut self, service: Option<impl Service + 'static>) {
        self.services.extend(service.map(|service| -> Box<dyn Service> { Box::new(service) }));
    }

    /// Returns the figures known before the start.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let max_stall_ms = self.sizing.map_or(0, |sizing| sizing.profile.max_stall_ms.into());
        Totals { effective: self.socket.effective().0.into(), max_stall_ms, ..Totals::default() }
    }

    /// Starts reading the socket. All memory has been allocated when this returns.
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
