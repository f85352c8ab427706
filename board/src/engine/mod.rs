//! The loop: ring → uevent → loss → presence → journal → sinks, and the scans that make it true.

pub mod capacity;
mod figures;
mod health;
pub mod port_watch;
mod pump;
mod scan;
pub mod totals;
mod tracker;

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use crate::service::led::indicator::Condition;
use nix::poll::PollTimeout;
use nix::sys::signalfd::SignalFd;
use sureplug_core::selection::Selection;
use sureplug_core::stream::{Agreement, ConsumerId, DeliveryBuffer, Lag, ScanKind};
use sureplug_core::time::Instant;

use crate::doorbell::poll_in;
use crate::engine::totals::Totals;
use crate::intake::Intake;
use crate::profile::Sizing;
use crate::report::{Line, Undersized};
use crate::service::broker::Broker;
use crate::service::hook::Hook;
use crate::service::led::StatusLed;
use crate::service::log::{Console, SystemLog};
use crate::service::metrics::Metrics;
use crate::service::supervisor::Supervisor;
use crate::socket::reach;
use crate::sysfs::{Devices, Subsystems};
use crate::time::monotonic_now;
use tracker::Tracker;

const SIGINT: u32 = nix::libc::SIGINT.cast_unsigned();
const SIGUSR1: u32 = nix::libc::SIGUSR1.cast_unsigned();

/// Records that are taken before the signals are looked at again.
const RECORDS_A_TURN: usize = 256;

/// Takes records until the daemon shall end.
pub struct Worker {
    intake: Intake,
    tracker: Tracker,
    devices: Devices,
    /// Without one, events are only counted.
    console: Option<Console>,
    consumer: Option<ConsumerId>,
    /// Without one, no application is served.
    broker: Option<Broker>,
    /// Without one, no program is run.
    hook: Option<Hook>,
    led: Option<StatusLed>,
    supervisor: Option<Supervisor>,
    /// Events that were lost when somebody last acknowledged that.
    acknowledged: u64,
    /// How the buffer was sized, for those who ask.
    sizing: Option<Sizing>,
    /// Without them, nothing is published.
    metrics: Option<Metrics>,
    packet: Box<DeliveryBuffer>,
    signals: SignalFd,
    undersized: Undersized,
    /// Whether some of the kernel's events cannot arrive here.
    has_few_events: bool,
    started: Instant,
    reminded: Instant,
    /// When lines were tried again that could not be written.
    restarted: Instant,
}

/// Why the loop ended.
#[derive(Debug)]
enum End {
    SigInt,
    SigTerm,
    OutputClosed,
    IntakeFailed,
}

impl Worker {
    /// Puts a worker behind a running intake. `sysfs` is `/sys` on a board; `signals` are those that end the
    /// worker; `totals` holds the figures that do not change. Events of subsystems that `selection` does not admit are
    /// left out.
    ///
    /// # Errors
    ///
    /// What the system says when `sysfs` cannot be opened.
    pub fn new(
        intake: Intake,
        sysfs: &Path,
        console: Option<Console>,
        signals: SignalFd,
        undersized: Undersized,
        totals: Totals,
        selection: Selection,
    ) -> io::Result<Self> {
        let mut tracker = Tracker::new(Subsystems::open(sysfs)?, totals, selection.clone())?;
        let consumer = console.as_ref().and_then(|_| tracker.stream.join(Selection::ALL, Lag::Hold));
        let now = monotonic_now();
        Ok(Self {
            intake,
            tracker,
            devices: Devices::open(sysfs, selection)?,
            console,
            consumer,
            broker: None,
            hook: None,
            led: None,
            supervisor: None,
            acknowledged: 0,
            sizing: None,
            metrics: None,
            packet: Box::new(DeliveryBuffer::new()),
            signals,
            undersized,
            has_few_events: reach::is_restricted(),
            started: now,
            reminded: now,
            restarted: now,
        })
    }

    /// Serves applications from here on.
    pub fn serve(&mut self, broker: Broker) {
        self.broker = Some(broker);
    }

    /// Runs a program for each event from here on.
    pub fn hook(&mut self, mut hook: Hook) {
        hook.join(&mut self.tracker.stream);
        self.hook = Some(hook);
    }

    /// Knows how its buffer was sized.
    #[must_use]
    pub const fn sized(mut self, sizing: Sizing) -> Self {
        self.sizing = Some(sizing);
        self
    }

    /// Says what matters to the system's log as well.
    #[must_use]
    pub fn logging(mut self, log: Option<SystemLog>) -> Self {
        self.tracker.log = log;
        self
    }

