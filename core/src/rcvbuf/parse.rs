//! Parses build-time values: numbers with ranges from the text of environment variables, in const
//! contexts too.

use core::ops::RangeInclusive;

use super::error::SizingError;
use crate::bytes;

/// The ports that an image may declare.
pub const USB_PORTS: RangeInclusive<u32> = 1..=127;

/// The devices that an image may declare in one port at once.
pub const DEVICES_PER_PORT: RangeInclusive<u32> = 1..=127;

/// The longest time without a read of the socket, in milliseconds.
pub const MAX_STALL_MS: RangeInclusive<u32> = 1..=600_000;

/// The longest devpath of a device in one of the board's ports, in bytes.
pub const DEVPATH_MAX_BYTES: RangeInclusive<u32> = 16..=1_000;

/// The default for the longest devpath.
pub const DEFAULT_DEVPATH_MAX_BYTES: u32 = 96;

/// Parses a decimal number in a range. Only digits are allowed.
///
/// ```
/// use sureplug_core::rcvbuf::{SizingError, USB_PORTS, or_panic, parse_u32};
///
/// const PORTS: u32 = match option_env!("NO_SUCH_VARIABLE") {
///     Some(text) => or_panic(parse_u32(text, &USB_PORTS)),
///     None => 4,
/// };
/// assert_eq!(PORTS, 4);
/// assert_eq!(parse_u32("4 ports", &USB_PORTS), Err(SizingError::NotANumber { offset: 1 }));
/// ```
///
/// ```compile_fail,E0080
/// use sureplug_core::rcvbuf::{USB_PORTS, or_panic, parse_u32};
///
/// const PORTS: u32 = or_panic(parse_u32("0", &USB_PORTS));
/// println!("{PORTS}");
/// ```
///
/// # Errors
///
/// Returns [`SizingError::NotANumber`] with the offset of the first byte that is not a digit (0 for
/// an empty text), and [`SizingError::OutOfRange`].
pub const fn parse_u32(text: &str, range: &RangeInclusive<u32>) -> Result<u32, SizingError> {
    match decimal(text.as_bytes(), 0) {
        (Some(number), end) if end == text.len() => in_range(number, range),
        (_, offset) => Err(SizingError::NotANumber { offset }),
    }
}

/// Returns the number if it is in the range.
pub(super) const fn in_range(found: u32, range: &RangeInclusive<u32>) -> Result<u32, SizingError> {
    let (min, max) = (*range.start(), *range.end());
    if found < min || found > max {
        return Err(SizingError::OutOfRange { found, min, max });
    }
    Ok(found)
}

/// Parses the decimal number at `start`, and returns the offset of its end. A number too large for
/// the type becomes `u32::MAX`, which is outside every range here.
pub(super) const fn decimal(text: &[u8], start: usize) -> (Option<u32>, usize) {
    #[expect(clippy::cast_possible_truncation)]
    match bytes::digits(text, start, 10) {
        (Some(number), end) if number < u32::MAX as u64 => (Some(number as u32), end),
        (_, end) => (if end == start { None } else { Some(u32::MAX) }, end),
    }
}
