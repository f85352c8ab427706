use core::fmt::{self, Write};

use super::{DEVPATH, MAX_PACKET_BYTES, OUT_OF_DATE, RequestError, SUBSYSTEM, VERSION};
use crate::bytes::append;
use crate::stream::{DeviceEvent, OWN_PREFIX};
use crate::uevent::Property;

/// Says that the kernel's properties did not all fit.
const TRUNCATED: &[u8] = b"SUREPLUG_TRUNCATED=yes\0";

/// Bytes of the longest number, with its NUL.
const NUMBER_BYTES: usize = 21;

/// Why a client is not served: a word for the property `SUREPLUG_ERROR`, and as text the sentence for `SUREPLUG_MESSAGE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refusal {
    /// As many are served as can be.
    Busy {
        /// How many.
        clients: usize,
    },
    /// What it sent is no request.
    BadRequest(RequestError),
    /// It sent more than one packet.
    SecondRequest,
    /// The daemon ends.
    Ending,
}

impl Refusal {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy { .. } => "busy",
            Self::BadRequest(_) => "bad-request",
            Self::SecondRequest => "second-request",
            Self::Ending => "ending",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { clients } => write!(f, "{clients} clients are served already: end one of them"),
            Self::BadRequest(error) => error.fmt(f),
            Self::SecondRequest => f.write_str("one request is all: connect again for another"),
            Self::Ending => f.write_str("the daemon ends"),
        }
    }
}

/// Writes an event; `seq` is the packet's number for that client.
pub fn event<'b>(buffer: &'b mut [u8; MAX_PACKET_BYTES], event: &DeviceEvent<'_>, seq: u64) -> &'b [u8] {
    let numbers = [(&b"SUREPLUG_MONOTONIC_US"[..], event.stamp.as_micros()), (b"SUREPLUG_SEQ", seq)];
    let own: usize = event.added_properties().map(|p| p.key.len() + p.value.len() + 2).sum();
    let own =
        own + numbers.iter().map(|(key, _)| key.len() + 1 + NUMBER_BYTES).sum::<usize>() + TRUNCATED.len();
    let mut packet = PacketWriter { buffer, length: 0 };
    let datagram = event.uevent.datagram();
    let properties = event.uevent.property_bytes();
    packet.write(&[&datagram[..datagram.len() - properties.len()]]);
    let mut is_whole = true;
    for property in properties.split_inclusive(|byte| *byte == 0).filter(|p| !p.starts_with(OWN_PREFIX)) {
        is_whole &= packet.length + property.len() + own <= MAX_PACKET_BYTES;
        if is_whole {
            packet.write(&[property]);
        }
    }
    for Property { key, value } in event.added_properties() {
        packet.property(key, value);
    }
    if !is_whole {
        packet.write(&[TRUNCATED]);
    }
    for (key, number) in numbers {
        packet.display(key, &number);
    }
    packet.finish()
}

/// Writes what stands before all else: the protocol's version, and whether the client's own request is answered.
pub fn begin(buffer: &mut [u8; MAX_PACKET_BYTES], requested: bool, seq: u64) -> &[u8] {
    let mut packet = PacketWriter::marker(buffer, b"begin", DEVPATH);
    packet.display(b"SUREPLUG_PROTOCOL", &VERSION);
    packet.property(b"SUREPLUG_REQUESTED", if requested { b"yes" } else { b"no" });
    packet.end(seq)
}

/// Writes that all known devices have been announced, and whether these are out of date: events were lost, or sysfs could
/// not be read.
pub fn end(buffer: &mut [u8; MAX_PACKET_BYTES], is_out_of_date: bool, seq: u64) -> &[u8] {
    let mut packet = PacketWriter::marker(buffer, b"end", DEVPATH);
    if is_out_of_date {
        packet.property(OUT_OF_DATE, b"yes");
    }
    packet.end(seq)
}

/// Writes that so many events are gone, and that the delta follows.
pub fn missed(buffer: &mut [u8; MAX_PACKET_BYTES], events: u64, seq: u64) -> &[u8] {
    let mut packet = PacketWriter::marker(buffer, b"missed", DEVPATH);
    packet.display(b"SUREPLUG_MISSED", &events);
    packet.end(seq)
}

/// Writes that all devices must be forgotten.
pub fn reset(buffer: &mut [u8; MAX_PACKET_BYTES], seq: u64) -> &[u8] {
    PacketWriter::marker(buffer, b"reset", DEVPATH).end(seq)
}

/// Writes why the client is not served.
pub fn error(buffer: &mut [u8; MAX_PACKET_BYTES], refusal: Refusal, seq: u64) -> &[u8] {
    let mut packet = PacketWriter::marker(buffer, b"error", DEVPATH);
    packet.property(b"SUREPLUG_ERROR", refusal.as_str().as_bytes());
    packet.display(b"SUREPLUG_MESSAGE", &refusal);
    packet.end(seq)
}

/// Writes figures of one part of the daemon, whose devpath is below [`DEVPATH`] or that itself. Their keys are written in
/// capitals.
pub fn status<'b>(
    buffer: &'b mut [u8; MAX_PACKET_BYTES],
    devpath: &[u8],
    figures: &[(&str, &dyn fmt::Display)],
    seq: u64,
) -> &'b [u8] {
    let mut packet = PacketWriter::marker(buffer, b"status", devpath);
    for (key, value) in figures {
        let start = packet.length;
        packet.display(key.as_bytes(), value);
        let written = packet.buffer[start..packet.length].get_mut(..key.len());
        written.unwrap_or_default().make_ascii_uppercase();
    }
    packet.end(seq)
}

/// A packet that is being written.
struct PacketWriter<'b> {
    buffer: &'b mut [u8; MAX_PACKET_BYTES],
    length: usize,
}

impl<'b> PacketWriter<'b> {
    fn marker(buffer: &'b mut [u8; MAX_PACKET_BYTES], action: &[u8], devpath: &[u8]) -> Self {
        let mut packet = Self { buffer, length: 0 };
        packet.write(&[action, b"@", devpath, b"\0"]);
        packet.property(b"ACTION", action);
        packet.property(b"DEVPATH", devpath);
        packet.property(b"SUBSYSTEM", SUBSYSTEM);
        packet
    }

    fn end(mut self, seq: u64) -> &'b [u8] {
        self.display(b"SUREPLUG_SEQ", &seq);
        self.finish()
    }

    fn finish(self) -> &'b [u8] {
        &self.buffer[..self.length]
    }

    fn property(&mut self, key: &[u8], value: &[u8]) {
        self.write(&[key, b"=", value, b"\0"]);
    }

    /// A value without its NULs, if it has any.
    fn display(&mut self, key: &[u8], value: &dyn fmt::Display) {
        self.write(&[key, b"="]);
        // It fails only if the value does.
        let _ = write!(self, "{value}");
        self.write(&[b"\0"]);
    }

    /// What does not fit is left out: the callers write less.
    fn write(&mut self, parts: &[&[u8]]) {
        append(self.buffer, &mut self.length, parts);
    }
}

impl Write for PacketWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.split('\0').for_each(|part| self.write(&[part.as_bytes()]));
        Ok(())
    }
}
