use std::io;

use super::options::Options;
use super::{Command, Exit, Failure, Prepared, complain, prepare};
use crate::cause::Cause;
use crate::daemon::Daemon;
use crate::profile::{Mismatch, Profile};
use crate::report::{Notice, Start, Undersized};
use crate::service::broker::Broker;
use crate::service::hook::Hook;
use crate::service::led::StatusLed;
use crate::service::log::{Console, Output, SystemLog};
use crate::service::metrics::Metrics;
use crate::service::supervisor::Supervisor;
use crate::socket::Shortfall;
use crate::sys;

pub(super) const COMMAND: Command = Command {
    usage: "run",
    summary: "watch the kernel's uevents in the foreground, and serve applications",
    help: "\
It begins with the devices that are present. After a loss it resynchronises from sysfs, so that add and
remove alternate for each devpath. A lagging consumer receives the number of missed events and then the delta;
it does not delay the reading of the socket. SIGTERM and SIGINT end the program with the totals.

Exit codes: 0 ended by a signal or the reader of its output, 2 wrong usage, 3 refused to start.",
    run,
};

/// Watches in the foreground until a signal arrives, and serves applications.
fn run(options: &Options) -> Result<Exit, Failure> {
    // First, because a descriptor opened before could get the number of one that was not inherited.
    let supervisor = Supervisor::find(options.ready_fd).map_err(|error| {
        format!("cannot notify the supervisor: {}; check --ready-fd and NOTIFY_SOCKET", Cause(&error))
    })?;
    watch(options, Some(supervisor))
}

/// Runs the daemon with a supervisor. Without one it serves only the output.
pub(super) fn watch(options: &Options, supervisor: Option<Supervisor>) -> Result<Exit, Failure> {
    let signals = Daemon::take_signals().map_err(|error| cannot("read signals", &error))?;
    options.policy().apply().map_err(Failure::refused)?;
    let Prepared { socket, filtering, board, sizing } = prepare(options, options.selection())?;
    let socket = socket.bind(sizing.rcvbuf).map_err(Failure::refused)?;
    let effective = socket.effective();
    let undersized =
        Undersized { buffer: Shortfall::of(effective, sizing.rcvbuf), profile: sizing.mismatches(&board) };
    if sizing.profile.is_fixed() && !options.allow_undersized && must_refuse(&undersized) {
        undersized.reasons().for_each(|reason| complain(&reason));
        let reason = "refused to start because events could be lost; use --allow-undersized to start anyway";
        return Err(Failure::refused(reason));
    }
    let selection = options.selection();
    let mut daemon = Daemon::new(signals, socket, &options.sysfs, selection.clone());
    (daemon.sizing, daemon.policy) = (Some(sizing), options.policy());
    // This must precede the first thread.
    let serves = supervisor.is_some();
    let led = if serves { led(options)? } else { None };
    let hook = if serves { hook(options)? } else { None };
    if hook.is_none() {
        sys::discard_children().map_err(io::Error::from)?;
    }
    let broker = serves.then(|| Broker::open(options.socket(), options.socket_group));
    let (broker, unserved) = match broker.transpose() {
        // An image without it would appear healthy and serve no application; on a developer's
        // machine another daemon may use the default path.
        Err(error) if options.socket.is_some() || Profile::BUILD.is_fixed() => {
            return Err(Failure::refused(error));
        }
        Err(error) => (None, Some(error)),
        Ok(broker) => (broker, None),
    };
    let mut console = output(options)
        .and_then(|output| Console::start(options.style(), output))
        .map_err(|error| cannot("write lines", &error))?;
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
    let engine = daemon.build().map_err(|error| cannot("start the engine", &error))?;
    engine.run().map_err(|error| cannot("continue", &error))?;
    Ok(Exit::Success)
}

/// Returns the message of a failed step.
fn cannot(what: &str, error: &io::Error) -> String {
    format!("cannot {what}: {}", Cause(error))
}

/// Returns `true` if the daemon must not start. A longer devpath than stated only makes events longer,
/// not more numerous.
fn must_refuse(undersized: &Undersized) -> bool {
    undersized.buffer.is_some() || matches!(undersized.profile, [Some(Mismatch::Ports { .. }), _])
}

/// Opens the output. A terminal may be plugged in later: the output begins then.
fn output(options: &Options) -> io::Result<Output> {
    let Some(path) = &options.log.path else { return Output::standard() };
    let (output, opened) = Output::to(path)?;
    if let Err(error) = opened {
        let cause = Cause(&error);
        complain(&format_args!("warning: cannot open the log {}: {cause}; retrying", path.display()));
    }
    Ok(output)
}

fn system_log(options: &Options, undersized: &Undersized) -> Result<Option<SystemLog>, Failure> {
    let Some(kind) = options.log.system else { return Ok(None) };
    let mut log = SystemLog::open(kind).map_err(|error| format!("cannot open the log: {}", Cause(&error)))?;
    if let Err(error) = log.check_listener() {
        let cause = Cause(&error);
        complain(&format_args!("warning: no daemon reads /dev/log: {cause}; retrying with each line"));
    }
    if undersized.is_any() {
        log.write(&Notice::Undersized(undersized));
    }
    Ok(Some(log))
}

fn metrics(options: &Options, daemon: &Daemon, wanted: u32) -> Result<Option<Metrics>, String> {
    let Some(path) = &options.metrics else { return Ok(None) };
    Metrics::start(path, options.metrics_interval, wanted, daemon.totals())
        .map(Some)
        .map_err(|error| format!("cannot write the metrics {}: {}", path.display(), Cause(&error)))
}

fn hook(options: &Options) -> Result<Option<Hook>, String> {
    let Some(program) = &options.hook else { return Ok(None) };
    Hook::open(program, options.hook_timeout_ms, options.hook_wants())
        .map(Some)
        .map_err(|error| format!("--hook {}: cannot run the program: {}", program.display(), Cause(&error)))
}

fn led(options: &Options) -> Result<Option<StatusLed>, String> {
    #[cfg(feature = "gpio")]
    if let Some((chip, line)) = &options.led_gpio {
        return StatusLed::of_gpio(chip, *line).map(Some).map_err(|error| {
            let chip = chip.display();
            format!("--led-gpio {chip}:{line}: {}; gpioinfo(1) shows the free lines", Cause(&error))
        });
    }
    let Some(name) = &options.led else { return Ok(None) };
    StatusLed::of_sysfs(&options.sysfs, name)
        .map(Some)
        .map_err(|error| format!("--led {name}: {}; class/leds in sysfs lists the names", Cause(&error)))
}
