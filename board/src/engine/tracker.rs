use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use sureplug_core::selection::Selection;
use sureplug_core::stream::{Directory, ScanKind, Schedule, Scope};
use sureplug_core::time::{Instant, micros};
use sureplug_core::uevent::Uevent;

use super::capacity::{BoardStream, SLOTS, TABLE_BYTES};
use super::notices::Notices;
use super::port_watch::PortWatch;
use crate::intake::{Counters, Observation, Observed};
use crate::report::{Loss, Notice, Resync, Totals};
use crate::sys;
use crate::sysfs::{Clipped, Devices, Missing, Subsystems};
use crate::time::{monotonic_now, work_time};

/// The engine's state, updated by the intake's observations and by scans of sysfs.
pub(crate) struct Tracker {
    pub(crate) stream: Box<BoardStream>,
    pub(crate) schedule: Schedule,
    pub(crate) totals: Totals,
    subsystems: Subsystems,
    selection: Selection,
    /// The loss that awaits its resync, and the time at which it was first noticed.
    loss: Option<(Instant, Loss)>,
    /// The parts of sysfs that the last scan could not read.
    pub(crate) missing: Option<Missing>,
    /// Whether a loss awaits a complete scan.
    resync_pending: bool,
    has_reported_no_sysfs: bool,
    has_reported_full_table: bool,
    /// The number of lost or damaged events at the operator's last acknowledgement.
    acknowledged: u64,
    pub(crate) notices: Notices,
    /// The counts of each port.
    pub(crate) ports: PortWatch,
}

impl Tracker {
    pub(super) fn new(subsystems: Subsystems, totals: Totals, selection: Selection) -> Self {
        Self {
            stream: sys::new_stream(),
            schedule: Schedule::default(),
            totals,
            subsystems,
            selection,
            loss: None,
            missing: None,
            resync_pending: false,
            has_reported_no_sysfs: false,
            has_reported_full_table: false,
            acknowledged: 0,
            notices: Notices::new(),
            ports: PortWatch::default(),
        }
    }

    /// Applies an observation of the intake.
    pub(super) fn record(&mut self, observation: Observation<'_>) {
        let at = observation.at;
        match observation.what {
            Observed::Event(datagram) => match Uevent::from_kernel(datagram) {
                Ok(uevent) => {
                    self.totals.received += 1;
                    self.ports.event(at, &uevent);
                    if !self.selection.admits(uevent.subsystem()) {
                        self.totals.unselected += 1;
                        return;
                    }
                    self.schedule.event(at);
                    let scope = self.scope(&uevent);
                    let directory = self.directory(&uevent, scope);
                    self.stream.event(at, &uevent, scope, directory);
                    self.look_at_table(at);
                }
                Err(error) => {
                    self.totals.malformed += 1;
                    self.note(Notice::Malformed { at, error, length: datagram.len() });
                    self.lose(at, |loss| loss.damaged = loss.damaged.saturating_add(1));
                }
            },
            Observed::Overrun { dropped, queued, effective } => {
                self.totals.lost += u64::from(dropped);
                self.lose(at, |loss| {
                    if loss.dropped == 0 {
                        (loss.queued, loss.effective) = (queued, effective);
                    }
                    loss.dropped = loss.dropped.saturating_add(dropped);
                });
            }
            Observed::Truncated => {
                self.totals.truncated += 1;
                self.note(Notice::Truncated { at });
                self.lose(at, |loss| loss.damaged = loss.damaged.saturating_add(1));
            }
            Observed::Foreign(sender) => self.note(Notice::Foreign { at, sender }),
        }
    }

    pub(super) fn begin_scan(&mut self, kind: ScanKind) -> RunningScan {
        let begun = monotonic_now();
        self.schedule.began(kind, begun);
        self.stream.begin_scan(kind);
        // The event that announced a class or bus may have been lost.
        self.subsystems.reopen();
        // A loss from here on belongs to the next scan.
        let loss = if kind == ScanKind::Resync { self.loss.take() } else { None };
        RunningScan { kind, begun, work_before: work_time(), loss }
    }

    /// Postpones the first scan because sysfs is not mounted yet.
    pub(super) fn put_off_scan(&mut self) {
        let at = monotonic_now();
        self.schedule.put_off(at);
        if !std::mem::replace(&mut self.has_reported_no_sysfs, true) {
            self.note(Notice::NoSysfs { at });
        }
    }

