use std::io;
use std::path::Path;

use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;

use super::options::Options;
use super::outlets::Outlets;
use super::output::complain;
use super::{Exit, Prepared, prepare};
use crate::engine::Worker;
use crate::engine::totals::Totals;
use crate::intake::Intake;
use crate::profile::{Mismatch, Sizing};
use crate::report::{Line, Start, Undersized};
use crate::service::log::{Console, Output, SystemLog};
use crate::service::metrics::Metrics;
use crate::service::supervisor::Supervisor;
use crate::signals;
use crate::socket::{Filtering, Shortfall, UeventSocket};

/// Watches in the foreground until a signal comes, and serves applications.
pub(super) fn run(options: &Options) -> Exit {
    // First: a descriptor of this program's own could get the number of one that was not handed over.
    let supervisor = match Supervisor::find(options.ready_fd) {
        Ok(supervisor) => supervisor,
        Err(error) => {
            complain(&format_args!(
                "the supervisor cannot be told: {error}; look at --ready-fd and NOTIFY_SOCKET"
            ));
            return Exit::Refused;
        }
    };
    watching(options, |options| Outlets::open(options, supervisor))
}

/// The same for nobody else.
pub(super) fn alone(options: &Options) -> Exit {
    watching(options, |_| Some(Outlets::none()))
}

fn watching(options: &Options, open: impl FnOnce(&Options) -> Option<Outlets>) -> Exit {
    // Before the first event is queued and before any thread starts, so that none of them takes a signal
    // and no event goes without the totals.
    let signals = match take_signals() {
        Ok(signals) => signals,
        Err(error) => {
            complain(&error);
            return Exit::Refused;
        }
    };
    if let Err(error) = options.standing.apply() {
        complain(&error);
        return Exit::Refused;
    }
    let Prepared { socket, filtering, board, sizing } = match prepare(&options.board) {
        Ok(prepared) => prepared,
        Err(exit) => return exit,
    };
    let socket = match socket.bind(sizing.rcvbuf) {
        Ok(socket) => socket,
        Err(error) => {
            complain(&error);
            return Exit::Refused;
        }
    };
    let undersized = Undersized {
        buffer: Shortfall::of(socket.effective(), sizing.rcvbuf),
        profile: sizing.mismatches(&board),
    };
    if sizing.profile.is_fixed() && !options.allow_undersized && must_refuse(&undersized) {
        undersized.reasons().for_each(|reason| complain(&reason));
        complain(&"refused to start, because events could be lost; --allow-undersized starts all the same");
        return Exit::Refused;
    }
    let Some(outlets) = open(options) else { return Exit::Refused };
    match watch(options, &sizing, filtering, socket, undersized, outlets, signals) {
        Ok(()) => Exit::Fine,
        Err(error) => {
            complain(&error);
            Exit::Refused
        }
    }
}

/// Those that end it or tell it something, and those that must not stop or kill the whole process for a write: blocked,
/// that goes through or fails.
fn take_signals() -> io::Result<SignalFd> {
    signals::block(&[Signal::SIGTTOU, Signal::SIGXFSZ])?;
    signals::take(&[Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1])
}

/// A longer devpath than stated is only warned of: it makes events longer, not more.
fn must_refuse(undersized: &Undersized) -> bool {
    undersized.buffer.is_some() || matches!(undersized.profile, [Some(Mismatch::Ports { .. }), _])
}

fn watch(
    options: &Options,
    sizing: &Sizing,
    filtering: Filtering,
    socket: UeventSocket,
    undersized: Undersized,
    outlets: Outlets,
    signals: SignalFd,
) -> io::Result<()> {
    let mut console = Console::start_on(options.style(), open_log(options.log.as_deref())?)?;
    let effective = socket.effective();
    let selection = &options.board.selection;
    console.say(&Line::Start(&Start { sizing, effective, selection, filtering }));
    if undersized.is_any() {
        console.say(&Line::Undersized(&undersized));
    }
    if let Some(error) = outlets.unserved() {
        console.say(&Line::Unserved(error));
    }
    let mut log = match options.system_log {
        Some(kind) => {
            let opened = SystemLog::open(kind);
            let log = opened.map_err(|error| io::Error::other(format!("cannot open the log: {error}")))?;
            if let Err(error) = log.is_heard() {
                complain(&format_args!(
                    "warning: nobody takes lines at /dev/log: {error}; tried again with each"
                ));
            }
            Some(log)
        }
        None => None,
    };
    if let (Some(log), true) = (&mut log, undersized.is_any()) {
        log.say(&Line::Undersized(&undersized));
    }
    console.flush();
    let totals =
        Totals { effective: effective.0, max_stall_ms: sizing.profile.max_stall_ms, ..Totals::default() };
    let metrics = match &options.metrics {
        Some(path) => Some(
            Metrics::start(path, options.metrics_interval, sizing.rcvbuf.effective().0, totals).map_err(
                |error| io::Error::other(format!("cannot write the metrics {}: {error}", path.display())),
            )?,
        ),
        None => None,
    };
    let intake = options.standing.with_priority(|| Intake::start(socket)).map_err(io::Error::other)??;
    let sysfs = &options.board.sysfs;
    let worker = Worker::new(intake, sysfs, Some(console), signals, undersized, totals, selection.clone())?;
    let mut worker = worker.publishing(metrics).sized(*sizing).logging(log);
    outlets.attach(&mut worker);
    worker.run()?;
    Ok(())
}

/// What is not there now may come later, as a terminal that is plugged in: the log begins then.
fn open_log(path: Option<&Path>) -> io::Result<Output> {
    let Some(path) = path else { return Output::standard() };
    let (output, opened) = Output::to(path)?;
    if let Err(error) = opened {
        complain(&format_args!("warning: cannot open the log {}: {error}; tried again", path.display()));
    }
    Ok(output)
}
