//! `sureplug status`: how a running daemon is, as it says itself.

use std::fmt::{self, Write};
use std::io;

use sureplug_core::protocol::PacketKind;
use sureplug_core::uevent::{Escaped, Uevent};

use super::Exit;
use super::monitor::{is_nobody, receive_soon};
use super::options::Options;
use super::output::{complain, print};
use crate::client::Client;
use crate::report::object::string;

/// What stands in front of the figures.
const HEADING: [&[u8]; 3] = [b"ACTION", b"DEVPATH", b"SUBSYSTEM"];

/// Asks it.
pub(super) fn status(options: &Options) -> Exit {
    let path = options.socket();
    let mut text = String::new();
    let result = Client::status(path).and_then(|mut client| {
        while let Some(message) = receive_soon(&mut client)? {
            match message.kind() {
                PacketKind::Status => {
                    // A String takes whatever is written.
                    let _ = part(&mut text, &message.uevent(), options.board.json);
                }
                PacketKind::Error { message, .. } => {
                    return Err(io::Error::other(Escaped(message).to_string()));
                }
                _ => {}
            }
        }
        Ok(())
    });
    match result {
        Ok(()) if text.is_empty() => {
            complain(&format_args!("{}: the daemon says nothing of itself", path.display()));
            Exit::Refused
        }
        Ok(()) => print(&text),
        Err(error) => {
            let hint = if is_nobody(&error) { "; no daemon serves there: start `sureplug run`" } else { "" };
            complain(&format_args!("{}: {error}{hint}", path.display()));
            Exit::Refused
        }
    }
}

/// One part of the daemon: itself, a client, or a port.
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
