use core::fmt;

use super::error::SizingError;
use super::parse::{MAX_STALL_MS, decimal};
use super::profile::{EventShape, EventShapes, PlugProfile};
use crate::bytes::{equal, tri};
use crate::limits::MAX_DATAGRAM_BYTES;

/// The prefix of a [`CustomDevice`] as text.
const CUSTOM_PREFIX: &str = "custom:";

/// The most groups of events of a [`CustomDevice`].
pub const MAX_CUSTOM_GROUPS: usize = 32;

const NO_EVENTS: EventShape = EventShape { base_len: 0, count: 0, devpath_copies: 0, name_copies: 0 };

/// A device described by figures: `custom:EVENTSxBYTES[+EVENTSxBYTES…]@CYCLE_MS`.
///
/// The groups list the events of one plug and one unplug together. `BYTES` is an event's length
/// without two copies of the plugged device's devpath and without the digits of `SEQNUM`.
/// `CYCLE_MS` is the shortest time in which the device comes and goes. The device counts as one
/// address on its bus.
///
/// ```
/// use sureplug_core::rcvbuf::CustomDevice;
///
/// let device = CustomDevice::parse("custom:4x170+2x195@500")?;
/// assert_eq!(device.profile().plug.count(), 6);
/// assert_eq!(device.to_string(), "custom:4x170+2x195@500");
/// # Ok::<(), sureplug_core::rcvbuf::SizingError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CustomDevice {
    groups: [EventShape; MAX_CUSTOM_GROUPS],
    used: u8,
    shortest_cycle_ms: u32,
}

impl CustomDevice {
    /// Parses a device.
    ///
    /// # Errors
    ///
    /// Returns [`SizingError::CustomSyntax`] with the offset at which the text deviates from the
    /// [form](Self), or of a number that is 0 or too large (more than 65,535 events, 4,096 bytes or
    /// 600,000 ms), and [`SizingError::TooManyGroups`] beyond [`MAX_CUSTOM_GROUPS`].
    pub const fn parse(text: &str) -> Result<Self, SizingError> {
        let text = text.as_bytes();
        match text.split_at_checked(CUSTOM_PREFIX.len()) {
            Some((prefix, _)) if equal(prefix, CUSTOM_PREFIX.as_bytes()) => {}
            _ => return Err(SizingError::CustomSyntax { offset: 0 }),
        }
        let mut groups = [NO_EVENTS; MAX_CUSTOM_GROUPS];
        let mut used = 0;
        let mut at = CUSTOM_PREFIX.len();
        loop {
            if used == MAX_CUSTOM_GROUPS {
                return Err(SizingError::TooManyGroups { offset: at });
            }
            let (count, end) = tri!(number(text, at, u16::MAX as u32));
            at = tri!(expect(text, end, b'x'));
            #[expect(clippy::cast_possible_truncation)]
            let (base_len, end) = tri!(number(text, at, MAX_DATAGRAM_BYTES as u32));
            #[expect(clippy::cast_possible_truncation)]
            let (base_len, count) = (base_len as u16, count as u16);
            groups[used] = EventShape { base_len, count, devpath_copies: 2, name_copies: 0 };
            used += 1;
            at = end;
            if at == text.len() || text[at] != b'+' {
                break;
            }
            at += 1;
        }
        at = tri!(expect(text, at, b'@'));
        let (shortest_cycle_ms, end) = tri!(number(text, at, *MAX_STALL_MS.end()));
        if end < text.len() {
            return Err(SizingError::CustomSyntax { offset: end });
        }
        #[expect(clippy::cast_possible_truncation)]
        Ok(Self { groups, used: used as u8, shortest_cycle_ms })
    }

    /// Returns the groups in the order of the text.
    #[must_use]
    pub const fn groups(&self) -> &[EventShape] {
        self.groups.split_at(self.used as usize).0
    }

    /// Returns the plug profile. All events count as the plug, as the text does not separate the
    /// two.
    #[must_use]
    pub const fn profile(&self) -> PlugProfile<'_> {
        PlugProfile {
            plug: EventShapes(self.groups()),
            unplug: EventShapes(&[]),
            devices: 1,
            copies: 1,
            shortest_cycle_ms: self.shortest_cycle_ms,
        }
    }
}

impl fmt::Display for CustomDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CUSTOM_PREFIX)?;
        for (index, group) in self.groups().iter().enumerate() {
            let plus = if index == 0 { "" } else { "+" };
            write!(f, "{plus}{}x{}", group.count, group.base_len)?;
        }
        write!(f, "@{}", self.shortest_cycle_ms)
    }
}

/// Parses a number from 1 to `max` at `start`, and returns the offset of its end.
const fn number(text: &[u8], start: usize, max: u32) -> Result<(u32, usize), SizingError> {
    match decimal(text, start) {
        (Some(number), end) if number >= 1 && number <= max => Ok((number, end)),
        _ => Err(SizingError::CustomSyntax { offset: start }),
    }
}

/// Returns the offset after the byte that must be at `at`.
const fn expect(text: &[u8], at: usize, byte: u8) -> Result<usize, SizingError> {
    if at < text.len() && text[at] == byte {
        return Ok(at + 1);
    }
    Err(SizingError::CustomSyntax { offset: at })
}
