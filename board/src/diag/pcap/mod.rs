//! Captures of uevents in the format of libpcap (`pcap-savefile(5)`), with link type 253 (`LINKTYPE_NETLINK`), which
//! other tools read too: in front of each message stand the 16 bytes that a `nlmon` device gives, and a `struct
//! nlmsghdr`, since tools take each message for one that has it, although the kernel multicasts uevents without.

mod read;

pub(crate) use read::{Capture, Captured};

use crate::diag::audit::UEVENT_PROTOCOL;

/// Bytes in front of the first packet.
pub const FILE_HEADER_BYTES: usize = 24;

/// Bytes in front of each packet.
pub const PACKET_HEADER_BYTES: usize = 16;

/// Bytes in front of each message, within the packet.
const COOKED_HEADER_BYTES: usize = 16;

/// Bytes in front of each datagram, within the message: `struct nlmsghdr`.
const MESSAGE_HEADER_BYTES: usize = 16;

/// Bytes in front of each datagram in all.
pub const HEADERS_BYTES: usize = PACKET_HEADER_BYTES + COOKED_HEADER_BYTES + MESSAGE_HEADER_BYTES;

/// Bytes of a packet at most, as other programs have it too (`MAXIMUM_SNAPLEN` of libpcap).
const MAX_PACKET_BYTES: u32 = 262_144;

/// Microseconds; as it stands there it also says the order of bytes.
const MAGIC_MICROS: u32 = 0xa1b2_c3d4;
/// Nanoseconds.
const MAGIC_NANOS: u32 = 0xa1b2_3c4d;
const VERSION: [u16; 2] = [2, 4];
const LINKTYPE_NETLINK: u32 = 253;
/// `PACKET_USER` in `linux/if_packet.h`: to user space.
const TO_USER_SPACE: u16 = 6;
/// `PACKET_KERNEL` there: to the kernel.
const TO_KERNEL: u16 = 7;
/// What udevd's frames begin with.
const LIBUDEV_PREFIX: &[u8] = b"libudev\0";
/// `ARPHRD_NETLINK` in `linux/if_arp.h`.
const ARPHRD_NETLINK: u16 = 824;
/// `NLMSG_MIN_TYPE` in `linux/netlink.h`: the first that is not netlink's own.
const MESSAGE_TYPE: u16 = 16;

/// What a capture begins with.
#[must_use]
pub fn file_header() -> [u8; FILE_HEADER_BYTES] {
    let mut bytes = [0; FILE_HEADER_BYTES];
    bytes[..4].copy_from_slice(&MAGIC_MICROS.to_le_bytes());
    bytes[4..6].copy_from_slice(&VERSION[0].to_le_bytes());
    bytes[6..8].copy_from_slice(&VERSION[1].to_le_bytes());
    bytes[16..20].copy_from_slice(&MAX_PACKET_BYTES.to_le_bytes());
    bytes[20..].copy_from_slice(&LINKTYPE_NETLINK.to_le_bytes());
    bytes
}

/// What stands in front of a datagram of so many bytes, received at that time after 1970.
#[must_use]
pub fn packet_header(unix_us: u64, length: u16) -> [u8; HEADERS_BYTES] {
    let mut bytes = [0; HEADERS_BYTES];
    // Seconds are a u32: until 2106.
    let seconds = u32::try_from(unix_us / 1_000_000).unwrap_or(u32::MAX);
    let micros = (unix_us % 1_000_000) as u32;
    let message = u32::from(length) + 16;
    let packet = message + 16;
    for (place, word) in bytes.chunks_exact_mut(4).zip([seconds, micros, packet, packet]) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    // These are in the order of a network.
    bytes[16..18].copy_from_slice(&TO_USER_SPACE.to_be_bytes());
    bytes[18..20].copy_from_slice(&ARPHRD_NETLINK.to_be_bytes());
    bytes[30..32].copy_from_slice(&u16::from(UEVENT_PROTOCOL).to_be_bytes());
    // These in the order of the file.
    bytes[32..36].copy_from_slice(&message.to_le_bytes());
    bytes[36..38].copy_from_slice(&MESSAGE_TYPE.to_le_bytes());
    bytes
}
