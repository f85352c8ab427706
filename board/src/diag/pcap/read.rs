use super::{
    COOKED_HEADER_BYTES, Damage, FILE_HEADER_BYTES, LIBUDEV_PREFIX, LINKTYPE_NETLINK, MAGIC_MICROS,
    MAGIC_NANOS, MAX_PACKET_BYTES, MESSAGE_HEADER_BYTES, MESSAGE_TYPE, PACKET_HEADER_BYTES, TO_KERNEL,
    VERSION,
};
use crate::diag::audit::UEVENT_PROTOCOL;

/// How a capture's numbers are written: whoever made it used its own machine's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    is_swapped: bool,
    is_nanos: bool,
}

/// What stands in front of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketHeader {
    /// When it was received, in microseconds after 1970.
    pub unix_us: u64,
    /// Bytes of it that follow.
    pub captured: u32,
    /// Bytes that it had.
    pub original: u32,
}

/// A message in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A datagram of the uevent protocol.
    Uevent(&'a [u8]),
    /// No event of the kernel: of another protocol of netlink, or one to the kernel, of netlink itself, or of udevd.
    Other {
        /// Which.
        protocol: u16,
    },
}

impl Format {
    /// From the beginning of a file.
    ///
    /// # Errors
    ///
    /// [`Damage::NoCapture`], [`Damage::Version`] or [`Damage::LinkType`].
    pub fn of(header: &[u8; FILE_HEADER_BYTES]) -> Result<Self, Damage> {
        let magic = word(header, 0);
        let found = [false, true].into_iter().find_map(|is_swapped| {
            let magic = if is_swapped { magic.swap_bytes() } else { magic };
            let is_nanos = magic == MAGIC_NANOS;
            (is_nanos || magic == MAGIC_MICROS).then_some(Self { is_swapped, is_nanos })
        });
        let format = found.ok_or(Damage::NoCapture { magic })?;
        // Two halves of a word, which swap with it.
        let version = format.word(header, 4).to_ne_bytes();
        let halves =
            [u16::from_ne_bytes([version[0], version[1]]), u16::from_ne_bytes([version[2], version[3]])];
        let major = halves[usize::from(format.is_swapped)];
        if major != VERSION[0] {
            return Err(Damage::Version { major });
        }
        // The upper bits say more about the frames of some networks.
        match format.word(header, 20) & 0x0fff_ffff {
            LINKTYPE_NETLINK => Ok(format),
            link_type => Err(Damage::LinkType { link_type }),
        }
    }

    /// From what stands in front of a packet.
    ///
    /// # Errors
    ///
    /// [`Damage::TooLong`] or [`Damage::TooShort`].
    pub fn packet_header(&self, header: &[u8; PACKET_HEADER_BYTES]) -> Result<PacketHeader, Damage> {
        let [seconds, fraction, captured, original] = [0, 4, 8, 12].map(|at| self.word(header, at));
        if captured > MAX_PACKET_BYTES {
            return Err(Damage::TooLong { bytes: captured });
        }
        if (captured as usize) < COOKED_HEADER_BYTES {
            return Err(Damage::TooShort { bytes: captured });
        }
        let micros = if self.is_nanos { fraction / 1_000 } else { fraction };
        Ok(PacketHeader { unix_us: u64::from(seconds) * 1_000_000 + u64::from(micros), captured, original })
    }

    fn word(self, bytes: &[u8], at: usize) -> u32 {
        let word = word(bytes, at);
        if self.is_swapped { word.swap_bytes() } else { word }
    }
}

