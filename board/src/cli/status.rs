//! `sureplug status`: shows the state of a running daemon.

use std::fmt::{self, Write};

use sureplug_core::bytes::decimal;
use sureplug_core::protocol::PacketKind;
use sureplug_core::uevent::{Escaped, Uevent};

use super::monitor::{is_unserved, receive_all};
use super::options::Options;
use super::{Command, Exit, Failure, print};
use crate::client::Client;
use crate::report::object::Object;

pub(super) const COMMAND: Command = Command {
    usage: "status",
    summary: "show the state of a running daemon: totals, buffer, devices, clients, last loss, ports",
    help: "Exit codes: 0 success, 2 wrong usage, 3 no daemon answers.",
    run,
};

/// The properties that precede the figures.
const HEADING: [&[u8]; 3] = [b"ACTION", b"DEVPATH", b"SUBSYSTEM"];

fn run(options: &Options) -> Result<Exit, Failure> {
    let path = options.socket();
    let mut text = String::new();
    let answer = Client::status(path).and_then(|mut client| {
        receive_all(&mut client, |message| {
            if let PacketKind::Status = message.kind() {
                // Writing to a `String` cannot fail.
                let _ = part(&mut text, &message.uevent(), options.json);
            }
        })
    });
    match answer {
        Ok(()) if text.is_empty() => Err(format!("{}: the daemon sent no status", path.display()).into()),
        Ok(()) => print(&text).map(|_| Exit::Success),
        Err(error) if is_unserved(&error) => {
            Err(format!("{}: {error}; no daemon serves there: start `sureplug run`", path.display()).into())
        }
        Err(error) => Err(Failure::at(path, &error)),
    }
}

/// Writes the status of one part: the daemon, a client or a port.
fn part(out: &mut String, figures: &Uevent<'_>, is_json: bool) -> fmt::Result {
    let name = figures.devpath().rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let is_word = |key: &[u8]| key.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let properties = figures.properties().filter(|p| !HEADING.contains(&p.key) && is_word(p.key));
    let mut figures = properties.map(|p| (Escaped(p.key).to_string().to_ascii_lowercase(), p.value));
    if !is_json {
        writeln!(out, "{}", Escaped(name))?;
        return figures.try_for_each(|(key, value)| writeln!(out, "  {key:<24} {}", Escaped(value)));
    }
    let mut object = Object::begin(out, "status");
    object.bytes("part", name);
    for (key, value) in figures {
        match decimal::<u64>(value) {
            // A number in JSON has no leading zeros.
            Some(number) if value.len() == 1 || value[0] != b'0' => object.numbers(&[(&*key, number)]),
            _ => object.bytes(&key, value),
        };
    }
    object.end()
}
