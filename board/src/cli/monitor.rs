//! `sureplug monitor`: shows a daemon's stream. `status` and `list` share its functions for reading
//! answers.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;

use nix::poll::PollTimeout;
use sureplug_core::protocol::{BrokerPacket, PacketKind};
use sureplug_core::uevent::Escaped;

use super::options::Options;
use super::{Command, Exit, Failure, complain, print_to, run};
use crate::client::{ANSWERS_WITHIN_S, Client, unanswered};
use crate::doorbell::poll_in;
use crate::report::{self, Notice};
use crate::service::log::Output;

pub(super) const COMMAND: Command = Command {
    usage: "monitor",
    summary: "show the events of a running daemon; without one, watch as `sureplug run` does",
    help: "\
Without --subsystem it shows all subsystems that the daemon watches.

Exit codes: 0 its reader ended, 2 wrong usage, 3 refused, or the daemon closed the connection.",
    run,
};

fn run(options: &Options) -> Result<Exit, Failure> {
    if options.direct {
        return run::watch(options, None);
    }
    let path = options.socket();
    match Client::select(path, "SNAPSHOT=yes", options.named()) {
        Ok(client) => show(client, options),
        Err(error) if is_unserved(&error) => {
            complain(&format_args!("no daemon serves {}; opening a separate socket", path.display()));
            run::watch(options, None)
        }
        Err(error) => Err(Failure::at(path, &error)),
    }
}

/// Returns `true` if no process listens on the path; other errors are refusals.
pub(super) fn is_unserved(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

/// Calls `each` with every packet of an answer, until the daemon closes the connection.
pub(super) fn receive_all(client: &mut Client, mut each: impl FnMut(&BrokerPacket<'_>)) -> io::Result<()> {
    while let Some(message) = receive_soon(client)? {
        match message.kind() {
            PacketKind::Error { message, .. } => return Err(io::Error::other(Escaped(message).to_string())),
            _ => each(&message),
        }
    }
    Ok(())
}

/// Receives a packet of an answer. A daemon that does not answer in time is an error.
fn receive_soon(client: &mut Client) -> io::Result<Option<BrokerPacket<'_>>> {
    let [answers] = poll_in([client.as_fd()], PollTimeout::from(1_000 * ANSWERS_WITHIN_S))?;
    if !answers {
        return Err(unanswered());
    }
    client.receive()
}

fn show(mut client: Client, options: &Options) -> Result<Exit, Failure> {
    let mut output = Output::standard()?;
    let mut text = String::new();
    let mut has_begun = false;
    while let Some(message) = if has_begun { client.receive()? } else { receive_soon(&mut client)? } {
        let notice = match message.kind() {
            // The request arrived after the daemon had begun its default answer, which is void.
            PacketKind::Begin { .. } if std::mem::replace(&mut has_begun, true) => Notice::Reset,
            PacketKind::Event(entry) => Notice::Event(entry),
            PacketKind::Missed { events } => Notice::Missed { events, is_ending: false },
            PacketKind::Reset => Notice::Reset,
            PacketKind::End => Notice::Current { is_out_of_date: message.is_out_of_date() },
            PacketKind::Error { message, .. } => {
                complain(&Escaped(message));
                continue;
            }
            _ => continue,
        };
        text.clear();
        // Writing to a `String` cannot fail.
        let _ = report::write(&mut text, &notice, options.style());
        if !print_to(&mut output, &text)? {
            return Ok(Exit::Success);
        }
    }
    Err(Failure::refused("the daemon closed the connection"))
}
