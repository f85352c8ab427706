//! `sureplug status`: the state of a running daemon, as it reports it.

use std::fmt::{self, Write};

use sureplug_core::protocol::PacketKind;
use sureplug_core::uevent::{Escaped, Uevent};

use super::monitor::{is_unserved, receive_all};
use super::options::Options;
use super::{Command, Exit, Failure, print};
use crate::client::Client;
use crate::report::object::string;

pub(super) const COMMAND: Command = Command {
    usage: "status",
    summary: "show the state of a running daemon: totals, buffer, devices, clients, last loss, ports",
    help: "Exit codes: 0 it answered, 2 wrong usage, 3 no daemon answers.",
    run,
};

/// What precedes the figures.
const HEADING: [&[u8]; 3] = [b"ACTION", b"DEVPATH", b"SUBSYSTEM"];

fn run(options: &Options) -> Result<Exit, Failure> {
    let path = options.socket();
    let mut text = String::new();
    let answer = Client::status(path).and_then(|mut client| {
        receive_all(&mut client, |message| {
            if let PacketKind::Status = message.kind() {
                // A String takes whatever is written.
                let _ = part(&mut text, &message.uevent(), options.json);
            }
        })
    });
    match answer {
        Ok(()) if text.is_empty() => Err(Failure::at(path, &"the daemon reports no state")),
        Ok(()) => print(&text).map(|_| Exit::Success),
        Err(error) if is_unserved(&error) => {
            Err(Failure::at(path, &format_args!("{error}; no daemon serves there: start `sureplug run`")))
        }
        Err(error) => Err(Failure::at(path, &error)),
    }
}

/// Writes one part of the daemon: itself, a client, or a port.
fn part(out: &mut String, figures: &Uevent<'_>, is_json: bool) -> fmt::Result {
    let name = figures.devpath().rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    if is_json {
        out.push_str("{\"kind\":\"status\",\"part\":");
        string(out, name)?;
    } else {
        writeln!(out, "{}", Escaped(name))?;
    }
    for property in figures.properties() {
        if HEADING.contains(&property.key) {
            continue;
        }
        let key = property.key.to_ascii_lowercase();
        if !is_json {
            writeln!(out, "  {:<24} {}", Escaped(&key).to_string(), Escaped(property.value))?;
            continue;
        }
        out.push(',');
        string(out, &key)?;
        out.push(':');
        // A number of JSON has no zeros in front.
        match property.value {
            digits @ ([b'0'] | [b'1'..=b'9', ..]) if digits.iter().all(u8::is_ascii_digit) => {
                write!(out, "{}", Escaped(digits))?;
            }
            other => string(out, other)?,
        }
    }
    out.push_str(if is_json { "}\n" } else { "" });
    Ok(())
}
