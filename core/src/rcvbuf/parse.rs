//! Build-time values: texts from the environment to numbers in their range, in const contexts too.

use core::ops::RangeInclusive;

use super::error::SizingError;
use crate::bytes;

/// Ports that an image may declare.
pub const USB_PORTS: RangeInclusive<u32> = 1..=127;

/// Devices that an image may declare in one port at once.
pub const DEVICES_PER_PORT: RangeInclusive<u32> = 1..=127;

/// For how long in milliseconds a reader may not read.
pub const MAX_STALL_MS: RangeInclusive<u32> = 1..=600_000;

/// Bytes of the longest devpath of a device in one of the board's ports.
pub const DEVPATH_MAX_BYTES: RangeInclusive<u32> = 16..=1_000;

/// What is taken for the longest devpath if nothing is said.
pub const DEFAULT_DEVPATH_MAX_BYTES: u32 = 96;

/// A decimal number in a range: digits only.
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
/// [`SizingError::NotANumber`] with the offset of the first byte that is no digit (0 for an empty text), and
/// [`SizingError::OutOfRange`].
pub const fn parse_u32(text: &str, range: &RangeInclusive<u32>) -> Result<u32, SizingError> {
    match decimal(text.as_bytes(), 0) {
        (Some(number), end) if end == text.len() => in_range(number, range),
        (_, offset) => Err(SizingError::NotANumber { offset }),
    }
}

/// The number, if it is in the range.
pub(super) const fn in_range(found: u32, range: &RangeInclusive<u32>) -> Result<u32, SizingError> {
    let (min, max) = (*range.start(), *range.end());
    if found < min || found > max {
        return Err(SizingError::OutOfRange { found, min, max });
    }
    Ok(found)
}

/// The decimal number at `start`, and where it ends. A number that is too large for the type is `u32::MAX`,
/// which no range here holds.
pub(super) const fn decimal(text: &[u8], start: usize) -> (Option<u32>, usize) {
    #[expect(clippy::cast_possible_truncation)]
    match bytes::digits(text, start, 10) {
        (Some(number), end) if number < u32::MAX as u64 => (Some(number as u32), end),
        (_, end) => (if end == start { None } else { Some(u32::MAX) }, end),
    }
}
