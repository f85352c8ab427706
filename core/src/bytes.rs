//! Functions on byte slices: those that are not yet `const` in the standard library, and those that
//! several modules share.

/// Returns `true` if two slices are equal: `==` is not const.
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

/// Reads digits of the given radix from `start` on. Returns the number, `None` without digits or
/// beyond 64 bits, and the offset at which the digits end.
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

/// Returns the value of a text that consists of decimal digits alone; `None` if it does not fit
/// into `N`.
#[must_use]
pub fn decimal<N: TryFrom<u64>>(text: &[u8]) -> Option<N> {
    number(text, 10)
}

/// Returns the value of a text that consists of digits of the given radix alone; `None` if it does
/// not fit into `N`.
pub(crate) fn number<N: TryFrom<u64>>(text: &[u8], radix: u32) -> Option<N> {
    let (number, end) = digits(text, 0, radix);
    N::try_from(number.filter(|_| end == text.len())?).ok()
}

/// Copies the first `N` bytes of a slice into an array, for `from_ne_bytes` and the like.
///
/// # Panics
///
/// Panics if the slice is shorter.
#[must_use]
pub fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    core::array::from_fn(|at| bytes[at])
}

/// Copies parts to the buffer at `at`, one after the other, and advances `at`. Returns `false` if
/// they do not fit; nothing has changed then.
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
