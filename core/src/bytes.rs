//! What `core` has no `const` function for, and what is done with bytes in several places.

/// Returns `true` if two texts are the same: `==` of slices is not const.
#[must_use]
pub const fn equal(mut a: &[u8], mut b: &[u8]) -> bool {
    while let ([x, rest_a @ ..], [y, rest_b @ ..]) = (a, b) {
        if *x != *y {
            return false;
        }
        (a, b) = (rest_a, rest_b);
    }
    a.is_empty() && b.is_empty()
}

/// Reads the digits of that radix from `start` on: the number, unless it has none or exceeds 64 bits, and where they end.
#[must_use]
pub const fn digits(text: &[u8], start: usize, radix: u32) -> (Option<u64>, usize) {
    let mut number = if start < text.len() { Some(0_u64) } else { None };
    let mut at = start;
    while at < text.len() {
        let Some(digit) = (text[at] as char).to_digit(radix) else { break };
        number = match number {
            Some(number) => match number.checked_mul(radix as u64) {
                Some(number) => number.checked_add(digit as u64),
                None => None,
            },
            None => None,
        };
        at += 1;
    }
    (if at == start { None } else { number }, at)
}

/// Returns the number that a text of decimal digits alone stands for, if it fits: no sign, no blank.
#[must_use]
pub fn decimal<N: TryFrom<u64>>(text: &[u8]) -> Option<N> {
    number(text, 10)
}

/// The same for any radix.
pub(crate) fn number<N: TryFrom<u64>>(text: &[u8], radix: u32) -> Option<N> {
    let (number, end) = digits(text, 0, radix);
    N::try_from(number.filter(|_| end == text.len())?).ok()
}

/// Copies bytes of known number out of a slice, for `from_ne_bytes` and the like.
///
/// # Panics
///
/// If the slice has fewer.
#[must_use]
pub fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    core::array::from_fn(|at| bytes[at])
}

/// Copies parts to `at`, one behind the other, and moves that behind them. Returns `false` if they do not fit: nothing has
/// changed then.
pub fn append(buffer: &mut [u8], at: &mut usize, parts: &[&[u8]]) -> bool {
    let fits = parts.iter().map(|part| part.len()).sum::<usize>() <= buffer.len() - *at;
    for part in parts.iter().filter(|_| fits) {
        buffer[*at..*at + part.len()].copy_from_slice(part);
        *at += part.len();
    }
    fits
}

/// `?` in a `const fn`.
macro_rules! tri {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return Err(error),
        }
    };
}
pub(crate) use tri;
