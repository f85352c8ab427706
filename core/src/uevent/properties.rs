use core::fmt;

use super::{Escaped, parse};

/// One property of a uevent: `key=value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Property<'a> {
    /// What stands before the first `=`; never empty.
    pub key: &'a [u8],
    /// What stands behind the first `=`; may be empty, hold `=` and be no UTF-8.
    pub value: &'a [u8],
}

impl fmt::Display for Property<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", Escaped(self.key), Escaped(self.value))
    }
}

/// The properties of a uevent in the order of its datagram: see
/// [`Uevent::properties`](super::Uevent::properties).
#[derive(Clone, Debug)]
pub struct Properties<'a> {
    rest: &'a [u8],
    remaining: usize,
}

impl<'a> Properties<'a> {
    /// `block` has been checked: `remaining` properties, each with its NUL.
    pub(super) const fn new(block: &'a [u8], remaining: usize) -> Self {
        Self { rest: block, remaining }
    }
}

impl<'a> Iterator for Properties<'a> {
    type Item = Property<'a>;

    fn next(&mut self) -> Option<Property<'a>> {
        let (rest, property) = parse::property(self.rest).ok()?;
        self.rest = rest;
        self.remaining -= 1;
        Some(property)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl ExactSizeIterator for Properties<'_> {}
impl core::iter::FusedIterator for Properties<'_> {}
