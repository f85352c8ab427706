//! What the broker of applications and its clients say to each other: see `PROTOCOL.md` of `sureplug-board`.
//!
//! A packet is one uevent in the kernel's wire format. What the broker adds stands behind the kernel's properties, with
//! keys that begin with `SUREPLUG_`; no kernel's property with such a key is passed on, so that none of them can be
//! forged. What the broker says on its own behalf is an event of the subsystem `sureplug`, without `SUREPLUG_ORIGIN`.

mod packet;
mod request;
mod write;

pub use packet::{BrokerPacket, PacketError, PacketKind};
pub use request::{MAX_REQUEST_BYTES, Request, RequestError};
pub use write::{Refusal, begin, end, error, event, missed, reset, status};

/// The protocol's version, as `begin` says it. It is raised when a client of the last one could go wrong.
pub const VERSION: u32 = 1;

/// Bytes of one packet at most.
pub const MAX_PACKET_BYTES: usize = 4_096;

/// The key in `end` that says that the devices are known to be out of date.
const OUT_OF_DATE: &[u8] = b"SUREPLUG_OUT_OF_DATE";

/// The subsystem of what the broker says on its own behalf.
pub const SUBSYSTEM: &[u8] = b"sureplug";

/// The devpath of what the broker says on its own behalf.
pub const DEVPATH: &[u8] = b"/sureplug";
