//! The loop: ring → uevent → sinks.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::PollTimeout;
use nix::sys::signalfd::SignalFd;

use crate::doorbell::poll_in;
use crate::intake::Intake;
use crate::monotonic::Monotonic;
use crate::sinks::{Console, Line, Undersized};
use crate::totals::Totals;

/// How often a daemon that runs with too little says so, while events come.
const REMIND_AFTER: Duration = Duration::from_secs(60);

const SIGINT: u32 = nix::libc::SIGINT.cast_unsigned();

/// Records that are taken before the signals are looked at again.
const RECORDS_A_TURN: usize = 256;

/// Takes records until the daemon shall end.
pub struct Worker {
    intake: Intake,
    /// Without one, events are only counted.
    console: Option<Console>,
    signals: SignalFd,
    undersized: Undersized,
    reminded: Monotonic,
    totals: Totals,
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
    /// Puts a worker behind a running intake. `signals` are those that end it; `totals` holds the figures
    /// that do not change.
    #[must_use]
    pub fn new(
        intake: Intake,
        console: Option<Console>,
        signals: SignalFd,
        undersized: Undersized,
        totals: Totals,
    ) -> Self {
        Self { intake, console, signals, undersized, reminded: Monotonic::now(), totals }
    }

    /// Runs until a signal comes or the reader of the output is gone, and returns what was counted.
    ///
    /// # Errors
    ///
    /// What the system says when the socket or a descriptor of ours fails.
    pub fn run(mut self) -> io::Result<Totals> {
        let end = loop {
            self.drain();
            if let Some(end) = self.wait()? {
                break end;
            }
        };
        self.intake.request_stop();
        while !(self.intake.has_ended() && self.intake.is_empty()) {
            self.drain();
            let bell = self.intake.doorbell();
            bell.arm();
            let asleep = self.intake.is_empty() && !self.intake.has_ended();
            let [rung] = poll_in([bell.as_fd()], if asleep { PollTimeout::NONE } else { PollTimeout::ZERO })?;
            bell.disarm(rung);
        }
        let socket_error = self.intake.join();
        self.finish_totals(&end);
        if let Some(console) = self.console.take() {
            console.finish(&Line::Totals(&self.totals), self.signals.as_fd());
        }
        socket_error.map(|()| self.totals)
    }

    /// Handles what is in the ring, up to a limit, so that a storm does not keep a signal waiting.
    fn drain(&mut self) {
        let Self { intake, console, totals, .. } = self;
        let taken = intake.take(RECORDS_A_TURN, |record| {
            let line = totals.count(record);
            if let Some(console) = console {
                console.say(&line);
            }
        });
        if taken > 0 {
            self.remind();
            if let Some(console) = &mut self.console {
                console.flush();
            }
        }
    }

    /// Says again, once in a while, that events can be lost.
    fn remind(&mut self) {
        let now = Monotonic::now();
        if self.undersized.is_any() && now.since(self.reminded) >= REMIND_AFTER {
            self.reminded = now;
            if let Some(console) = &mut self.console {
                console.say(&Line::Undersized(&self.undersized));
            }
        }
    }

    /// Sleeps until there is something to do; looks at the signals in any case.
    fn wait(&mut self) -> io::Result<Option<End>> {
        let bell = self.intake.doorbell();
        bell.arm();
        let asleep = self.intake.is_empty() && !self.intake.has_ended();
        let output = self.console.as_ref().map_or(bell, Console::ended);
        let timeout = if asleep { PollTimeout::NONE } else { PollTimeout::ZERO };
        let [signalled, rung, _] = poll_in([self.signals.as_fd(), bell.as_fd(), output.as_fd()], timeout)?;
        bell.disarm(rung);
        if signalled {
            if let Some(signal) = self.signals.read_signal()? {
                return Ok(Some(if signal.ssi_signo == SIGINT { End::SigInt } else { End::SigTerm }));
            }
        }
        if self.console.as_ref().is_some_and(Console::is_closed) {
            return Ok(Some(End::OutputClosed));
        }
        Ok(self.intake.has_ended().then_some(End::IntakeFailed))
    }

    fn finish_totals(&mut self, end: &End) {
        let counters = self.intake.counters();
        self.totals.ended_by = match end {
            End::SigInt => "SIGINT",
            End::SigTerm => "SIGTERM",
            End::OutputClosed => "the closed output",
            End::IntakeFailed => "the socket's failure",
        };
        self.totals.foreign = counters.foreign();
        self.totals.peak_queued = counters.peak_queued();
        self.totals.longest_stall_us = counters.longest_stall_us();
        self.totals.output_dropped = self.console.as_ref().map_or(0, Console::dropped);
    }
}
