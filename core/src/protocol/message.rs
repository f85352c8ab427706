use core::fmt;

use super::{OUT_OF_DATE, PREFIX, SUBSYSTEM};
use crate::stream::journal::Entry;
use crate::stream::table::Origin;
use crate::uevent::{Action, ParseError, Property, Uevent};

/// A packet as a client reads it.
///
/// ```
/// use sureplug_core::protocol::{Kind, Message};
///
/// let packet = b"missed@/sureplug\0ACTION=missed\0DEVPATH=/sureplug\0SUBSYSTEM=sureplug\0\
///     SUREPLUG_MISSED=17\0SUREPLUG_SEQ=9\0";
/// let message = Message::parse(packet)?;
/// assert!(matches!(message.kind(), Kind::Missed { events: 17 }));
/// assert_eq!(message.seq(), Some(9));
/// # Ok::<(), sureplug_core::protocol::MessageError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Message<'p> {
    uevent: Uevent<'p>,
    /// The broker's own properties, each with its NUL.
    added: &'p [u8],
}

/// What a packet says.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Kind<'p> {
    /// All devices must be forgotten: those present follow, up to [`End`](Self::End).
    Begin {
        /// The protocol's version.
        protocol: u64,
        /// Whether this answers the client's request, and not the lack of one.
        requested: bool,
    },
    /// All that is present was told: what follows is live.
    End,
    /// An event. Its stamp is nanoseconds since boot, known to the microsecond.
    Event(Entry<'p>),
    /// The client did not keep up: so many events are gone. What they changed follows, up to [`End`](Self::End).
    Missed {
        /// How many.
        events: u64,
    },
    /// All devices must be forgotten: those present follow, up to [`End`](Self::End).
    Reset,
    /// Figures of a part of the daemon: the properties of [`Message::uevent`] behind `SUBSYSTEM`.
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

impl<'p> Message<'p> {
    /// Reads a packet.
    ///
    /// # Errors
    ///
    /// [`MessageError`] for what no broker sends.
    pub fn parse(packet: &'p [u8]) -> Result<Self, MessageError> {
        // The kernel's properties, which the header is before, and then the broker's.
        let mut end = 0;
        for (index, part) in packet.split_inclusive(|byte| *byte == 0).enumerate() {
            if index > 0 && part.starts_with(PREFIX) {
                break;
            }
            end += part.len();
        }
        let (kernel, added) = packet.split_at(end);
        let message = Self { uevent: Uevent::parse(kernel).map_err(MessageError::Uevent)?, added };
        let are_properties = message.parts().all(|part| part.starts_with(PREFIX) && part.contains(&b'='));
        if are_properties && added.last().is_none_or(|last| *last == 0) {
            Ok(message)
        } else {
            Err(MessageError::BadProperty)
        }
    }

    /// The kernel's event without what the broker adds, or the broker's own.
    #[must_use]
    pub const fn uevent(&self) -> Uevent<'p> {
        self.uevent
    }

    /// What the broker adds.
    pub fn added(&self) -> impl Iterator<Item = Property<'p>> + use<'p> {
        self.parts().filter_map(|part| {
            let equals = part.iter().position(|byte| *byte == b'=')?;
            Some(Property { key: &part[..equals], value: &part[equals + 1..] })
        })
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
        matches!(self.kind(), Kind::End) && self.value(OUT_OF_DATE) == Some(b"yes")
    }

    /// What it says.
    #[must_use]
    pub fn kind(&self) -> Kind<'p> {
        let value = |key| self.value(key).unwrap_or_default();
        if let Some(origin) = self.value(b"SUREPLUG_ORIGIN") {
            return Kind::Event(Entry {
                stamp: self.number(b"SUREPLUG_MONOTONIC_US").unwrap_or_default().saturating_mul(1_000),
                origin: Origin::from_bytes(origin),
                tracked: self.value(b"SUREPLUG_TRACKED") != Some(b"no"),
                kernel_action: self.value(b"SUREPLUG_ACTION").map(Action::from),
                uevent: self.uevent,
            });
        }
        let action = self.uevent.action();
        match action.as_bytes() {
            _ if self.uevent.subsystem() != Some(SUBSYSTEM) => Kind::Other,
            b"begin" => Kind::Begin {
                protocol: self.number(b"SUREPLUG_PROTOCOL").unwrap_or_default(),
                requested: value(b"SUREPLUG_REQUESTED") == b"yes",
            },
            b"end" => Kind::End,
            b"missed" => Kind::Missed { events: self.number(b"SUREPLUG_MISSED").unwrap_or_default() },
            b"reset" => Kind::Reset,
            b"status" => Kind::Status,
            b"error" => Kind::Error { reason: value(b"SUREPLUG_ERROR"), message: value(b"SUREPLUG_MESSAGE") },
            _ => Kind::Other,
        }
    }

    fn value(&self, key: &[u8]) -> Option<&'p [u8]> {
        self.added().find(|property| property.key == key).map(|property| property.value)
    }

    fn number(&self, key: &[u8]) -> Option<u64> {
        crate::uevent::decimal(self.value(key)?)
    }

    fn parts(&self) -> impl Iterator<Item = &'p [u8]> + use<'p> {
        let parts = self.added.split_inclusive(|byte| *byte == 0);
        parts.map(|part| part.strip_suffix(b"\0").unwrap_or(part))
    }
}

/// Why a packet is none of a broker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MessageError {
    /// It is no uevent.
    Uevent(ParseError),
    /// What the broker adds is no property, or does not stand at the end.
    BadProperty,
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uevent(error) => error.fmt(f),
            Self::BadProperty => f.write_str("behind the uevent stands what is no property of the broker"),
        }
    }
}

impl core::error::Error for MessageError {}
