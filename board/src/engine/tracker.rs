use std::collections::VecDeque;
use std::io;
use std::sync::MutexGuard;
use std::time::Duration;

use crate::engine::port_watch::PortWatch;
use sureplug_core::selection::Selection;
use sureplug_core::stream::{Directory, ScanKind, Schedule, Scope};
use sureplug_core::time::{Instant, micros};
use sureplug_core::uevent::Uevent;

use crate::engine::capacity::{BoardStream, take_stream};
use crate::engine::totals::Totals;
use crate::intake::{Noticed, Record};
use crate::report::{Line, Loss, Resync};
use crate::service::log::SystemLog;
use crate::sysfs::{Missing, Subsystems};
use crate::time::{monotonic_now, work_time};

/// Notices that wait at most: they are few, since each stands for many events.
const MAX_NOTICES: usize = 32;

/// What is known: it takes what the intake has noticed, and a scan of sysfs.
pub(super) struct Tracker {
    pub(super) stream: MutexGuard<'static, BoardStream>,
    pub(super) schedule: Schedule,
    pub(super) totals: Totals,
    subsystems: Subsystems,
    selection: Selection,
    /// What was lost and is not resynced yet, and when the first of it was noticed.
    loss: Option<(Instant, Loss)>,
    /// What the last scan could not read.
    pub(super) missing: Option<Missing>,
    /// Whether a loss waits for a scan that can read everything.
    resync_pending: bool,
    no_sysfs_said: bool,
    /// What is to be said beside the events, and behind how many steps of the stream.
    notices: VecDeque<(u64, Line<'static>)>,
    /// Notices for which there was no place, and those of them that were not said to be missing yet.
    pub(super) dropped_notices: u64,
    unsaid: u64,
    table_full_said: bool,
    /// Where what matters is said as well, at once.
    pub(super) log: Option<SystemLog>,
    /// What happens at each port.
    pub(super) ports: PortWatch,
}

impl Tracker {
    pub(super) fn new(subsystems: Subsystems, totals: Totals, selection: Selection) -> io::Result<Self> {
        Ok(Self {
            stream: take_stream()?,
            schedule: Schedule::new(),
            totals,
            subsystems,
            selection,
            loss: None,
            missing: None,
            resync_pending: false,
            no_sysfs_said: false,
            notices: VecDeque::with_capacity(MAX_NOTICES),
            dropped_notices: 0,
            unsaid: 0,
            table_full_said: false,
            log: None,
            ports: PortWatch::new(),
        })
    }

    /// Takes what the intake has noticed.
    pub(super) fn record(&mut self, record: Record<'_>) {
        let at = record.at;
        match record.what {
            Noticed::Event(datagram) => match Uevent::from_kernel(datagram) {
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
                    self.note(Line::Malformed { at, error, length: datagram.len() });
                    self.lose(at, |loss| loss.damaged = loss.damaged.saturating_add(1));
                }
            },
            Noticed::Overrun { dropped, queued, effective } => {
                self.totals.lost += u64::from(dropped);
                self.lose(at, |loss| {
                    if loss.dropped == 0 {
                        (loss.queued, loss.effective) = (queued, effective);
                    }
                    loss.dropped = loss.dropped.saturating_add(dropped);
                });
            }
            Noticed::Truncated => {
                self.totals.truncated += 1;
                self.note(Line::Truncated { at });
                self.lose(at, |loss| loss.damaged = loss.damaged.saturating_add(1));
            }
            Noticed::Foreign(sender) => self.note(Line::Foreign { at, sender }),
        }
    }

    pub(super) fn begin_scan(&mut self, kind: ScanKind) -> Scan {
        let begun = monotonic_now();
        self.schedule.began(kind, begun);
        self.stream.begin_scan(kind);
        // The event of a class or bus itself may have been lost.
        self.subsystems.reopen();
        // What is lost from here on is for the next one.
        let loss = if kind == ScanKind::Resync { self.loss.take() } else { None };
        Scan { kind, begun, work_before: work_time(), loss }
    }

    /// Puts the first scan off: sysfs is not mounted yet.
    pub(super) fn put_off_scan(&mut self) {
        let at = monotonic_now();
        self.schedule.put_off(at);
        if !std::mem::replace(&mut self.no_sysfs_said, true) {
            self.note(Line::NoSysfs { at });
        }
    }

