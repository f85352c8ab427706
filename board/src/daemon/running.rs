//! The daemon's loop: the engine and its services, until a signal arrives.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signalfd::SignalFd;
use sureplug_core::stream::DeliveryBuffer;
use sureplug_core::time::Instant;

use crate::engine::{Context, Engine, Health, Service};
use crate::profile::Sizing;
use crate::report::Totals;
use crate::time::monotonic_now;

const SIGINT: u32 = nix::libc::SIGINT.cast_unsigned();
const SIGUSR1: u32 = nix::libc::SIGUSR1.cast_unsigned();

/// The poll keys of descriptors other than a service's. A service's key is its number.
const BELL: u64 = u64::MAX;
const SIGNALS: u64 = u64::MAX - 1;

/// The most descriptors that one poll reports. The next poll reports the others.
const MAX_READY: usize = 8;

/// A daemon that reads its socket.
pub struct Running {
    engine: Engine,
    services: Services,
    poll: Epoll,
}

/// The services, and the parts of their context outside the engine.
struct Services {
    all: Box<[Box<dyn Service>]>,
    packet: Box<DeliveryBuffer>,
    sizing: Option<Sizing>,
    signals: SignalFd,
    started: Instant,
    ended_by: Option<&'static str>,
}

impl Running {
    pub(super) fn new(
        mut engine: Engine,
        signals: SignalFd,
        sizing: Option<&Sizing>,
        mut all: Box<[Box<dyn Service>]>,
    ) -> io::Result<Self> {
        let poll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let watch = |fd, number| poll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, number));
        watch(engine.intake.doorbell().as_fd(), BELL)?;
        watch(signals.as_fd(), SIGNALS)?;
        for (service, number) in all.iter_mut().zip(0..) {
            service.join(&mut engine.tracker.stream);
            service.fd().map_or(Ok(()), |fd| watch(fd, number))?;
        }
        engine.runs_programs = all.iter().any(|service| service.runs_programs());
        let (packet, started) = (Box::new(DeliveryBuffer::new()), monotonic_now());
        Ok(Self {
            engine,
            services: Services { all, packet, sizing: sizing.copied(), signals, started, ended_by: None },
            poll,
        })
    }

    /// Runs until a signal arrives or a service ends it, and returns the totals.
    ///
    /// # Errors
    ///
    /// Returns the system's error if the socket or one of the daemon's descriptors fails.
    pub fn run(mut self) -> io::Result<Totals> {
        while self.services.ended_by.is_none() {
            let Self { engine, services, .. } = &mut self;
            engine.advance(&mut |engine| services.deliver(engine))?;
            self.wait()?;
        }
        let Self { mut engine, mut services, .. } = self;
        services.all.iter_mut().for_each(|service| service.stop());
        let ended = engine.end(&mut |engine| services.deliver(engine));
        engine.tracker.totals.ended_by = services.ended_by.unwrap_or_default();
        let all = std::mem::take(&mut services.all);
        services.call(&mut engine, |context, _| {
            for service in all.into_iter().rev() {
                service.finish(context);
            }
        });
        ended.map(|()| engine.tracker.totals)
    }

    /// Sleeps until there is work, and calls the services that have input or are due.
    fn wait(&mut self) -> io::Result<()> {
        let until_due = self.until_due();
        let mut events = [EpollEvent::empty(); MAX_READY];
        let Self { engine, services, poll } = self;
        let is_idle = || services.all.iter_mut().fold(true, |is_idle, service| is_idle & !service.is_busy());
        let count = engine.intake.wait(is_idle, |may_sleep| {
            let timeout = if may_sleep { until_due } else { EpollTimeout::ZERO };
            let count = match poll.wait(&mut events, timeout) {
                Err(Errno::EINTR) => 0,
                count => count?,
            };
            Ok((events[..count].iter().any(|event| event.data() == BELL), count))
        })?;
        let has_input = |number| events[..count].iter().any(|event| event.data() == number);
        services.call(engine, |context, all| {
            for (service, number) in all.iter_mut().zip(0..) {
                if has_input(number) || service.deadline().is_some_and(|at| at <= context.now) {
                    service.ready(context);
                }
            }
        });
        if has_input(SIGNALS) {
            match services.signals.read_signal()?.map(|signal| signal.ssi_signo) {
                Some(SIGUSR1) => engine.tracker.acknowledge(),
                Some(SIGINT) => services.ended_by = Some("SIGINT"),
                Some(_) => services.ended_by = Some("SIGTERM"),
                None => {}
            }
        }
        if engine.intake.has_ended() {
            services.ended_by.get_or_insert("the socket's failure");
        }
        Ok(())
    }

    /// Returns the time until something is due, rounded up to whole milliseconds.
    fn until_due(&self) -> EpollTimeout {
        let services = self.services.all.iter().filter_map(|service| service.deadline());
        let Some(at) = services.chain(self.engine.tracker.schedule.wake_at()).min() else {
            return EpollTimeout::NONE;
        };
        let left = at.since(monotonic_now());
        EpollTimeout::try_from(left.saturating_add(Duration::from_micros(999))).unwrap_or(EpollTimeout::MAX)
    }
}

impl Services {
    fn deliver(&mut self, engine: &mut Engine) {
        self.call(engine, |context, all| {
            for service in all {
                service.deliver(context);
            }
        });
    }

    /// Calls services, and carries out their requests.
    fn call(&mut self, engine: &mut Engine, call: impl FnOnce(&mut Context<'_>, &mut [Box<dyn Service>])) {
        let now = monotonic_now();
        let Engine { intake, tracker, devices, is_restricted, .. } = engine;
        tracker.count(intake.counters(), devices);
        let mut context = Context {
            now,
            health: Health {
                agreement: tracker.schedule.agreement(),
                is_restricted: *is_restricted,
                is_foreign: devices.is_foreign(),
                unacknowledged: tracker.totals.unacknowledged,
            },
            stream: &mut tracker.stream,
            packet: &mut self.packet,
            missing: tracker.missing,
            totals: &mut tracker.totals,
            notices: &mut tracker.notices,
            devices,
            ports: &tracker.ports,
            started: self.started,
            sizing: self.sizing.as_ref(),
            signals: self.signals.as_fd(),
            has_delivered: false,
            ended_by: self.ended_by,
        };
        call(&mut context, &mut self.all);
        let Context { has_delivered, ended_by, .. } = context;
        self.ended_by = ended_by;
        // A consumer may have released tombstones, which makes room in the table.
        if has_delivered && tracker.stream.is_overflowing() {
            tracker.schedule.event(now);
        }
    }
}
