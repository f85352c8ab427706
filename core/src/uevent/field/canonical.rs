//! Values whose text can be rebuilt from what is read here, byte by byte. Anything else is `None`.

use crate::bytes;
use crate::uevent::escape::is_plain;

/// Text that a log can show as it is: see [`Escaped`](crate::uevent::Escaped) for what cannot.
pub(super) fn text(value: &[u8]) -> Option<&str> {
    str::from_utf8(value).ok().filter(|text| text.chars().all(is_plain))
}

/// `%u`.
pub(super) fn decimal<N: TryFrom<u64>>(value: &[u8]) -> Option<N> {
    padded(value, 10, 1)
}

/// `%03u`.
pub(super) fn three_digits(value: &[u8]) -> Option<u16> {
    padded(value, 10, 3)
}

/// `%u/%u/…`.
pub(super) fn parts_of_decimals<N: TryFrom<u64> + Default + Copy, const PARTS: usize>(
    value: &[u8],
) -> Option<[N; PARTS]> {
    parts(value, 10)
}

/// `%x/%x/…`.
pub(super) fn parts_of_hexadecimals<N: TryFrom<u64> + Default + Copy, const PARTS: usize>(
    value: &[u8],
) -> Option<[N; PARTS]> {
    parts(value, 16)
}

fn parts<N: TryFrom<u64> + Default + Copy, const PARTS: usize>(
    value: &[u8],
    radix: u32,
) -> Option<[N; PARTS]> {
    let mut numbers = [N::default(); PARTS];
    let mut parts = value.split(|&byte| byte == b'/');
    for number in &mut numbers {
        *number = padded(parts.next()?, radix, 1)?;
    }
    parts.next().is_none().then_some(numbers)
}

/// A number padded with zeros to `width` digits, hexadecimal ones in lower case.
fn padded<N: TryFrom<u64>>(value: &[u8], radix: u32, width: usize) -> Option<N> {
    let width_fits = value.len() == width || value.len() > width && value[0] != b'0';
    if !width_fits || value.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    bytes::number(value, radix)
}
