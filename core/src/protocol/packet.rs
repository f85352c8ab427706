use core::fmt;

use super::{OUT_OF_DATE, SUBSYSTEM};
use crate::bytes::decimal;
use crate::stream::{DeviceEvent, OWN_PREFIX, Origin};
use crate::time::Instant;
use crate::uevent::{self, Action, ParseError, Property, Uevent};

/// A packet as a client reads it.
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

/// What a packet says.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum PacketKind<'p> {
    /// All devices must be forgotten: those present follow, up to [`End`](Self::End).
    Begin {
        /// The protocol's version.
        protocol: u64,
        /// Whether this answers the client's request, and not the lack of one.
        requested: bool,
    },
    /// All present devices have been announced: what follows is live.
    End,
    /// An event. Its stamp is nanoseconds since boot, known to the microsecond.
    Event(DeviceEvent<'p>),
    /// The client lagged: so many events are gone. The delta follows, up to [`End`](Self::End).
    Missed {
        /// How many.
        events: u64,
    },
    /// All devices must be forgotten: those present follow, up to [`End`](Self::End).
    Reset,
    /// Figures of a part of the daemon: the properties of [`BrokerPacket::uevent`] behind `SUBSYSTEM`.
    Status,
    /// The client is not served, and the broker hangs up.
    Error {
        /// A word: see [`Refusal`](super::Refusal).
        reason: &'p [u8],
        /// A sentence.
        message: &'p [u8],
    },
    /// Something that a later version may say, and that can be ignored.
    Other,
}

impl<'p> BrokerPacket<'p> {
    /// Reads a packet.
    ///
    /// # Errors
    ///
    /// [`PacketError`] for what no broker sends.
    pub fn parse(packet: &'p [u8]) -> Result<Self, PacketError> {
        // The kernel's properties, which the header is before, and then the broker's.
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

    /// The kernel's event without what the broker adds, or the broker's own.
    #[must_use]
    pub const fn uevent(&self) -> Uevent<'p> {
        self.uevent
    }

    /// What the broker adds.
    pub fn added(&self) -> impl Iterator<Item = Property<'p>> + use<'p> {
        uevent::split(self.added).filter_map(Property::of)
    }

    /// The packet's number: each is one more than that of the packet before.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        self.number(b"SUREPLUG_SEQ")
    }

    /// Returns `true` if this is an `end` that stands behind devices which are known to be out of date. Another one
    /// follows when they no longer are.
    #[must_use]
    pub fn is_out_of_date(&self) -> bool {
        matches!(self.kind(), PacketKind::End) && self.value(OUT_OF_DATE) == Some(b"yes")
    }

    /// What it says.
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

/// Why a packet is none of a broker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PacketError {
    /// It is no uevent.
    Uevent(ParseError),
    /// What the broker adds is no property, or does not stand at the end.
    BadProperty,
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uevent(error) => error.fmt(f),
            Self::BadProperty => f.write_str("behind the uevent stands what is no property of the broker"),
        }
    }
}

impl core::error::Error for PacketError {}
