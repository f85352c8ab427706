//! What the broker of applications and its clients say to each other: see `PROTOCOL.md` of `sureplug-board`.
//!
//! A packet is one uevent in the kernel's wire format. What the broker adds stands behind the kernel's properties, with
//! keys that begin with `SUREPLUG_`; no kernel's property with such a key is passed on, so that none of them can be
//! forged. What the broker says on its own behalf is an event of the subsystem `sureplug`, without `SUREPLUG_ORIGIN`.

mod message;
mod request;
mod write;

use memchr::memchr;

use crate::limits::MAX_DATAGRAM_BYTES;
use crate::uevent::Uevent;
pub use message::{Kind, Message, MessageError};
pub use request::{MAX_REQUEST_BYTES, Request, RequestError};
pub use write::{Refusal, begin, end, end_out_of_date, error, event, missed, reset, status};

/// The protocol's version, as `begin` says it. It is raised when a client of the last one could go wrong.
pub const VERSION: u32 = 1;

/// Bytes of one packet at most.
pub const MAX_PACKET_BYTES: usize = 4_096;

/// What all keys begin with that the broker adds.
pub const PREFIX: &[u8] = b"SUREPLUG_";

/// The key in `end` that says that the devices are known to be out of date.
const OUT_OF_DATE: &[u8] = b"SUREPLUG_OUT_OF_DATE";

/// Returns `true` if an event has properties whose key is one of ours.
#[must_use]
pub fn has_own(uevent: &Uevent<'_>) -> bool {
    let mut properties = uevent.property_bytes();
    while !properties.starts_with(PREFIX) {
        let Some(end) = memchr(0, properties) else { return false };
        properties = &properties[end + 1..];
    }
    true
}

/// Returns an event without the properties whose key is one of ours.
///
/// This is where they end, for every output alike: each event passes here before it is told to anyone.
#[must_use]
pub fn without_own<'b>(uevent: &Uevent<'b>, buffer: &'b mut [u8; MAX_DATAGRAM_BYTES]) -> Uevent<'b> {
    // What is shorter than a datagram fits.
    uevent.without(buffer, |property| property.key.starts_with(PREFIX)).unwrap_or(*uevent)
}

/// The subsystem of what the broker says on its own behalf.
pub const SUBSYSTEM: &[u8] = b"sureplug";

/// The devpath of what the broker says on its own behalf.
pub const DEVPATH: &[u8] = b"/sureplug";