    /// Publishes what is counted as well.
    #[must_use]
    pub fn publishing(mut self, metrics: Option<Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// Shows on an LED how the stream is.
    pub fn show_on(&mut self, led: StatusLed) {
        self.led = Some(led);
    }

    /// Tells whoever started it that it is ready, and that it is well.
    pub fn report_to(&mut self, supervisor: Supervisor) {
        self.supervisor = Some(supervisor);
    }

    /// Runs until a signal comes or the reader of the output is gone, and returns what was counted.
    ///
    /// # Errors
    ///
    /// What the system says when the socket or a descriptor of ours fails.
    pub fn run(mut self) -> io::Result<Totals> {
        if self.has_few_events {
            self.tracker.note(Line::Restricted);
        }
        let end = loop {
            self.drain();
            if let Some(kind) = self.tracker.schedule.due(monotonic_now()) {
                self.show(Condition::Repairing, kind);
                self.scan(kind)?;
                self.report_readiness();
            }
            self.look_after();
            self.pump();
            self.publish();
            if let Some(end) = self.wait()? {
                break end;
            }
        };
        if let Some(supervisor) = &self.supervisor {
            supervisor.stopping();
        }
        self.read_the_rest()?;
        let socket_error = self.intake.join();
        self.finish(&end);
        socket_error.map(|()| self.tracker.totals)
    }

    /// Handles what is in the ring, up to a limit, so that a storm does not keep a signal waiting.
    fn drain(&mut self) {
        let Self { intake, tracker, .. } = self;
        if intake.take(RECORDS_A_TURN, |record| tracker.record(record)) > 0 {
            self.remind();
        }
    }

    /// Sleeps until there is something to do; looks at the signals in any case.
    fn wait(&mut self) -> io::Result<Option<End>> {
        let until_due = self.until_due();
        let mut is_idle = self.intake.begin_wait();
        // Stands in for what there is not.
        let signals = self.signals.as_fd();
        let room = self.console.as_mut().map(|console| {
            console.room().arm();
            is_idle &= !console.has_become_ready() && !console.is_closed();
            console.room()
        });
        is_idle &= !self.broker.as_ref().is_some_and(Broker::is_busy);
        let room_fd = room.map_or(signals, AsFd::as_fd);
        let served = self.broker.as_ref().map_or(signals, AsFd::as_fd);
        let hooked = self.hook.as_ref().map_or(signals, AsFd::as_fd);
        let timeout = if is_idle { until_due } else { PollTimeout::ZERO };
        let bell = self.intake.doorbell();
        let [rung, signalled, has_room, has_client, has_run] =
            poll_in([bell.as_fd(), signals, room_fd, served, hooked], timeout)?;
        bell.disarm(rung);
        if let Some(room) = room {
            room.disarm(has_room);
        }
        self.hear_clients(has_client);
        self.hear_hook(has_run);
        if signalled {
            if let Some(signal) = self.signals.read_signal()? {
                match signal.ssi_signo {
                    SIGUSR1 => self.acknowledge(),
                    SIGINT => return Ok(Some(End::SigInt)),
                    _ => return Ok(Some(End::SigTerm)),
                }
            }
        }
        if self.console.as_ref().is_some_and(Console::is_closed) {
            return Ok(Some(End::OutputClosed));
        }
        Ok(self.intake.has_ended().then_some(End::IntakeFailed))
    }

    /// Time until something is due if nothing happens, in whole milliseconds and not less.
    fn until_due(&self) -> PollTimeout {
        let broker = self.broker.as_ref().and_then(Broker::wake_at);
        let hook = self.hook.as_ref().and_then(Hook::wake_at);
        let led = self.led.as_ref().and_then(StatusLed::wake_at);
        let supervisor = self.supervisor.as_ref().and_then(Supervisor::wake_at);
        let others = [broker, hook, led, supervisor].into_iter().flatten();
        let Some(at) = self.tracker.schedule.wake_at().into_iter().chain(others).min() else {
            return PollTimeout::NONE;
        };
        let left = at.since(monotonic_now());
        PollTimeout::try_from(left.saturating_add(Duration::from_micros(999))).unwrap_or(PollTimeout::MAX)
    }

    /// Ends the intake with all that is queued, and makes good what was lost up to there.
    fn read_the_rest(&mut self) -> io::Result<()> {
        self.intake.request_stop();
        while !(self.intake.has_ended() && self.intake.is_empty()) {
            self.drain();
            self.pump();
            let timeout = if self.intake.begin_wait() { PollTimeout::NONE } else { PollTimeout::ZERO };
            let bell = self.intake.doorbell();
            let [rung] = poll_in([bell.as_fd()], timeout)?;
            bell.disarm(rung);
        }
        match self.tracker.schedule.agreement() {
            Agreement::Lossy if self.tracker.schedule.is_lossy() => self.scan(ScanKind::Resync)?,
            Agreement::Lossy => self.scan(ScanKind::Settle)?,
            Agreement::Starting | Agreement::Steady => {}
        }
        Ok(())
    }

    fn finish(&mut self, end: &End) {
        if let Some(led) = self.led.take() {
            led.end();
        }
        self.say_the_rest();
        let totals = self.totals();
        if let Some(broker) = self.broker.take() {
            broker.close();
        }
        let missed = self.missed_and_unsaid();
        self.tracker.totals = totals;
        self.tracker.totals.ended_by = match end {
            End::SigInt => "SIGINT",
            End::SigTerm => "SIGTERM",
            End::OutputClosed => "the closed output",
            End::IntakeFailed => "the socket's failure",
        };
        if let Some(console) = self.console.take() {
            let [waiting, missing] = self.tracker.unsaid_notices();
            let left = self.unsaid_steps() - missed + waiting + u64::from(console.has_part_of_a_line());
            let dropped = console.dropped() + self.tracker.dropped_notices + left;
            let unsaid = left + missing;
            let totals = &mut self.tracker.totals;
            totals.output_dropped = dropped;
            let last = [
                Line::Missed { events: missed, is_ending: true },
                Line::OutputDropped { lines: unsaid },
                Line::Totals(totals),
            ];
            let is_said = [missed > 0, unsaid > 0, true];
            let last = last.into_iter().zip(is_said).filter_map(|(line, is_said)| is_said.then_some(line));
            console.finish(last, self.signals.as_fd());
        }
    }
}