impl<'a> Packet<'a> {
    /// From a packet's bytes, with `struct nlmsghdr` or, as a `nlmon` device gives uevents, without; `None` if they
    /// are too few.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let (cooked, message) = bytes.split_first_chunk::<COOKED_HEADER_BYTES>()?;
        let protocol = u16::from_be_bytes([cooked[14], cooked[15]]);
        let packet_type = u16::from_be_bytes([cooked[0], cooked[1]]);
        if protocol != u16::from(UEVENT_PROTOCOL)
            || packet_type == TO_KERNEL
            || message.starts_with(LIBUDEV_PREFIX)
        {
            return Some(Self::Other { protocol });
        }
        let Some((header, datagram)) = message.split_first_chunk::<MESSAGE_HEADER_BYTES>() else {
            return Some(Self::Uevent(message));
        };
        let (length, message_type) = (word(header, 0), u16::from_ne_bytes([header[4], header[5]]));
        let message_type = match message.len() {
            bytes if bytes == length as usize => message_type,
            bytes if bytes == length.swap_bytes() as usize => message_type.swap_bytes(),
            _ => return Some(Self::Uevent(message)),
        };
        if message_type < MESSAGE_TYPE || datagram.starts_with(LIBUDEV_PREFIX) {
            return Some(Self::Other { protocol });
        }
        Some(Self::Uevent(datagram))
    }
}

/// The caller gives enough bytes.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::pcap::{file_header, packet_header};

    /// Each number the other way round.
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
    fn both_orders_and_both_units() {
        let mut header = file_header();
        let [ours, theirs] =
            [header, swapped(header, &[4, 2, 2, 4, 4, 4, 4])].map(|header| Format::of(&header).unwrap());
        assert_ne!(ours, theirs);
        header[0] = 0x4d;
        header[1] = 0x3c;
        let nanos = Format::of(&header).unwrap();
        let bytes = *packet_header(7_000_123, 100).first_chunk().unwrap();
        let wanted = PacketHeader { unix_us: 7_000_123, captured: 132, original: 132 };
        assert_eq!(ours.packet_header(&bytes), Ok(wanted));
        assert_eq!(theirs.packet_header(&swapped(bytes, &[4; 4])), Ok(wanted));
        assert_eq!(nanos.packet_header(&bytes).unwrap().unix_us, 7_000_000);
    }

    #[test]
    fn foreign_captures_are_refused() {
        let with = |at: usize, byte: u8| {
            let mut header = file_header();
            header[at] = byte;
            Format::of(&header)
        };
        assert!(matches!(with(0, 0), Err(Damage::NoCapture { .. })));
        assert_eq!(with(4, 3), Err(Damage::Version { major: 3 }));
        assert_eq!(with(20, 1), Err(Damage::LinkType { link_type: 1 }));
        let format = with(6, 4).unwrap();
        let mut packet = *packet_header(0, 0).first_chunk().unwrap();
        packet[8] = 15;
        assert_eq!(format.packet_header(&packet), Err(Damage::TooShort { bytes: 15 }));
        packet[10] = 4;
        assert_eq!(format.packet_header(&packet), Err(Damage::TooLong { bytes: 262_159 }));
    }

    #[test]
    fn a_packet_states_its_protocol() {
        let header = packet_header(0, 3);
        let mut packet = [0; 35];
        packet[..32].copy_from_slice(&header[16..]);
        packet[32..].copy_from_slice(b"a@b");
        assert_eq!(Packet::of(&packet), Some(Packet::Uevent(b"a@b")));
        packet[16..20].reverse();
        assert_eq!(Packet::of(&packet), Some(Packet::Uevent(b"a@b")));
        packet[16..20].reverse();
        // A control message of netlink, and a message to the kernel.
        let other = Some(Packet::Other { protocol: UEVENT_PROTOCOL.into() });
        for (place, byte) in [(20, 2), (1, 7)] {
            let mut packet = packet;
            packet[place] = byte;
            assert_eq!(Packet::of(&packet), other, "{place}");
        }
        packet.copy_within(32.., 16);
        assert_eq!(Packet::of(&packet[..19]), Some(Packet::Uevent(b"a@b")));
        let frame = [&packet[..16], b"libudev\0\xfe\xed\xca\xfe and more"].concat();
        assert_eq!(Packet::of(&frame), other);
        packet[15] = 0;
        assert_eq!(Packet::of(&packet), Some(Packet::Other { protocol: 0 }));
        assert_eq!(Packet::of(&packet[..15]), None);
    }
}
