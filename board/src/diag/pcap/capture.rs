use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};

use super::{Damage, FILE_HEADER_BYTES, Format, PACKET_HEADER_BYTES, Packet, PcapError};

/// A message of a capture.
#[derive(Debug)]
pub(crate) enum Captured<'c> {
    /// A datagram of the uevent protocol, received at that time after 1970; its packet begins at that byte of the file.
    Uevent { offset: u64, unix_us: u64, datagram: &'c [u8] },
    /// A message that is no uevent of the kernel.
    Other,
}

/// Why a capture cannot be read further.
#[derive(Debug)]
pub(crate) enum CaptureError {
    Damaged(PcapError),
    Unreadable(io::Error),
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(error) => error.fmt(f),
            Self::Unreadable(error) => error.fmt(f),
        }
    }
}

/// A capture that is being read.
#[derive(Debug)]
pub(crate) struct Capture {
    file: BufReader<File>,
    offset: u64,
    format: Option<Format>,
    packet: Vec<u8>,
}

impl Capture {
    pub(crate) fn new(file: File) -> Self {
        Self { file: BufReader::new(file), offset: 0, format: None, packet: Vec::new() }
    }

    /// Reads the next message; `None` at the end of the file.
    pub(crate) fn next(&mut self) -> Result<Option<Captured<'_>>, CaptureError> {
        let format = if let Some(format) = self.format { format } else { self.begin()? };
        let mut header = [0; PACKET_HEADER_BYTES];
        match fill(&mut self.file, &mut header)? {
            0 => return Ok(None),
            PACKET_HEADER_BYTES => {}
            found => return Err(self.damaged(Damage::Ends { found, wanted: PACKET_HEADER_BYTES })),
        }
        let header = format.packet_header(&header).map_err(|damage| self.damaged(damage))?;
        let length = header.captured as usize;
        self.packet.resize(length, 0);
        let found = PACKET_HEADER_BYTES + fill(&mut self.file, &mut self.packet)?;
        let wanted = PACKET_HEADER_BYTES + length;
        if found < wanted {
            return Err(self.damaged(Damage::Ends { found, wanted }));
        }
        let offset = self.offset;
        self.offset += wanted as u64;
        Ok(Some(match Packet::of(&self.packet) {
            Some(Packet::Uevent(datagram)) => Captured::Uevent { offset, unix_us: header.unix_us, datagram },
            _ => Captured::Other,
        }))
    }

    /// Reads what precedes the first packet.
    fn begin(&mut self) -> Result<Format, CaptureError> {
        let mut header = [0; FILE_HEADER_BYTES];
        let format = match fill(&mut self.file, &mut header)? {
            FILE_HEADER_BYTES => Format::of(&header),
            found => Err(Damage::Ends { found, wanted: FILE_HEADER_BYTES }),
        };
        let format = format.map_err(|damage| self.damaged(damage))?;
        self.offset += FILE_HEADER_BYTES as u64;
        Ok(*self.format.insert(format))
    }

    fn damaged(&self, damage: Damage) -> CaptureError {
        CaptureError::Damaged(PcapError { offset: self.offset, damage })
    }
}

/// Reads until the bytes are full or the file ends.
fn fill(file: &mut impl Read, bytes: &mut [u8]) -> Result<usize, CaptureError> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(CaptureError::Unreadable(error)),
        }
    }
    Ok(filled)
}
