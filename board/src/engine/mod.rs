//! The loop on one thread: intake → loss → device table → journal → services, and the scans that resync.

pub mod capacity;
mod notices;
pub(crate) mod port_watch;
mod scan;
mod service;
mod tracker;

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;
use sureplug_core::time::Instant;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signalfd::SignalFd;
use sureplug_core::selection::Selection;
use sureplug_core::stream::{Agreement, DeliveryBuffer, ScanKind};

pub use notices::{NoticeReader, Notices};
pub use service::{Context, Health, Service};

use crate::intake::{Intake, RECORDS_A_TURN};
use crate::profile::Sizing;
use crate::report::{Notice, Totals};
use crate::socket::reach;
use crate::sysfs::{Devices, Subsystems};
use crate::time::monotonic_now;
use tracker::Tracker;

const SIGINT: u32 = nix::libc::SIGINT.cast_unsigned();
const SIGUSR1: u32 = nix::libc::SIGUSR1.cast_unsigned();

/// What is polled that is no service. A service is polled with its number.
const BELL: u64 = u64::MAX;
const SIGNALS: u64 = u64::MAX - 1;

/// Descriptors that one poll reports; further ones come with the next.
const MAX_READY: usize = 8;

/// Takes records and serves its services until the daemon ends.
pub struct Engine {
    intake: Intake,
    tracker: Tracker,
    devices: Devices,
    services: Box<[Box<dyn Service>]>,
    poll: Epoll,
    signals: SignalFd,
    packet: Box<DeliveryBuffer>,
    sizing: Option<Sizing>,
    started: Instant,
    /// Whether some of the kernel's events cannot arrive here.
    is_restricted: bool,
    ended_by: Option<&'static str>,
}

