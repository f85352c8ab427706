//! `sureplug decode`: shows the events of a capture.

use std::fmt::{self, Write};
use std::io::{self, ErrorKind};

use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::stream::{DeviceEvent, Origin, without_own};
use sureplug_core::time::Instant;
use sureplug_core::uevent::{ParseError, Uevent};

use super::options::Options;
use super::{Command, Exit, Failure, complain, print};
use crate::cause::Cause;
use crate::diag::pcap::{Capture, Captured};
use crate::file;
use crate::report::object::Object;
use crate::report::recorded_event;

pub(super) const COMMAND: Command = Command {
    usage: "decode FILE",
    summary: "show the events of a capture, with the time in seconds since 1970",
    help: "Exit codes: 0 success, 1 damage, behind the events shown, 2 wrong usage, 3 refused by the system.",
    run,
};

/// Bytes of text printed at a time.
const TEXT_BYTES: usize = 32 * 1024;

fn run(options: &Options) -> Result<Exit, Failure> {
    let path = &options.file;
    let refused = |error: io::Error| format!("cannot read {}: {}", path.display(), Cause(&error));
    let mut capture = Capture::new(file::open_stream(path).map_err(refused)?);
    let (mut text, mut others, mut is_damaged) = (String::new(), 0_u64, false);
    let end = loop {
        if text.len() >= TEXT_BYTES {
            if !print(&text)? {
                return Ok(Exit::Success);
            }
            text.clear();
        }
        match capture.next() {
            Ok(Some(Captured { offset, unix_us, datagram: Some(datagram) })) => {
                // Writing to a `String` cannot fail.
                let _ = match Uevent::from_kernel(datagram) {
                    Ok(uevent) => event(&mut text, options, unix_us, &uevent),
                    Err(error) => {
                        is_damaged = true;
                        malformed(&mut text, options, [offset, unix_us, datagram.len() as u64], &error)
                    }
                };
            }
            Ok(Some(_)) => others += 1,
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    if !print(&text)? {
        return Ok(Exit::Success);
    }
    match end {
        None => {}
        Some(error) if error.kind() == ErrorKind::InvalidData => {
            is_damaged = true;
            complain(&format_args!("{}: {error}", path.display()));
        }
        Some(error) => return Err(refused(error).into()),
    }
    if others > 0 {
        complain(&format_args!("skipped {others} messages that are not kernel uevents"));
    }
    Ok(Exit::of(is_damaged))
}

fn event(out: &mut String, options: &Options, unix_us: u64, uevent: &Uevent<'_>) -> fmt::Result {
    // The time is the capture's.
    let stamp = Instant::from_nanos(unix_us.saturating_mul(1_000));
    let mut buffer = [0; MAX_DATAGRAM_BYTES];
    let uevent = without_own(uevent, &mut buffer);
    let entry = DeviceEvent { stamp, origin: Origin::Kernel, tracked: true, kernel_action: None, uevent };
    recorded_event(out, entry, options.style())
}

/// Writes the parse error of a malformed uevent.
fn malformed(
    out: &mut String,
    options: &Options,
    [offset, unix_us, length]: [u64; 3],
    error: &ParseError,
) -> fmt::Result {
    if !options.json {
        return writeln!(out, "malformed: {length} bytes at byte {offset} of the file: {error}");
    }
    let figures = [
        ("unix_us", unix_us),
        ("file_offset", offset),
        ("offset", error.offset as u64),
        ("length_bytes", length),
    ];
    Object::begin(out, "malformed").numbers(&figures).display("message", error).end()
}
