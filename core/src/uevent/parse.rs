//! One pass over the datagram, made of nom parsers. Values are long enough for `memchr`, keys are not.

use memchr::{memchr, memrchr};
use nom::combinator::{all_consuming, rest};
use nom::error::{ErrorKind, ParseError as NomError};
use nom::sequence::pair;
use nom::{Finish, IResult, Parser};

use super::error::ParseError;
use super::properties::Property;
use crate::limits::{MAX_HEADER_BYTES, MAX_PROPERTIES, MAX_PROPERTY_BYTES};

const NUL: u8 = 0;

/// What udevd's frames begin with (`struct udev_monitor_netlink_header` in systemd's
/// `src/libsystemd/sd-device/device-monitor.c`).
const LIBUDEV_PREFIX: &[u8] = b"libudev\0";

/// Where the parts of a checked datagram are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Index of the header's `@`.
    at: u16,
    /// Index of the header's NUL.
    header_end: u16,
    subsystem: Span,
    seqnum: Span,
}

impl Layout {
    pub(super) fn action<'a>(&self, datagram: &'a [u8]) -> &'a [u8] {
        &datagram[..usize::from(self.at)]
    }

    pub(super) fn devpath<'a>(&self, datagram: &'a [u8]) -> &'a [u8] {
        &datagram[usize::from(self.at) + 1..usize::from(self.header_end)]
    }

    pub(super) fn properties<'a>(&self, datagram: &'a [u8]) -> &'a [u8] {
        &datagram[usize::from(self.header_end) + 1..]
    }

    pub(super) fn subsystem<'a>(&self, datagram: &'a [u8]) -> Option<&'a [u8]> {
        self.subsystem.of(datagram)
    }

    pub(super) fn seqnum<'a>(&self, datagram: &'a [u8]) -> Option<&'a [u8]> {
        self.seqnum.of(datagram)
    }
}

/// A value within the datagram. No value begins at 0, where the header is: that stands for none.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Span {
    start: u16,
    end: u16,
}

impl Span {
    fn of(self, datagram: &[u8]) -> Option<&[u8]> {
        (self.start != 0).then(|| &datagram[usize::from(self.start)..usize::from(self.end)])
    }
}

/// A fault, and what was left of the input where it shows.
#[derive(Debug)]
pub(super) struct Fault<'a> {
    kind: Kind,
    rest: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    NotTerminated,
    NoAt,
    EmptyAction,
    DevpathNotAbsolute,
    NoEquals,
    EmptyKey,
}

impl<'a> NomError<&'a [u8]> for Fault<'a> {
    /// For nom's own combinators. Those used here fail on nothing but input that should have ended.
    fn from_error_kind(rest: &'a [u8], _: ErrorKind) -> Self {
        Self { kind: Kind::NotTerminated, rest }
    }

    fn append(_: &'a [u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

impl Fault<'_> {
    /// `end` is the offset at which the parsed input ends.
    fn at(&self, end: usize) -> ParseError {
        let offset = end - self.rest.len();
        match self.kind {
            Kind::NotTerminated => ParseError::NotTerminated { offset },
            Kind::NoAt => ParseError::NoAt { offset },
            Kind::EmptyAction => ParseError::EmptyAction { offset },
            Kind::DevpathNotAbsolute => ParseError::DevpathNotAbsolute { offset },
            Kind::NoEquals => ParseError::NoEquals { offset },
            Kind::EmptyKey => ParseError::EmptyKey { offset },
        }
    }
}

fn fault<T>(kind: Kind, rest: &[u8]) -> Result<T, nom::Err<Fault<'_>>> {
    Err(nom::Err::Error(Fault { kind, rest }))
}

/// Checks a whole datagram.
pub(super) fn datagram(datagram: &[u8]) -> Result<Layout, ParseError> {
    if datagram.is_empty() {
        return Err(ParseError::Empty { offset: 0 });
    }
    if datagram.starts_with(LIBUDEV_PREFIX) {
        return Err(ParseError::LibudevFrame { offset: 0 });
    }
    if datagram.last() != Some(&NUL) {
        return Err(ParseError::NotTerminated { offset: datagram.len() });
    }
    let (block, header) = terminated_by_nul(datagram).finish().map_err(|f| f.at(datagram.len()))?;
    let header_end = header.len();
    if header_end >= MAX_HEADER_BYTES {
        return Err(ParseError::TooLong { offset: MAX_HEADER_BYTES, limit: MAX_HEADER_BYTES });
    }
    let (_, (action, devpath)) =
        all_consuming(pair(action, devpath)).parse(header).finish().map_err(|f| f.at(header_end))?;
    if block.len() > MAX_PROPERTY_BYTES {
        let offset = header_end + 1 + MAX_PROPERTY_BYTES;
        return Err(ParseError::TooLong { offset, limit: MAX_PROPERTY_BYTES });
    }
    properties(datagram.len(), block, action, devpath).map(|found| Layout {
        at: to_u16(action.len()),
        header_end: to_u16(header_end),
        ..found
    })
}

