//! Puts the daemon together: what reads the socket, and its services.

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

/// A daemon that does not run yet.
pub struct Daemon {
    signals: SignalFd,
    socket: UeventSocket,
    sysfs: PathBuf,
    selection: Selection,
    /// How the buffer was sized.
    pub(crate) sizing: Option<Sizing>,
    /// Sets the priority of the thread that reads the socket.
    pub(crate) policy: ProcessPolicy,
    services: Vec<Box<dyn Service>>,
}

impl Daemon {
    /// Blocks the signals that end the daemon, acknowledge a loss, or must not stop it for a write: before the first event
    /// is queued and before any thread starts, so that none of them takes one.
    ///
    /// # Errors
    ///
    /// No descriptor is left.
    pub fn take_signals() -> io::Result<SignalFd> {
        signals::block(&[Signal::SIGTTOU, Signal::SIGXFSZ])?;
        signals::take(&[Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1])
    }

    /// Takes a bound socket. `sysfs` is `/sys` on a board; events of subsystems that `selection` does not admit are left out.
    #[must_use]
    pub fn new(signals: SignalFd, socket: UeventSocket, sysfs: &Path, selection: Selection) -> Self {
        let (policy, services) = (ProcessPolicy::default(), Vec::new());
        Self { signals, socket, sysfs: sysfs.to_owned(), selection, sizing: None, policy, services }
    }

    /// Attaches a service, if there is one. Services are served in the order in which they were attached, and end in the
    /// opposite one.
    pub fn attach(&mut self, service: Option<impl Service + 'static>) {
        self.services.extend(service.map(|service| -> Box<dyn Service> { Box::new(service) }));
    }

    /// Returns the figures that are known before the start.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let max_stall_ms = self.sizing.map_or(0, |sizing| sizing.profile.max_stall_ms.into());
        Totals { effective: self.socket.effective().0.into(), max_stall_ms, ..Totals::default() }
    }

    /// Starts reading the socket. All memory is allocated when this returns.
    ///
    /// # Errors
    ///
    /// The system's error, when sysfs cannot be opened, the priority is refused, or no thread is left.
    pub fn build(self) -> io::Result<Running> {
        let totals = self.totals();
        let Self { signals, socket, sysfs, selection, sizing, policy, services } = self;
        let intake = policy.with_priority(|| Intake::start(socket)).map_err(io::Error::other)??;
        let engine = Engine::new(intake, &sysfs, selection, totals)?;
        Running::new(engine, signals, sizing.as_ref(), services.into_boxed_slice())
    }
}
