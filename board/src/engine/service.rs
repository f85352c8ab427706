//! What the engine and its services know of each other.

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

/// Something that is attached to the stream, served by the engine in turn with the others. No call may wait or allocate.
pub trait Service {
    /// Joins the stream as a consumer, before the first scan.
    fn join(&mut self, _stream: &mut BoardStream) {}

    /// Returns the descriptor to poll for input, which stays the same.
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Returns when something is due if there is no input.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Returns `true` if a program is run for each event, as the kernel's own helper is.
    fn runs_programs(&self) -> bool {
        false
    }

    /// Prepares for the engine's sleep. Returns `true` if there is more to do at once.
    fn is_busy(&mut self) -> bool {
        false
    }

    /// Handles input, or what is due.
    fn ready(&mut self, _context: &mut Context<'_>) {}

    /// Takes deliveries, notices and state, as many as it can without waiting.
    fn deliver(&mut self, context: &mut Context<'_>);

    /// Notes that the daemon is about to end.
    fn stop(&mut self) {}

    /// Ends, after the last delivery.
    fn finish(self: Box<Self>, _context: &mut Context<'_>) {}
}

/// What a service may use of the engine.
pub struct Context<'e> {
    /// The time at which the engine called its services.
    pub now: Instant,
    /// The stream.
    pub stream: &'e mut BoardStream,
    /// Memory for one delivery.
    pub packet: &'e mut DeliveryBuffer,
    /// How well the device table agrees with sysfs.
    pub health: Health,
    /// What the last scan could not read.
    pub missing: Option<Missing>,
    /// The counters. Each service adds its own.
    pub totals: &'e mut Totals,
    /// Notices for the operator.
    pub notices: &'e mut Notices,
    /// What scans found that the operator should know.
    pub(crate) devices: &'e Devices,
    /// What happened at each port.
    pub ports: &'e PortWatch,
    /// When the engine started.
    pub started: Instant,
    /// How the buffer was sized.
    pub sizing: Option<&'e Sizing>,
    /// Readable once the operator wants the daemon to end.
    pub signals: BorrowedFd<'e>,
    /// Set by a service that took a delivery.
    pub has_delivered: bool,
    /// Set by a service that ends the daemon: the cause.
    pub ended_by: Option<&'static str>,
}

impl Context<'_> {
    /// Adds a notice behind what the stream has so far.
    pub fn note(&mut self, notice: Notice<'static>) {
        self.notices.add(self.stream.steps(), notice);
    }
}

/// How well the device table agrees with sysfs.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    /// As far as events and scans show.
    pub agreement: Agreement,
    /// Whether only events of this network namespace's devices can arrive.
    pub is_restricted: bool,
    /// Whether sysfs belongs to another network namespace.
    pub is_foreign: bool,
    /// Events lost or damaged since the operator acknowledged that.
    pub unacknowledged: u64,
}

impl Health {
    /// Returns `true` if some events cannot arrive, or a scan cannot find all devices.
    pub(crate) const fn is_limited(self) -> bool {
        self.is_restricted || self.is_foreign
    }
}