/// Checks the block of properties, which ends where the datagram of `total` bytes does.
fn properties(total: usize, block: &[u8], action: &[u8], devpath: &[u8]) -> Result<Layout, ParseError> {
    let mut found = Layout { at: 0, header_end: 0, subsystem: Span::default(), seqnum: Span::default() };
    let mut count = 0;
    let (mut action_seen, mut devpath_seen) = (false, false);
    let mut left = block;
    while !left.is_empty() {
        let offset = total - left.len();
        if count == MAX_PROPERTIES {
            return Err(ParseError::TooManyProperties { offset, limit: MAX_PROPERTIES });
        }
        let (behind, Property { key, value }) = property(left).finish().map_err(|f| f.at(total))?;
        count += 1;
        left = behind;
        let span = || {
            let end = total - left.len() - 1;
            Span { start: to_u16(end - value.len()), end: to_u16(end) }
        };
        match key {
            b"ACTION" if !action_seen => {
                action_seen = true;
                if value != action {
                    return Err(ParseError::ActionDisagrees { offset });
                }
            }
            b"DEVPATH" if !devpath_seen => {
                devpath_seen = true;
                if value != devpath {
                    return Err(ParseError::DevpathDisagrees { offset });
                }
            }
            b"SUBSYSTEM" if found.subsystem == Span::default() => found.subsystem = span(),
            b"SEQNUM" if found.seqnum == Span::default() => found.seqnum = span(),
            _ => {}
        }
    }
    Ok(found)
}

/// Whether the last property of a checked datagram is `SEQNUM`.
pub(super) fn ends_with_seqnum(datagram: &[u8]) -> bool {
    let Some((_, before)) = datagram.split_last() else { return false };
    memrchr(NUL, before).is_some_and(|nul| before[nul + 1..].starts_with(b"SEQNUM="))
}

/// The bounds of [`crate::limits`] have been checked, and they fit.
#[allow(clippy::cast_possible_truncation)]
const fn to_u16(offset: usize) -> u16 {
    debug_assert!(offset <= u16::MAX as usize);
    offset as u16
}

/// `key=value\0`.
#[inline]
fn property(input: &[u8]) -> IResult<&[u8], Property<'_>, Fault<'_>> {
    pair(key, terminated_by_nul).map(|(key, value)| Property { key, value }).parse(input)
}

/// What stands before the first `=`, which is consumed.
#[inline]
fn key(input: &[u8]) -> IResult<&[u8], &[u8], Fault<'_>> {
    // A loop is through before a vector search has begun.
    match input.iter().position(|&byte| byte == b'=' || byte == NUL) {
        Some(0) if input[0] == b'=' => fault(Kind::EmptyKey, input),
        Some(end) if input[end] == b'=' => Ok((&input[end + 1..], &input[..end])),
        _ => fault(Kind::NoEquals, input),
    }
}

/// What stands before the next NUL, which is consumed.
#[inline]
fn terminated_by_nul(input: &[u8]) -> IResult<&[u8], &[u8], Fault<'_>> {
    match memchr(NUL, input) {
        Some(end) => Ok((&input[end + 1..], &input[..end])),
        None => fault(Kind::NotTerminated, &input[input.len()..]),
    }
}

/// What stands before the header's first `@`, which is consumed. A devpath may hold another `@`, as
/// `soc@0` does.
fn action(header: &[u8]) -> IResult<&[u8], &[u8], Fault<'_>> {
    match memchr(b'@', header) {
        Some(0) => fault(Kind::EmptyAction, header),
        Some(at) => Ok((&header[at + 1..], &header[..at])),
        None => fault(Kind::NoAt, &header[header.len()..]),
    }
}

/// All the rest of the header.
fn devpath(input: &[u8]) -> IResult<&[u8], &[u8], Fault<'_>> {
    if input.first() == Some(&b'/') { rest(input) } else { fault(Kind::DevpathNotAbsolute, input) }
}
