//! Reads captures of any program.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};

use sureplug_core::bytes::array;

use super::{
    COOKED_HEADER_BYTES, FILE_HEADER_BYTES, LIBUDEV_PREFIX, LINKTYPE_NETLINK, MAGIC_MICROS, MAGIC_NANOS,
    MAX_PACKET_BYTES, MESSAGE_HEADER_BYTES, MESSAGE_TYPE, PACKET_HEADER_BYTES, TO_KERNEL, VERSION,
};
use crate::diag::audit::UEVENT_PROTOCOL;

/// A message of a capture.
#[derive(Debug)]
pub(crate) struct Captured<'c> {
    /// The offset of its packet in the file.
    pub(crate) offset: u64,
    /// The time of reception in microseconds since 1970.
    pub(crate) unix_us: u64,
    /// The datagram; `None` if it is not a uevent of the kernel.
    pub(crate) datagram: Option<&'c [u8]>,
}

/// A capture being read.
#[derive(Debug)]
pub(crate) struct Capture {
    file: BufReader<File>,
    offset: u64,
    format: Option<Format>,
    bytes: Vec<u8>,
}

impl Capture {
    pub(crate) fn new(file: File) -> Self {
        Self { file: BufReader::new(file), offset: 0, format: None, bytes: Vec::new() }
    }

    /// Reads the next message; `None` at the end of the file. Damage is [`ErrorKind::InvalidData`].
    pub(crate) fn next(&mut self) -> io::Result<Option<Captured<'_>>> {
        let format = if let Some(format) = self.format { format } else { self.begin()? };
        if self.fill(PACKET_HEADER_BYTES)? == 0 {
            return Ok(None);
        }
        let header = self.header()?;
        let (unix_us, length) = format.packet_header(&header).map_err(|damage| self.damaged(&damage))?;
        let found = PACKET_HEADER_BYTES + self.fill(length)?;
        let wanted = PACKET_HEADER_BYTES + length;
        if found < wanted {
            return Err(self.cut_off(found, wanted));
        }
        let offset = self.offset;
        self.offset += wanted as u64;
        Ok(Some(Captured { offset, unix_us, datagram: datagram(&self.bytes) }))
    }

    /// Reads the header of the file.
    fn begin(&mut self) -> io::Result<Format> {
        self.fill(FILE_HEADER_BYTES)?;
        let format = Format::of(&self.header()?).map_err(|damage| self.damaged(&damage))?;
        self.offset += FILE_HEADER_BYTES as u64;
        Ok(*self.format.insert(format))
    }

    /// Reads bytes up to this number or the end of the file, and returns their number.
    fn fill(&mut self, length: usize) -> io::Result<usize> {
        self.bytes.clear();
        (&mut self.file).take(length as u64).read_to_end(&mut self.bytes)
    }

    /// Returns the header that was read, if it is complete.
    fn header<const N: usize>(&self) -> io::Result<[u8; N]> {
        self.bytes.first_chunk().copied().ok_or_else(|| self.cut_off(self.bytes.len(), N))
    }

    fn cut_off(&self, found: usize, wanted: usize) -> io::Error {
        self.damaged(&format!("the file ends after {found} of {wanted} bytes"))
    }

    fn damaged(&self, damage: &str) -> io::Error {
        io::Error::new(ErrorKind::InvalidData, format!("damaged at byte {}: {damage}", self.offset))
    }
}

/// The format of a capture's numbers: each program writes its own machine's byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Format {
    is_swapped: bool,
    is_nanos: bool,
}

impl Format {
    /// Parses the header of a file.
    fn of(header: &[u8; FILE_HEADER_BYTES]) -> Result<Self, String> {
        let magic = u32::from_ne_bytes(array(header));
        let found = [false, true].into_iter().find_map(|is_swapped| {
            let magic = if is_swapped { magic.swap_bytes() } else { magic };
            let is_nanos = magic == MAGIC_NANOS;
            (is_nanos || magic == MAGIC_MICROS).then_some(Self { is_swapped, is_nanos })
        });
        let format = found
            .ok_or_else(|| format!("no capture in the format of libpcap: it begins with {magic:#010x}"))?;
        let major = u16::from_ne_bytes(array(&header[4..]));
        let major = if format.is_swapped { major.swap_bytes() } else { major };
        if major != VERSION[0] {
            return Err(format!("version {major}, wanted 2"));
        }
        // The upper bits describe frames of some networks.
        match format.word(header, 20) & 0x0fff_ffff {
            LINKTYPE_NETLINK => Ok(format),
            link_type => Err(format!("link type {link_type}, wanted 253 (netlink)")),
        }
    }

    /// Parses a packet's header: its time in microseconds since 1970, and its bytes.
    fn packet_header(self, header: &[u8; PACKET_HEADER_BYTES]) -> Result<(u64, usize), String> {
        let [seconds, fraction, bytes] = [0, 4, 8].map(|at| self.word(header, at));
        if bytes > MAX_PACKET_BYTES {
            return Err(format!("a packet of {bytes} bytes, more than any has"));
        }
        let length = bytes as usize;
        if length < COOKED_HEADER_BYTES {
            return Err(format!("a packet of {bytes} bytes, wanted 16 at least"));
        }
        let micros = if self.is_nanos { fraction / 1_000 } else { fraction };
        Ok((u64::from(seconds) * 1_000_000 + u64::from(micros), length))
    }

