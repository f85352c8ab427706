//! `sureplug decode`: a capture as lines.

use std::fmt::{self, Write};
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};

use crate::diag::pcap::{Damage, FILE_HEADER_BYTES, Format, PACKET_HEADER_BYTES, Packet, PcapError};
use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::stream::{DeviceEvent, Origin, without_own};
use sureplug_core::time::Instant;
use sureplug_core::uevent::{ParseError, Uevent};

use super::Exit;
use super::options::Options;
use super::output::{complain, keep_printing};
use crate::report::object::Object;
use crate::report::recorded_event;

/// Bytes of text that are printed together.
const TEXT_BYTES: usize = 32 * 1024;

/// Prints all messages of the capture.
pub(super) fn decode(options: &Options) -> Exit {
    let path = options.file.as_path();
    let refused = |error: &dyn fmt::Display| {
        complain(&format_args!("cannot read {}: {error}", path.display()));
        Exit::Refused
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return refused(&error),
    };
    let mut capture = Capture::new(file);
    let (mut text, mut others, mut is_whole) = (String::new(), 0_u64, true);
    let result = loop {
        if text.len() >= TEXT_BYTES {
            if let Some(exit) = keep_printing(&text) {
                return exit;
            }
            text.clear();
        }
        match capture.next() {
            Ok(Some(Message::Uevent { offset, unix_us, datagram })) => {
                match Uevent::parse(datagram) {
                    // A String takes whatever is written.
                    Ok(uevent) => drop(event(&mut text, options, unix_us, uevent)),
                    Err(error) => {
                        is_whole = false;
                        let _ = malformed(&mut text, options, offset, unix_us, datagram.len(), &error);
                    }
                }
            }
            Ok(Some(Message::Other)) => others += 1,
            Ok(None) if is_whole => break Exit::Fine,
            Ok(None) => break Exit::Finding,
            Err(error) => {
                if let Some(exit) = keep_printing(&text) {
                    return exit;
                }
                text.clear();
                break match error {
                    Failure::Damaged(error) => {
                        complain(&format_args!("{}: {error}", path.display()));
                        Exit::Finding
                    }
                    Failure::Unreadable(error) => refused(&error),
                };
            }
        }
    };
    if let Some(exit) = keep_printing(&text) {
        return exit;
    }
    if others > 0 {
        complain(&format_args!("{others} messages of other protocols than uevents are not shown"));
    }
    result
}

fn event(out: &mut String, options: &Options, unix_us: u64, uevent: Uevent<'_>) -> fmt::Result {
    // The clock is that of the capture.
    let stamp = Instant::from_nanos(unix_us.saturating_mul(1_000));
    let mut buffer = [0; MAX_DATAGRAM_BYTES];
    let uevent = without_own(&uevent, &mut buffer);
    let entry = DeviceEvent { stamp, origin: Origin::Kernel, tracked: true, kernel_action: None, uevent };
    recorded_event(out, entry, options.style())
}

/// What is wrong with a message that should be a uevent.
fn malformed(
    out: &mut String,
    options: &Options,
    offset: u64,
    unix_us: u64,
    length: usize,
    error: &ParseError,
) -> fmt::Result {
    if !options.board.json {
        return writeln!(out, "malformed: {length} bytes at byte {offset} of the file: {error}");
    }
    Object::begin(out, "malformed")?
        .numbers(&[
            ("unix_us", unix_us),
            ("file_offset", offset),
            ("offset", error.offset() as u64),
            ("length_bytes", length as u64),
        ])?
        .display("message", error)?
        .end()
}

/// What comes next in a capture.
pub(super) enum Message<'c> {
    Uevent { offset: u64, unix_us: u64, datagram: &'c [u8] },
    Other,
}

pub(super) enum Failure {
    Damaged(PcapError),
    Unreadable(std::io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(error) => error.fmt(f),
            Self::Unreadable(error) => error.fmt(f),
        }
    }
}

/// A capture that is being read.
pub(super) struct Capture {
    file: BufReader<File>,
    offset: u64,
    format: Option<Format>,
    packet: Vec<u8>,
}

impl Capture {
    pub(super) fn new(file: File) -> Self {
        Self { file: BufReader::new(file), offset: 0, format: None, packet: Vec::new() }
    }

    pub(super) fn next(&mut self) -> Result<Option<Message<'_>>, Failure> {
        let format = if let Some(format) = self.format { format } else { self.begin()? };
        let mut header = [0; PACKET_HEADER_BYTES];
        match self.fill(&mut header)? {
            0 => return Ok(None),
            PACKET_HEADER_BYTES => {}
            found => return Err(self.damaged(ends(found, PACKET_HEADER_BYTES))),
        }
        let header = format.packet_header(&header).map_err(|damage| self.damaged(damage))?;
        let wanted = header.captured as usize;
        let mut packet = std::mem::take(&mut self.packet);
        packet.resize(wanted, 0);
        let found = self.fill(&mut packet)?;
        self.packet = packet;
        if found < wanted {
            return Err(self.damaged(ends(found + PACKET_HEADER_BYTES, wanted + PACKET_HEADER_BYTES)));
        }
        let offset = self.offset;
        self.offset += (PACKET_HEADER_BYTES + wanted) as u64;
        Ok(Some(match Packet::of(&self.packet) {
            Some(Packet::Uevent(datagram)) => Message::Uevent { offset, unix_us: header.unix_us, datagram },
            _ => Message::Other,
        }))
    }

    /// What stands in front of the first packet.
    fn begin(&mut self) -> Result<Format, Failure> {
        let mut header = [0; FILE_HEADER_BYTES];
        let found = self.fill(&mut header)?;
        let whole = if found == FILE_HEADER_BYTES { Ok(()) } else { Err(ends(found, FILE_HEADER_BYTES)) };
        let format = whole.and_then(|()| Format::of(&header)).map_err(|damage| self.damaged(damage))?;
        self.offset += FILE_HEADER_BYTES as u64;
        Ok(*self.format.insert(format))
    }

    fn damaged(&self, damage: Damage) -> Failure {
        Failure::Damaged(PcapError { offset: self.offset, damage })
    }

    /// Reads until the bytes are full or the file ends.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<usize, Failure> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.file.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::Unreadable(error)),
            }
        }
        Ok(filled)
    }
}

const fn ends(found: usize, wanted: usize) -> Damage {
    Damage::Ends { found, wanted }
}