    /// Ends a scan. `missing` is what it could not read.
    pub(super) fn end_scan(&mut self, scan: &RunningScan, missing: Option<Missing>) {
        let at = monotonic_now();
        let outcome = self.stream.end_scan(at);
        let took = at.since(scan.begun);
        self.schedule.ended(at, work_time().saturating_sub(scan.work_before), missing.is_none());
        self.look_at_table(at);
        match scan.kind {
            ScanKind::Start => {
                let devices = self.stream.devices();
                self.note(Notice::Scanned { at, devices, took });
            }
            ScanKind::Resync => {
                self.resync_pending = true;
                let done = Resync::Done(outcome, took);
                self.report_loss(scan.loss, missing.map_or(done, Resync::Incomplete));
            }
            // A loss since the scan began is reported with the resync that follows. Places that are
            // readable again are reported below.
            ScanKind::Settle
                if outcome.has_resynced()
                    && self.loss.is_none()
                    && (missing.is_some() || self.missing.is_none()) =>
            {
                self.note(Notice::Unreported { at, outcome, took });
            }
            ScanKind::Settle => {}
        }
        if missing.is_none() && std::mem::take(&mut self.resync_pending) {
            self.totals.resyncs += 1;
            self.totals.last_resync_us = micros(took);
        }
        match (missing, std::mem::replace(&mut self.missing, missing)) {
            (Some(now), before) if before != Some(now) => {
                let retry = self.schedule.retry().unwrap_or_default();
                self.note(Notice::Incomplete { at, missing: now, retry });
            }
            (None, Some(_)) => self.note(Notice::Completed { at, outcome, took }),
            _ => {}
        }
    }

    /// Reports a loss that is not resynced before the end.
    pub(super) fn give_up(&mut self) {
        let loss = self.loss.take();
        self.report_loss(loss, Resync::Ending);
    }

    /// Returns [`Scope::Tracked`] for a device of a class or bus below `/devices`, where a scan
    /// finds it.
    fn scope(&mut self, uevent: &Uevent<'_>) -> Scope {
        if [&b"/class/"[..], b"/bus/", b"/module/"].iter().any(|above| uevent.devpath().starts_with(above)) {
            self.subsystems.forget_absent();
        }
        let tracked = uevent.devpath().starts_with(b"/devices/")
            && uevent.subsystem().is_some_and(|name| self.subsystems.contains(name));
        if tracked { Scope::Tracked } else { Scope::Untracked }
    }

    /// Returns the directory at an event's devpath, if the meaning of the event depends on it.
    fn directory(&mut self, uevent: &Uevent<'_>, scope: Scope) -> Directory {
        if scope == Scope::Tracked && self.stream.wants_directory(uevent) {
            self.subsystems.directory(uevent.devpath())
        } else {
            Directory::Unknown
        }
    }

    /// Notes that sysfs belongs to another network namespace than the socket, and reports it once.
    pub(super) fn note_foreign(&mut self) {
        if self.subsystems.note_foreign() {
            self.note(Notice::ForeignSysfs);
        }
    }

    fn lose(&mut self, at: Instant, add: impl FnOnce(&mut Loss)) {
        self.schedule.loss(at);
        let (_, loss) = self.loss.get_or_insert((at, Loss::default()));
        add(loss);
    }

    fn report_loss(&mut self, loss: Option<(Instant, Loss)>, resync: Resync) {
        if let Some((at, loss)) = loss {
            self.totals.last_loss_us = at.as_micros();
            self.totals.last_loss_events = u64::from(loss.dropped) + u64::from(loss.damaged);
            self.totals.last_resync_us = 0;
            self.note(Notice::Loss { at, loss, resync });
        }
    }

    fn look_at_table(&mut self, at: Instant) {
        self.totals.untracked = self.stream.counts().unfit;
        if self.totals.untracked > 0 && !self.has_reported_full_table {
            self.has_reported_full_table = true;
            let (subsystem, devices) = self.stream.largest_subsystem().unwrap_or_default();
            let (subsystem, devices) = (Clipped::of(subsystem), devices as u64);
            let (slots, bytes) = (SLOTS as u64, TABLE_BYTES as u64);
            self.note(Notice::TableFull { at, slots, bytes, subsystem, devices });
        }
    }

    pub(crate) fn note(&mut self, notice: Notice<'static>) {
        self.notices.add(self.stream.steps(), notice);
    }

    /// Notes that the operator has acknowledged all losses so far.
    pub(crate) const fn acknowledge(&mut self) {
        self.acknowledged = self.totals.damaged_or_lost();
    }

    /// Updates the figures that are counted elsewhere.
    pub(crate) fn count(&mut self, intake: &Counters, devices: &Devices) {
        let stream = &self.stream;
        self.totals = Totals {
            foreign: intake.foreign.load(Relaxed),
            peak_queued: intake.peak_queued.load(Relaxed),
            longest_stall_us: intake.longest_stall_us.load(Relaxed),
            devices: stream.devices() as u64,
            unknown_removals: stream.counts().unknown_removals,
            table_used: stream.used_bytes() as u64,
            unacknowledged: self.totals.damaged_or_lost() - self.acknowledged,
            unreadable: self.missing.map_or(0, |missing| missing.count.into()),
            forged_lines: devices.forgery_count(),
            ..self.totals
        };
    }
}

/// A running scan.
pub(super) struct RunningScan {
    kind: ScanKind,
    begun: Instant,
    /// The thread's processor time when the scan began.
    work_before: Duration,
    /// The loss that the scan resyncs.
    loss: Option<(Instant, Loss)>,
}
