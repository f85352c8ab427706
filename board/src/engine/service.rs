//! The interface between the engine and its services.

use std::os::fd::BorrowedFd;

use sureplug_core::stream::Agreement;
use sureplug_core::stream::DeliveryBuffer;

use super::capacity::BoardStream;
use super::notices::Notices;
use super::port_watch::PortWatch;
use crate::profile::Sizing;
use crate::report::{Notice, Totals};
use crate::sysfs::{Devices, Missing};
use sureplug_core::time::Instant;

/// A service attached to the stream. The engine calls each in turn. No call may wait or allocate.
pub trait Service {
    /// Joins the stream as a consumer, before the first scan.
    fn join(&mut self, _stream: &mut BoardStream) {}

    /// Returns the descriptor to poll for input, which stays the same.
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Returns the time at which something is due without input.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Returns `true` if the service runs a program for each event, as the kernel's own helper
    /// does.
    fn runs_programs(&self) -> bool {
        false
    }

    /// Prepares for the engine's sleep. Returns `true` if the service has more to do at once.
    fn is_busy(&mut self) -> bool {
        false
    }

    /// Handles input, or work that is due.
    fn ready(&mut self, _context: &mut Context<'_>) {}

    /// Takes as many deliveries, notices and changes of state as it can without waiting.
    fn deliver(&mut self, context: &mut Context<'_>);

    /// Notes that the daemon is about to end.
    fn stop(&mut self) {}

    /// Ends the service after the last delivery.
    fn finish(self: Box<Self>, _context: &mut Context<'_>) {}
}

/// The parts of the engine that a service may use.
pub struct Context<'e> {
    /// The time of this call.
    pub now: Instant,
    /// The stream.
    pub stream: &'e mut BoardStream,
    /// Memory for one delivery.
    pub packet: &'e mut DeliveryBuffer,
    /// How well the device table agrees with sysfs.
    pub health: Health,
    /// The parts of sysfs that the last scan could not read.
    pub missing: Option<Missing>,
    /// The counters. Each service adds its own.
    pub totals: &'e mut Totals,
    /// Notices for the operator.
    pub notices: &'e mut Notices,
    /// Reads sysfs, and keeps the findings of scans for the operator.
    pub(crate) devices: &'e Devices,
    /// The counts of each port.
    pub ports: &'e PortWatch,
    /// When the engine started.
    pub started: Instant,
    /// How the buffer was sized.
    pub sizing: Option<&'e Sizing>,
    /// Readable when the operator wants the daemon to end.
    pub signals: BorrowedFd<'e>,
    /// Set by a service that took a delivery.
    pub has_delivered: bool,
    /// The cause, set by a service that ends the daemon.
    pub ended_by: Option<&'static str>,
}

impl Context<'_> {
    /// Adds a notice after all steps of the stream so far.
    pub fn note(&mut self, notice: Notice<'static>) {
        self.notices.add(self.stream.steps(), notice);
    }
}

/// How well the device table agrees with sysfs.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    /// The agreement as far as events and scans show it.
    pub agreement: Agreement,
    /// Whether only events of this network namespace's devices can arrive.
    pub is_restricted: bool,
    /// Whether sysfs belongs to another network namespace.
    pub is_foreign: bool,
    /// Events lost or damaged since the operator's last acknowledgement.
    pub unacknowledged: u64,
}

impl Health {
    /// Returns `true` if some events cannot arrive, or a scan cannot find all devices.
    pub(crate) const fn is_limited(self) -> bool {
        self.is_restricted || self.is_foreign
    }
}
