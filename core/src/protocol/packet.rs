use core::fmt;

use super::{OUT_OF_DATE, SUBSYSTEM};
use crate::bytes::decimal;
use crate::stream::{DeviceEvent, OWN_PREFIX, Origin};
use crate::time::Instant;
use crate::uevent::{self, Action, ParseError, Property, Uevent};

/// A packet as a client receives it.
///
/// ```
/// use sureplug_core::protocol::{PacketKind, BrokerPacket};
///
/// let bytes = b"missed@/sureplug\0ACTION=missed\0DEVPATH=/sureplug\0SUBSYSTEM=sureplug\0\
///     SUREPLUG_MISSED=17\0SUREPLUG_SEQ=9\0";
/// let packet = BrokerPacket::parse(bytes)?;
/// assert!(matches!(packet.kind(), PacketKind::Missed { events: 17 }));
/// assert_eq!(packet.seq(), Some(9));
/// # Ok::<(), sureplug_core::protocol::PacketError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BrokerPacket<'p> {
    uevent: Uevent<'p>,
    /// The broker's own properties, each with its NUL.
    added: &'p [u8],
}

/// The content of a packet.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum PacketKind<'p> {
    /// The client must forget all devices. Those present follow, up to [`End`](Self::End).
    Begin {
        /// The protocol's version.
        protocol: u64,
        /// `true` if this answers the client's request, `false` if it sent none in time.
        requested: bool,
    },
    /// All present devices have been announced, and live events follow.
    End,
    /// An event. Its stamp has the resolution of a microsecond.
    Event(DeviceEvent<'p>),
    /// The client lagged and missed this many events. The delta follows, up to [`End`](Self::End).
    Missed {
        /// The number of events.
        events: u64,
    },
    /// The client must forget all devices. Those present follow, up to [`End`](Self::End).
    Reset,
    /// Figures of a part of the daemon: the properties of [`BrokerPacket::uevent`] after
    /// `SUBSYSTEM`.
    Status,
    /// The client is refused, and the broker closes the connection.
    Error {
        /// The reason as one word: see [`Refusal`](super::Refusal).
        reason: &'p [u8],
        /// The reason as a sentence.
        message: &'p [u8],
    },
    /// A message of a later version, which can be ignored.
    Other,
}

impl<'p> BrokerPacket<'p> {
    /// Parses a packet.
    ///
    /// # Errors
    ///
    /// Returns a [`PacketError`] if the packet is not one that a broker sends.
    pub fn parse(packet: &'p [u8]) -> Result<Self, PacketError> {
        // The header and the kernel's properties, and then the broker's.
        let starts_added =
            |at: &usize| packet[..*at].ends_with(b"\0") && packet[*at..].starts_with(OWN_PREFIX);
        let end = (0..packet.len()).find(starts_added).unwrap_or(packet.len());
        let (kernel, added) = packet.split_at(end);
        let packet = Self { uevent: Uevent::parse(kernel).map_err(PacketError::Uevent)?, added };
        let is_ours = |part: &[u8]| part.starts_with(OWN_PREFIX) && part.contains(&b'=');
        if uevent::split(added).all(is_ours) && added.last().is_none_or(|last| *last == 0) {
            Ok(packet)
        } else {
            Err(PacketError::BadProperty)
        }
    }

    /// Returns the kernel's event without the properties that the broker added, or the broker's own
    /// message.
    #[must_use]
    pub const fn uevent(&self) -> Uevent<'p> {
        self.uevent
    }

    /// Returns the properties that the broker added.
    pub fn added(&self) -> impl Iterator<Item = Property<'p>> + use<'p> {
        uevent::split(self.added).filter_map(Property::of)
    }

    /// Returns the packet's number, one more than that of the previous packet.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        self.number(b"SUREPLUG_SEQ")
    }

    /// Returns `true` if this is an `end` after devices that are known to be out of date. Another
    /// `end` follows when they are up to date again.
    #[must_use]
    pub fn is_out_of_date(&self) -> bool {
        matches!(self.kind(), PacketKind::End) && self.value(OUT_OF_DATE) == Some(b"yes")
    }

    /// Returns the packet's content.
    #[must_use]
    pub fn kind(&self) -> PacketKind<'p> {
        let value = |key| self.value(key).unwrap_or_default();
        if let Some(origin) = self.value(b"SUREPLUG_ORIGIN") {
            let micros = self.number(b"SUREPLUG_MONOTONIC_US").unwrap_or_default();
            return PacketKind::Event(DeviceEvent {
                stamp: Instant::from_nanos(micros.saturating_mul(1_000)),
                origin: Origin::from_bytes(origin),
                tracked: self.value(b"SUREPLUG_TRACKED") != Some(b"no"),
                kernel_action: self.value(b"SUREPLUG_ACTION").map(Action::from),
                uevent: self.uevent,
            });
        }
        let action = self.uevent.action();
        match action.as_bytes() {
            _ if self.uevent.subsystem() != Some(SUBSYSTEM) => PacketKind::Other,
            b"begin" => PacketKind::Begin {
                protocol: self.number(b"SUREPLUG_PROTOCOL").unwrap_or_default(),
                requested: value(b"SUREPLUG_REQUESTED") == b"yes",
            },
            b"end" => PacketKind::End,
            b"missed" => PacketKind::Missed { events: self.number(b"SUREPLUG_MISSED").unwrap_or_default() },
            b"reset" => PacketKind::Reset,
            b"status" => PacketKind::Status,
            b"error" => {
                PacketKind::Error { reason: value(b"SUREPLUG_ERROR"), message: value(b"SUREPLUG_MESSAGE") }
            }
            _ => PacketKind::Other,
        }
    }

    fn value(&self, key: &[u8]) -> Option<&'p [u8]> {
        uevent::value(self.added, key)
    }

    fn number(&self, key: &[u8]) -> Option<u64> {
        decimal(self.value(key)?)
    }
}

/// Error parsing a broker's packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PacketError {
    /// The packet is not a uevent.
    Uevent(ParseError),
    /// The broker's properties are malformed or not at the end.
    BadProperty,
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uevent(error) => error.fmt(f),
            Self::BadProperty => f.write_str("the data after the uevent is not a property of the broker"),
        }
    }
}

impl core::error::Error for PacketError {}
