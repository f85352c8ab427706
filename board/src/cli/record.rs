//! `sureplug record`: writes the kernel's datagrams to a capture.

use std::io;

use nix::sys::signal::Signal;

use super::options::Options;
use super::{Command, Exit, Failure, Prepared, complain, prepare};
use crate::cause::Cause;
use crate::diag::record::{Recording, RecordingEnd};
use crate::intake::Intake;
use crate::signals;
use crate::socket::Shortfall;

pub(super) const COMMAND: Command = Command {
    usage: "record FILE",
    summary: "record the kernel's datagrams in a capture, which Wireshark can read too",
    help: "\
Records all subsystems unless --subsystem names some. SIGTERM and SIGINT end it.

Exit codes: 0 ended, 1 ended and events were lost, 2 wrong usage, 3 refused by the system, or the disk is
full: the file ends with the last complete event.",
    run,
};

fn run(options: &Options) -> Result<Exit, Failure> {
    let Prepared { socket, sizing, .. } = prepare(options, options.named())?;
    // While the signal is blocked, exceeding the file size limit fails the write (setrlimit(2)).
    signals::block(&[Signal::SIGXFSZ])?;
    let signals = signals::take(&[Signal::SIGTERM, Signal::SIGINT])?;
    let socket = socket.bind(sizing.rcvbuf).map_err(Failure::refused)?;
    if let Some(shortfall) = Shortfall::of(socket.effective(), sizing.rcvbuf) {
        complain(&format_args!("warning: {shortfall}; events can be lost"));
    }
    let failed = |error: io::Error| format!("cannot write {}: {}", options.file.display(), Cause(&error));
    let mut recording = Recording::begin(&options.file, options.max_bytes.into()).map_err(failed)?;
    let end = recording.run(Intake::start(socket)?, &signals)?;
    let Recording { events, lost, written, .. } = recording;
    complain(&format_args!("recorded {events} events in {written} bytes; {lost} lost"));
    match end {
        RecordingEnd::Failed(error) => {
            return Err(format!("{}; the file ends with the last complete event", failed(error)).into());
        }
        RecordingEnd::Full => complain(&format_args!("stopped at --max-bytes {}", options.max_bytes)),
        RecordingEnd::Signal => {}
    }
    Ok(Exit::of(lost > 0))
}