impl Engine {
    /// Puts an engine behind a running intake. `totals` holds the figures that do not change. Events of subsystems that
    /// `selection` does not admit are left out.
    pub(crate) fn new(
        intake: Intake,
        sysfs: &Path,
        selection: Selection,
        signals: SignalFd,
        sizing: Option<&Sizing>,
        totals: Totals,
        mut services: Box<[Box<dyn Service>]>,
    ) -> io::Result<Self> {
        let mut tracker = Tracker::new(Subsystems::open(sysfs)?, totals, selection.clone())?;
        let poll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let watch = |fd, number| poll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, number));
        watch(intake.doorbell().as_fd(), BELL)?;
        watch(signals.as_fd(), SIGNALS)?;
        for (service, number) in services.iter_mut().zip(0..) {
            service.join(&mut tracker.stream);
            service.fd().map_or(Ok(()), |fd| watch(fd, number))?;
        }
        Ok(Self {
            intake,
            tracker,
            devices: Devices::open(sysfs, selection)?,
            services,
            poll,
            signals,
            packet: Box::new(DeliveryBuffer::new()),
            sizing: sizing.copied(),
            started: monotonic_now(),
            is_restricted: reach::is_restricted(),
            ended_by: None,
        })
    }

    /// Runs until a signal comes or a service ends it, and returns what was counted.
    ///
    /// # Errors
    ///
    /// The system's error, if the socket or a descriptor of the daemon's own fails.
    pub fn run(mut self) -> io::Result<Totals> {
        if self.is_restricted {
            self.tracker.note(Notice::Restricted);
        }
        while self.ended_by.is_none() {
            self.drain();
            if let Some(kind) = self.tracker.schedule.due(monotonic_now()) {
                // The loss shows before its resync begins.
                self.deliver();
                self.scan(kind)?;
            }
            self.deliver();
            self.wait()?;
        }
        self.services.iter_mut().for_each(|service| service.stop());
        self.read_the_rest()?;
        let socket_error = self.intake.join();
        self.tracker.give_up();
        self.deliver();
        self.tracker.totals.ended_by = self.ended_by.unwrap_or_default();
        let services = std::mem::take(&mut self.services);
        self.with_context(|context, _| {
            for service in services.into_iter().rev() {
                service.finish(context);
            }
        });
        socket_error.map(|()| self.tracker.totals)
    }

    /// Handles what is in the ring, up to a limit, so that a storm does not keep a signal waiting.
    fn drain(&mut self) {
        let Self { intake, tracker, .. } = self;
        intake.take(RECORDS_A_TURN, |record| tracker.record(record));
    }

    fn deliver(&mut self) {
        self.with_context(|context, services| {
            for service in services {
                service.deliver(context);
            }
        });
    }

    /// Calls services, and does what they ask for.
    fn with_context(&mut self, call: impl FnOnce(&mut Context<'_>, &mut [Box<dyn Service>])) {
        let now = monotonic_now();
        let Self { intake, tracker, devices, services, packet, .. } = self;
        tracker.count(intake.counters(), devices);
        let mut context = Context {
            now,
            health: Health {
                agreement: tracker.schedule.agreement(),
                is_restricted: self.is_restricted,
                is_foreign: devices.is_foreign(),
                unacknowledged: tracker.totals.unacknowledged,
            },
            stream: &mut tracker.stream,
            packet,
            missing: tracker.missing,
            totals: &mut tracker.totals,
            notices: &mut tracker.notices,
            devices,
            ports: &tracker.ports,
            started: self.started,
            sizing: self.sizing.as_ref(),
            signals: self.signals.as_fd(),
            has_delivered: false,
            wants_scan: false,
            ended_by: self.ended_by,
        };
        call(&mut context, services);
        let Context { has_delivered, wants_scan, ended_by, .. } = context;
        self.ended_by = ended_by;
        // Tombstones that waited for a consumer may have made room.
        if wants_scan || has_delivered && self.tracker.stream.is_overflowing() {
            self.tracker.schedule.event(now);
        }
    }

    /// Sleeps until there is something to do, and hands out input and what is due.
    fn wait(&mut self) -> io::Result<()> {
        let until_due = self.until_due();
        let mut events = [EpollEvent::empty(); MAX_READY];
        let Self { intake, services, poll, .. } = self;
        let is_idle = || services.iter_mut().fold(true, |is_idle, service| is_idle & !service.is_busy());
        let count = intake.wait(is_idle, |may_sleep| {
            let timeout = if may_sleep { until_due } else { EpollTimeout::ZERO };
            let count = match poll.wait(&mut events, timeout) {
                Err(Errno::EINTR) => 0,
                count => count?,
            };
            Ok((events[..count].iter().any(|event| event.data() == BELL), count))
        })?;
        let has_input = |number| events[..count].iter().any(|event| event.data() == number);
        self.with_context(|context, services| {
            for (service, number) in services.iter_mut().zip(0..) {
                if has_input(number) || service.deadline().is_some_and(|at| at <= context.now) {
                    service.ready(context);
                }
            }
        });
        if has_input(SIGNALS) {
            match self.signals.read_signal()?.map(|signal| signal.ssi_signo) {
                Some(SIGUSR1) => self.tracker.acknowledge(),
                Some(SIGINT) => self.ended_by = Some("SIGINT"),
                Some(_) => self.ended_by = Some("SIGTERM"),
                None => {}
            }
        }
        if self.intake.has_ended() {
            self.ended_by.get_or_insert("the socket's failure");
        }
        Ok(())
    }

    /// Returns the time until something is due if nothing happens, in whole milliseconds and not less.
    fn until_due(&self) -> EpollTimeout {
        let services = self.services.iter().filter_map(|service| service.deadline());
        let Some(at) = services.chain(self.tracker.schedule.wake_at()).min() else {
            return EpollTimeout::NONE;
        };
        let left = at.since(monotonic_now());
        EpollTimeout::try_from(left.saturating_add(Duration::from_micros(999))).unwrap_or(EpollTimeout::MAX)
    }

    /// Ends the intake with all that is queued, and resyncs what was lost up to there.
    fn read_the_rest(&mut self) -> io::Result<()> {
        self.intake.request_stop();
        while !(self.intake.has_ended() && self.intake.is_empty()) {
            self.drain();
            self.deliver();
            self.intake.wait_or(None, EpollTimeout::NONE)?;
        }
        match self.tracker.schedule.agreement() {
            Agreement::Lossy if self.tracker.schedule.is_lossy() => self.scan(ScanKind::Resync),
            Agreement::Lossy => self.scan(ScanKind::Settle),
            Agreement::Starting | Agreement::Steady => Ok(()),
        }
    }
}
