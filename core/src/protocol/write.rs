use core::fmt::{self, Write};

use super::{DEVPATH, MAX_PACKET_BYTES, OUT_OF_DATE, RequestError, SUBSYSTEM, VERSION};
use crate::bytes::append;
use crate::stream::{DeviceEvent, OWN_PREFIX};
use crate::uevent::Property;

/// Marks a packet that does not hold all of the kernel's properties.
const TRUNCATED: &[u8] = b"SUREPLUG_TRUNCATED=yes\0";

/// Bytes of the longest number, with its NUL.
const NUMBER_BYTES: usize = 21;

/// Why a client is refused: a word for `SUREPLUG_ERROR`, and as text the sentence for
/// `SUREPLUG_MESSAGE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refusal {
    /// All places are taken.
    Busy {
        /// The number of clients.
        clients: usize,
    },
    /// The client's packet is not a valid request.
    BadRequest(RequestError),
    /// The client sent a second packet.
    SecondRequest,
    /// The daemon is ending.
    Ending,
}

impl Refusal {
    /// Returns the word.
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
            Self::Busy { clients } => write!(f, "{clients} clients are connected, the limit: close one"),
            Self::BadRequest(error) => error.fmt(f),
            Self::SecondRequest => f.write_str("a connection takes one request: connect again for another"),
            Self::Ending => f.write_str("the daemon ends"),
        }
    }
}

/// Writes an event; `seq` is the number of the packet for this client.
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

/// Writes `begin`: the protocol's version, and whether it answers the client's own request.
pub fn begin(buffer: &mut [u8; MAX_PACKET_BYTES], requested: bool, seq: u64) -> &[u8] {
    let mut packet = PacketWriter::marker(buffer, b"begin", DEVPATH);
    packet.display(b"SUREPLUG_PROTOCOL", &VERSION);
    packet.property(b"SUREPLUG_REQUESTED", if requested { b"yes" } else { b"no" });
    packet.end(seq)
}

/// Writes `end`: all known devices have been announced. They are out of date if events were lost or
/// sysfs could not be read.
pub fn end(buffer: &mut [u8; MAX_PACKET_BYTES], is_out_of_date: bool, seq: u64) -> &[u8] {
    let mut packet = PacketWriter::marker(buffer, b"end", DEVPATH);
    if is_out_of_date {
        packet.property(OUT_OF_DATE, b"yes");
    }
    packet.end(seq)
}

/// Writes `missed`: the client missed this many events, and the delta follows.
pub fn missed(buffer: &mut [u8; MAX_PACKET_BYTES], events: u64, seq: u64) -> &[u8] {
    let mut packet = PacketWriter::marker(buffer, b"missed", DEVPATH);
    packet.display(b"SUREPLUG_MISSED", &events);
    packet.end(seq)
}

/// Writes `reset`: the client must forget all devices.
pub fn reset(buffer: &mut [u8; MAX_PACKET_BYTES], seq: u64) -> &[u8] {
    PacketWriter::marker(buffer, b"reset", DEVPATH).end(seq)
}

/// Writes `error`: the client is refused.
pub fn error(buffer: &mut [u8; MAX_PACKET_BYTES], refusal: Refusal, seq: u64) -> &[u8] {
    let mut packet = PacketWriter::marker(buffer, b"error", DEVPATH);
    packet.property(b"SUREPLUG_ERROR", refusal.as_str().as_bytes());
    packet.display(b"SUREPLUG_MESSAGE", &refusal);
    packet.end(seq)
}

/// Writes `status`: figures of one part of the daemon, whose devpath is [`DEVPATH`] or below it.
/// The keys are written in upper case.
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

/// A packet under construction.
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

    /// Writes a value, without its NULs.
    fn display(&mut self, key: &[u8], value: &dyn fmt::Display) {
        self.write(&[key, b"="]);
        // This fails only if the value's own formatting does.
        let _ = write!(self, "{value}");
        self.write(&[b"\0"]);
    }

    /// Appends parts. Those that do not fit are left out; the callers stay within the limit.
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
