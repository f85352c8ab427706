//! The capture format of libpcap (`pcap-savefile(5)`) with link type 253 (`LINKTYPE_NETLINK`),
//! which other tools can read.
//!
//! Each message is preceded by the 16 bytes that an `nlmon` device produces, and by a `struct
//! nlmsghdr`: tools expect that in every message, although the kernel multicasts uevents without
//! it.

mod read;

pub(crate) use read::{Capture, Captured};

use crate::diag::audit::UEVENT_PROTOCOL;

/// Bytes before the first packet.
pub const FILE_HEADER_BYTES: usize = 24;

/// Bytes before each packet.
pub const PACKET_HEADER_BYTES: usize = 16;

/// Bytes before each message, in the packet.
const COOKED_HEADER_BYTES: usize = 16;

/// Bytes before each datagram, in the message: `struct nlmsghdr`.
const MESSAGE_HEADER_BYTES: usize = 16;

/// All bytes before each datagram.
pub const HEADERS_BYTES: usize = PACKET_HEADER_BYTES + COOKED_HEADER_BYTES + MESSAGE_HEADER_BYTES;

/// The most bytes of a packet, as in other programs (`MAXIMUM_SNAPLEN` of libpcap).
const MAX_PACKET_BYTES: u32 = 262_144;

/// Microseconds. Its position also shows the byte order.
const MAGIC_MICROS: u32 = 0xa1b2_c3d4;
/// Nanoseconds.
const MAGIC_NANOS: u32 = 0xa1b2_3c4d;
const VERSION: [u16; 2] = [2, 4];
const LINKTYPE_NETLINK: u32 = 253;
/// `PACKET_USER` in `linux/if_packet.h`: to user space.
const TO_USER_SPACE: u16 = 6;
/// `PACKET_KERNEL` there: to the kernel.
const TO_KERNEL: u16 = 7;
/// The prefix of udevd's frames.
const LIBUDEV_PREFIX: &[u8] = b"libudev\0";
/// `ARPHRD_NETLINK` in `linux/if_arp.h`.
const ARPHRD_NETLINK: u16 = 824;
/// `NLMSG_MIN_TYPE` in `linux/netlink.h`: the first that is not netlink's own.
const MESSAGE_TYPE: u16 = 16;

/// Returns the header of a capture.
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

/// Returns the headers of a datagram of this length, received at this time since 1970.
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
    // These are in network byte order.
    bytes[16..18].copy_from_slice(&TO_USER_SPACE.to_be_bytes());
    bytes[18..20].copy_from_slice(&ARPHRD_NETLINK.to_be_bytes());
    bytes[30..32].copy_from_slice(&u16::from(UEVENT_PROTOCOL).to_be_bytes());
    // These are in the file's byte order.
    bytes[32..36].copy_from_slice(&message.to_le_bytes());
    bytes[36..38].copy_from_slice(&MESSAGE_TYPE.to_le_bytes());
    bytes
}
