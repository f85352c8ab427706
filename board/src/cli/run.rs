use std::fmt::Display;
use std::io;

use super::options::Options;
use super::output::complain;
use super::{Exit, Prepared, prepare};
use crate::daemon::Daemon;
use crate::engine::Engine;
use crate::profile::{Mismatch, Profile};
use crate::report::{Notice, Start, Undersized};
use crate::service::broker::Broker;
use crate::service::hook::Hook;
use crate::service::led::StatusLed;
use crate::service::log::{Console, Output, SystemLog};
use crate::service::metrics::Metrics;
use crate::service::supervisor::Supervisor;
use crate::socket::Shortfall;

/// Watches in the foreground until a signal comes, and serves applications.
pub(super) fn run(options: &Options) -> Exit {
    // First: a descriptor of this program's own could get the number of one that was not handed over.
    let supervisor = Supervisor::find(options.ready_fd).map_err(|error| {
        refuse(&format_args!("the supervisor cannot be told: {error}; look at --ready-fd and NOTIFY_SOCKET"))
    });
    supervisor.and_then(|supervisor| watch(options, Some(supervisor))).unwrap_or_else(|exit| exit)
}

/// The same without serving anything else than the output.
pub(super) fn alone(options: &Options) -> Exit {
    watch(options, None).unwrap_or_else(|exit| exit)
}

/// Reports why the daemon does not start.
fn refuse(reason: &dyn Display) -> Exit {
    complain(reason);
    Exit::Refused
}

/// The same for what needs no more words.
fn refused(error: impl Display) -> Exit {
    refuse(&error)
}

fn watch(options: &Options, supervisor: Option<Supervisor>) -> Result<Exit, Exit> {
    let signals = Daemon::take_signals().map_err(refused)?;
    options.standing.apply().map_err(refused)?;
    let Prepared { socket, filtering, board, sizing } = prepare(&options.board)?;
    let socket = socket.bind(sizing.rcvbuf).map_err(refused)?;
    let effective = socket.effective();
    let undersized =
        Undersized { buffer: Shortfall::of(effective, sizing.rcvbuf), profile: sizing.mismatches(&board) };
    if sizing.profile.is_fixed() && !options.allow_undersized && must_refuse(&undersized) {
        undersized.reasons().for_each(|reason| complain(&reason));
        let reason = "refused to start, because events could be lost; --allow-undersized starts all the same";
        return Err(refuse(&reason));
    }
    let selection = &options.board.selection;
    let daemon = Daemon::new(signals, socket, &options.board.sysfs, selection.clone());
    let mut daemon = daemon.sized(sizing).with_policy(options.standing);
    // Before there are threads.
    let serves = supervisor.is_some();
    let led = if serves { led(options)? } else { None };
    let hook = if serves { hook(options)? } else { None };
    let broker = serves.then(|| Broker::open(options.socket(), options.socket_group));
    let (broker, unserved) = match broker.transpose() {
        // An image without one would look well and serve nothing; on a developer's machine the usual path may be another
        // daemon's.
        Err(error) if options.socket.is_some() || Profile::BUILD.is_fixed() => return Err(refuse(&error)),
        Err(error) => (None, Some(error)),
        Ok(broker) => (broker, None),
    };
    let mut console =
        output(options).and_then(|output| Console::start_on(options.style(), output)).map_err(refused)?;
    console.write(&Notice::Start(&Start { sizing: &sizing, effective, selection, filtering }));
    console.report_undersized(undersized);
    if let Some(error) = &unserved {
        console.write(&Notice::Unserved(error));
    }
    console.flush();
    let log = system_log(options, &undersized)?;
    let metrics = metrics(options, &daemon, sizing.rcvbuf.effective().0)?;

    daemon.attach(Some(console));
    daemon.attach(log);
    daemon.attach(hook);
    daemon.attach(broker);
    daemon.attach(metrics);
    daemon.attach(led);
    daemon.attach(supervisor);
    daemon.build().and_then(Engine::run).map_err(refused)?;
    Ok(Exit::Fine)
}

/// A longer devpath than stated is only warned of: it makes events longer, not more.
fn must_refuse(undersized: &Undersized) -> bool {
    undersized.buffer.is_some() || matches!(undersized.profile, [Some(Mismatch::Ports { .. }), _])
}

/// What is not there now may come later, as a terminal that is plugged in: the log begins then.
fn output(options: &Options) -> io::Result<Output> {
    let Some(path) = &options.log else { return Output::standard() };
    let (output, opened) = Output::to(path)?;
    if let Err(error) = opened {
        complain(&format_args!("warning: cannot open the log {}: {error}; tried again", path.display()));
    }
    Ok(output)
}

fn system_log(options: &Options, undersized: &Undersized) -> Result<Option<SystemLog>, Exit> {
    let Some(kind) = options.system_log else { return Ok(None) };
    let mut log =
        SystemLog::open(kind).map_err(|error| refuse(&format_args!("cannot open the log: {error}")))?;
    if let Err(error) = log.is_heard() {
        complain(&format_args!("warning: nobody takes lines at /dev/log: {error}; tried again with each"));
    }
    if undersized.is_any() {
        log.write(&Notice::Undersized(undersized));
    }
    Ok(Some(log))
}

fn metrics(options: &Options, daemon: &Daemon, wanted: u32) -> Result<Option<Metrics>, Exit> {
    let Some(path) = &options.metrics else { return Ok(None) };
    Metrics::start(path, options.metrics_interval, wanted, daemon.totals())
        .map(Some)
        .map_err(|error| refuse(&format_args!("cannot write the metrics {}: {error}", path.display())))
}

fn hook(options: &Options) -> Result<Option<Hook>, Exit> {
    let Some(program) = &options.hook else { return Ok(None) };
    Hook::open(program, options.hook_timeout_ms)
        .map(|hook| Some(hook.wanting(options.hook_wants.clone())))
        .map_err(|error| refuse(&format_args!("--hook {}: no program to run: {error}", program.display())))
}

fn led(options: &Options) -> Result<Option<StatusLed>, Exit> {
    #[cfg(feature = "gpio")]
    if let Some((chip, line)) = &options.led_gpio {
        return StatusLed::of_gpio(chip, *line).map(Some).map_err(|error| {
            let chip = chip.display();
            refuse(&format_args!("--led-gpio {chip}:{line}: {error}; gpioinfo(1) shows the free lines"))
        });
    }
    let Some(name) = &options.led else { return Ok(None) };
    StatusLed::of_sysfs(&options.board.sysfs, name)
        .map(Some)
        .map_err(|error| refuse(&format_args!("--led {name}: {error}; class/leds of sysfs has the names")))
}