    /// Ends a scan that could not read what is `missing`.
    pub(super) fn end_scan(&mut self, scan: &Scan, missing: Option<Missing>) {
        let at = monotonic_now();
        let outcome = self.stream.end_scan(at);
        let took = at.since(scan.begun);
        self.schedule.ended(at, work_time().saturating_sub(scan.work_before), missing.is_none());
        self.look_at_table(at);
        match scan.kind {
            ScanKind::Start => {
                let devices = self.stream.devices();
                self.note(Line::Scanned { at, devices, took });
            }
            ScanKind::Resync => {
                self.resync_pending = true;
                let done = Resync::Done(outcome, took);
                self.tell_loss(scan.loss, missing.map_or(done, Resync::Incomplete));
            }
            // What was lost since it began is told with the resync that follows, and below what could not be read before
            // and now can.
            ScanKind::Settle
                if outcome.has_resynced()
                    && self.loss.is_none()
                    && (missing.is_some() || self.missing.is_none()) =>
            {
                self.note(Line::Unreported { at, outcome, took });
            }
            ScanKind::Settle => {}
        }
        if missing.is_none() && std::mem::take(&mut self.resync_pending) {
            self.totals.repairs += 1;
            self.totals.last_repair_us = micros(took);
        }
        match (missing, std::mem::replace(&mut self.missing, missing)) {
            (Some(now), before) if before != Some(now) => {
                let retry = self.schedule.retry().unwrap_or_default();
                self.note(Line::Incomplete { at, missing: now, retry });
            }
            (None, Some(_)) => self.note(Line::Completed { at, outcome, took }),
            _ => {}
        }
    }

    /// Says what was lost and will not be made good.
    pub(super) fn give_up(&mut self) {
        let loss = self.loss.take();
        self.tell_loss(loss, Resync::Ending);
    }

    /// The next notice, if all steps of the stream before it have been read.
    pub(super) fn next_notice(&mut self, read_steps: u64) -> Option<Line<'static>> {
        if self.notices.front().is_some_and(|&(behind, _)| behind <= read_steps) {
            return self.notices.pop_front().map(|(_, notice)| notice);
        }
        let lines = std::mem::take(&mut self.unsaid);
        (lines > 0).then_some(Line::OutputDropped { lines })
    }

    /// Notices that wait, and those that had no place and were not said to be missing yet.
    pub(super) fn unsaid_notices(&self) -> [u64; 2] {
        [self.notices.len() as u64, self.unsaid]
    }

    /// A device of a class or bus is below `/devices`: that is where a scan finds it.
    fn scope(&mut self, uevent: &Uevent<'_>) -> Scope {
        if [&b"/class/"[..], b"/bus/", b"/module/"].iter().any(|above| uevent.devpath().starts_with(above)) {
            self.subsystems.forget_absent();
        }
        let tracked = uevent.devpath().starts_with(b"/devices/")
            && uevent.subsystem().is_some_and(|name| self.subsystems.contains(name));
        if tracked { Scope::Tracked } else { Scope::Untracked }
    }

    /// What is at an event's devpath, if that says what the event means.
    fn directory(&mut self, uevent: &Uevent<'_>, scope: Scope) -> Directory {
        if scope == Scope::Tracked && self.stream.wants_directory(uevent) {
            self.subsystems.directory(uevent.devpath())
        } else {
            Directory::Unknown
        }
    }

    /// Sysfs belongs to another network namespace than the socket.
    pub(super) fn find_foreign(&mut self) {
        if self.subsystems.find_foreign() {
            self.note(Line::ForeignSysfs);
        }
    }

    fn lose(&mut self, at: Instant, note: impl FnOnce(&mut Loss)) {
        self.schedule.loss(at);
        let (_, loss) = self.loss.get_or_insert((at, Loss::default()));
        note(loss);
    }

    fn tell_loss(&mut self, loss: Option<(Instant, Loss)>, resync: Resync) {
        if let Some((at, loss)) = loss {
            self.totals.last_loss_us = at.as_micros();
            self.totals.last_loss_events = u64::from(loss.dropped) + u64::from(loss.damaged);
            self.totals.last_repair_us = 0;
            self.note(Line::Loss { at, loss, resync });
        }
    }

    fn look_at_table(&mut self, at: Instant) {
        self.totals.untracked = self.stream.counts().unfit;
        if self.totals.untracked > 0 && !self.table_full_said {
            self.table_full_said = true;
            self.note(Line::TableFull { at });
        }
    }

    pub(super) fn note(&mut self, notice: Line<'static>) {
        if let Some(log) = &mut self.log {
            log.say(&notice);
        }
        if self.notices.len() < MAX_NOTICES {
            self.notices.push_back((self.stream.steps(), notice));
        } else {
            self.dropped_notices += 1;
            self.unsaid += 1;
        }
    }
}

/// A running scan.
pub(super) struct Scan {
    kind: ScanKind,
    begun: Instant,
    /// The thread's processor time when it began.
    work_before: Duration,
    /// What it resyncs.
    loss: Option<(Instant, Loss)>,
}