    fn word(self, bytes: &[u8], at: usize) -> u32 {
        let word = u32::from_ne_bytes(array(&bytes[at..]));
        if self.is_swapped { word.swap_bytes() } else { word }
    }
}

/// Returns the uevent in a packet, with `struct nlmsghdr` or, as from an `nlmon` device, without.
/// Returns `None` if the packet is too short or not an event of the kernel: of another netlink
/// protocol, sent to the kernel, of netlink itself, or of udevd.
fn datagram(packet: &[u8]) -> Option<&[u8]> {
    let (cooked, message) = packet.split_first_chunk::<COOKED_HEADER_BYTES>()?;
    let is_other = cooked[14..] != u16::from(UEVENT_PROTOCOL).to_be_bytes();
    if is_other || cooked[..2] == TO_KERNEL.to_be_bytes() || message.starts_with(LIBUDEV_PREFIX) {
        return None;
    }
    let Some((header, datagram)) = message.split_first_chunk::<MESSAGE_HEADER_BYTES>() else {
        return Some(message);
    };
    let (length, message_type) = (u32::from_ne_bytes(array(header)), u16::from_ne_bytes(array(&header[4..])));
    let message_type = match message.len() {
        bytes if bytes == length as usize => message_type,
        bytes if bytes == length.swap_bytes() as usize => message_type.swap_bytes(),
        _ => return Some(message),
    };
    (message_type >= MESSAGE_TYPE && !datagram.starts_with(LIBUDEV_PREFIX)).then_some(datagram)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::pcap::{file_header, packet_header};

    /// Swaps the bytes of each number.
    fn swapped<const N: usize>(mut bytes: [u8; N], lengths: &[usize]) -> [u8; N] {
        let mut rest = &mut bytes[..];
        for length in lengths {
            let (number, behind) = rest.split_at_mut(*length);
            number.reverse();
            rest = behind;
        }
        bytes
    }

    #[test]
    fn headers_are_read_in_both_byte_orders_and_both_time_units() {
        let mut header = file_header();
        let [ours, theirs] =
            [header, swapped(header, &[4, 2, 2, 4, 4, 4, 4])].map(|header| Format::of(&header).unwrap());
        assert_ne!(ours, theirs);
        header[0] = 0x4d;
        header[1] = 0x3c;
        let nanos = Format::of(&header).unwrap();
        let bytes = *packet_header(7_000_123, 100).first_chunk().unwrap();
        let wanted = (7_000_123, 132);
        assert_eq!(ours.packet_header(&bytes), Ok(wanted));
        assert_eq!(theirs.packet_header(&swapped(bytes, &[4; 4])), Ok(wanted));
        assert_eq!(nanos.packet_header(&bytes).unwrap().0, 7_000_000);
    }

    #[test]
    fn foreign_captures_are_refused() {
        let with = |at: usize, byte: u8| {
            let mut header = file_header();
            header[at] = byte;
            Format::of(&header)
        };
        let refusals = [with(0, 0), with(4, 3), with(20, 1)].map(Result::unwrap_err);
        let wanted =
            ["no capture in the format of libpcap", "version 3, wanted 2", "link type 1, wanted 253"];
        assert!(refusals.iter().zip(wanted).all(|(found, wanted)| found.starts_with(wanted)), "{refusals:?}");
        let format = with(6, 4).unwrap();
        let mut packet = *packet_header(0, 0).first_chunk().unwrap();
        packet[8] = 15;
        assert_eq!(format.packet_header(&packet).unwrap_err(), "a packet of 15 bytes, wanted 16 at least");
        packet[10] = 4;
        assert_eq!(format.packet_header(&packet).unwrap_err(), "a packet of 262159 bytes, more than any has");
    }

    #[test]
    fn a_packet_states_its_protocol() {
        let header = packet_header(0, 3);
        let mut packet = [0; 35];
        packet[..32].copy_from_slice(&header[16..]);
        packet[32..].copy_from_slice(b"a@b");
        assert_eq!(datagram(&packet), Some(&b"a@b"[..]));
        packet[16..20].reverse();
        assert_eq!(datagram(&packet), Some(&b"a@b"[..]));
        packet[16..20].reverse();
        // A control message of netlink, and a message to the kernel.
        for (place, byte) in [(20, 2), (1, 7)] {
            let mut packet = packet;
            packet[place] = byte;
            assert_eq!(datagram(&packet), None, "{place}");
        }
        packet.copy_within(32.., 16);
        assert_eq!(datagram(&packet[..19]), Some(&b"a@b"[..]));
        let frame = [&packet[..16], b"libudev\0\xfe\xed\xca\xfe and more"].concat();
        assert_eq!(datagram(&frame), None);
        packet[15] = 0;
        assert_eq!(datagram(&packet), None);
        assert_eq!(datagram(&packet[..15]), None);
    }
}
