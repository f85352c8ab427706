use std::io::{self, ErrorKind};
use std::os::fd::AsFd;

use nix::poll::PollTimeout;
use sureplug_core::protocol::{BrokerPacket, PacketKind};
use sureplug_core::uevent::Escaped;

use super::options::Options;
use super::output::complain;
use super::{Exit, run};
use crate::client::Client;
use crate::doorbell::poll_in;
use crate::report::{self, Notice};
use crate::service::log::Output;

/// For how long a daemon may say nothing that was asked.
const ANSWERS_WITHIN_MS: u16 = 10_000;

/// Shows what a daemon tells, or what a socket of its own hears.
pub(super) fn monitor(options: &Options) -> Exit {
    if options.direct {
        return run::alone(options);
    }
    let path = options.socket();
    match Client::select(path, "SNAPSHOT=yes", &options.named) {
        Ok(client) => show(client, options).unwrap_or_else(|error| {
            complain(&error);
            Exit::Refused
        }),
        Err(error) if is_nobody(&error) => {
            complain(&format_args!("no daemon serves {}: opening a socket of its own", path.display()));
            run::alone(options)
        }
        Err(error) => {
            complain(&format_args!("{}: {error}", path.display()));
            Exit::Refused
        }
    }
}

/// Whether nobody listens on a path, and not that somebody does and refuses.
pub(super) fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

/// Waits for a packet of a daemon that answers, as one does that is not stopped.
pub(super) fn receive_soon(client: &mut Client) -> io::Result<Option<BrokerPacket<'_>>> {
    let [answers] = poll_in([client.as_fd()], PollTimeout::from(ANSWERS_WITHIN_MS))?;
    if !answers {
        let reason = "the daemon has not answered for 10 s: it is stopped, or waits for a device (see its state in ps)";
        return Err(io::Error::new(ErrorKind::TimedOut, reason));
    }
    client.receive()
}

fn show(mut client: Client, options: &Options) -> io::Result<Exit> {
    let style = options.style();
    let mut output = Output::standard()?;
    let mut text = String::new();
    let mut has_begun = false;
    while let Some(message) = if has_begun { client.receive()? } else { receive_soon(&mut client)? } {
        let line = match message.kind() {
            // The request came so late that an answer to its lack had begun, which is void.
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
        // A String takes whatever is written.
        let _ = report::write(&mut text, &line, style);
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            match output.write(bytes) {
                Ok(length) => bytes = &bytes[length..],
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Exit::Fine),
                Err(error) => return Err(error),
            }
        }
    }
    complain(&"the daemon has hung up");
    Ok(Exit::Refused)
}
