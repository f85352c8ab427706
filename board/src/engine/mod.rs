//! The engine runs on one thread: socket → intake → device table → journal, and the scans that
//! resync. The daemon runs its services from it. A [`Watcher`](crate::watcher::Watcher) serves the
//! program that embeds it.

pub mod capacity;
mod notices;
pub(crate) mod port_watch;
mod scan;
mod service;
mod tracker;

use std::io;
use std::path::Path;

use nix::poll::PollTimeout;
use sureplug_core::selection::Selection;
use sureplug_core::stream::{Agreement, ScanKind};

pub use notices::{NoticeReader, Notices};
pub use service::{Context, Health, Service};

use crate::intake::{Intake, RECORDS_A_TURN};
use crate::report::{Notice, Totals};
use crate::socket::reach;
use crate::sysfs::{Devices, Subsystems};
use crate::time::monotonic_now;
use tracker::Tracker;

/// Applies the intake's observations to the device table, and resyncs the table with sysfs.
pub(crate) struct Engine {
    pub(crate) intake: Intake,
    pub(crate) tracker: Tracker,
    pub(crate) devices: Devices,
    /// Whether some of the kernel's events cannot arrive in this namespace.
    pub(crate) is_restricted: bool,
    /// Whether a service runs a program for each event, as the kernel's own helper does.
    pub(crate) runs_programs: bool,
}

impl Engine {
    /// Creates an engine that reads a running intake.
    ///
    /// `totals` holds the figures that do not change. Events of subsystems outside `selection` are
    /// discarded.
    pub(crate) fn new(
        intake: Intake,
        sysfs: &Path,
        selection: Selection,
        totals: Totals,
    ) -> io::Result<Self> {
        let mut engine = Self {
            intake,
            tracker: Tracker::new(Subsystems::open(sysfs)?, totals, selection.clone()),
            devices: Devices::open(sysfs, selection)?,
            is_restricted: reach::is_restricted(),
            runs_programs: false,
        };
        if engine.is_restricted {
            engine.tracker.note(Notice::Restricted);
        }
        Ok(engine)
    }

    /// Processes records of the ring up to a limit, and scans sysfs if a scan is due. Calls
    /// `deliver` whenever consumers may have something to read.
    pub(crate) fn advance(&mut self, deliver: &mut dyn FnMut(&mut Self)) -> io::Result<()> {
        // The limit keeps a storm from delaying signals.
        self.drain(RECORDS_A_TURN);
        // Consumers see a loss before its resync begins.
        deliver(self);
        if self.scan_if_due(deliver)? {
            deliver(self);
        }
        Ok(())
    }

    /// Scans sysfs if a scan is due. Returns `true` if it was.
    pub(crate) fn scan_if_due(&mut self, deliver: &mut dyn FnMut(&mut Self)) -> io::Result<bool> {
        let due = self.tracker.schedule.due(monotonic_now());
        due.map_or(Ok(false), |kind| self.scan(kind, deliver).map(|()| true))
    }

    /// Processes up to `limit` records of the ring, and returns their number.
    pub(crate) fn drain(&mut self, limit: usize) -> usize {
        let Self { intake, tracker, .. } = self;
        intake.take(limit, |record| tracker.record(record))
    }

    /// Stops the intake, processes everything queued, and resyncs the losses up to then. Returns
    /// the socket's error if one ended the intake.
    pub(crate) fn end(&mut self, deliver: &mut dyn FnMut(&mut Self)) -> io::Result<()> {
        self.intake.request_stop();
        while !(self.intake.has_ended() && self.intake.is_empty()) {
            self.drain(RECORDS_A_TURN);
            deliver(self);
            self.intake.wait_or(None, PollTimeout::NONE)?;
        }
        match self.tracker.schedule.agreement() {
            Agreement::Lossy if self.tracker.schedule.is_lossy() => self.scan(ScanKind::Resync, deliver)?,
            Agreement::Lossy => self.scan(ScanKind::Settle, deliver)?,
            Agreement::Starting | Agreement::Steady => {}
        }
        let socket_error = self.intake.join();
        self.tracker.give_up();
        deliver(self);
        socket_error
    }
}
