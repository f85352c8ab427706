//! The protocol between the broker and its clients: see `PROTOCOL.md` of `sureplug-board`.
//!
//! A packet is one uevent in the kernel's wire format. The broker appends properties whose keys
//! begin with `SUREPLUG_` to those of the kernel. It passes on no property of the kernel with such
//! a key, so these keys cannot be forged. The broker's own messages are events of the subsystem
//! `sureplug` without `SUREPLUG_ORIGIN`.

mod packet;
mod request;
mod write;

pub use packet::{BrokerPacket, PacketError, PacketKind};
pub use request::{MAX_REQUEST_BYTES, Request, RequestError};
pub use write::{Refusal, begin, end, error, event, missed, reset, status};

/// The protocol's version, as sent in `begin`. It increases when a client of the last version could
/// go wrong.
pub const VERSION: u32 = 1;

/// The most bytes in a packet.
pub const MAX_PACKET_BYTES: usize = 4_096;

/// The key in `end` that marks the announced devices as out of date.
const OUT_OF_DATE: &[u8] = b"SUREPLUG_OUT_OF_DATE";

/// The subsystem of the broker's own messages.
pub const SUBSYSTEM: &[u8] = b"sureplug";

/// The devpath of the broker's own messages.
pub const DEVPATH: &[u8] = b"/sureplug";
