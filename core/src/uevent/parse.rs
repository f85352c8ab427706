//! Parses the datagram in one pass with nom. Values are long enough for `memchr`, keys are not.

use memchr::{memchr, memrchr};
use nom::combinator::{all_consuming, rest};
use nom::error::{ErrorKind, ParseError as NomError};
use nom::sequence::pair;
use nom::{Finish, IResult, Parser};

use super::error::{ParseError, ParseFault};
use super::properties::Property;
use crate::limits::{MAX_HEADER_BYTES, MAX_PROPERTIES, MAX_PROPERTY_BYTES};

const NUL: u8 = 0;

/// The prefix of udevd's frames (`struct udev_monitor_netlink_header` in systemd's
/// `src/libsystemd/sd-device/device-monitor.c`).
const LIBUDEV_PREFIX: &[u8] = b"libudev\0";

/// The positions of the parts of a checked datagram.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Index of the header's `@`.
    pub(super) at: u16,
    /// Index of the header's NUL.
    pub(super) header_end: u16,
    pub(super) subsystem: Span,
    pub(super) seqnum: Span,
}

/// A value's position in the datagram; 0 to 0 if absent, as the header is there.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    start: u16,
    end: u16,
}

impl Span {
    pub(super) fn of(self, datagram: &[u8]) -> Option<&[u8]> {
        (self.start != 0).then(|| &datagram[usize::from(self.start)..usize::from(self.end)])
    }
}

/// A fault, and the input that was left at it.
#[derive(Debug)]
struct ParseFailure<'a> {
    fault: ParseFault,
    rest: &'a [u8],
}

impl<'a> NomError<&'a [u8]> for ParseFailure<'a> {
    /// nom's own combinators, as used here, fail only on input that should have ended.
    fn from_error_kind(rest: &'a [u8], _: ErrorKind) -> Self {
        Self { fault: ParseFault::NotTerminated, rest }
    }

    fn append(_: &'a [u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

impl ParseFailure<'_> {
    /// Returns the error with its offset; the parsed input ends at offset `end`.
    const fn at(&self, end: usize) -> ParseError {
        ParseError { offset: end - self.rest.len(), fault: self.fault }
    }
}

fn fault<T>(fault: ParseFault, rest: &[u8]) -> Result<T, nom::Err<ParseFailure<'_>>> {
    Err(nom::Err::Error(ParseFailure { fault, rest }))
}

/// Checks a whole datagram and returns its layout.
pub(super) fn datagram(datagram: &[u8]) -> Result<Layout, ParseError> {
    if datagram.is_empty() {
        return Err(ParseError { offset: 0, fault: ParseFault::Empty });
    }
    if datagram.starts_with(LIBUDEV_PREFIX) {
        return Err(ParseError { offset: 0, fault: ParseFault::LibudevFrame });
    }
    if datagram.last() != Some(&NUL) {
        return Err(ParseError { offset: datagram.len(), fault: ParseFault::NotTerminated });
    }
    let (block, header) = terminated_by_nul(datagram).finish().map_err(|f| f.at(datagram.len()))?;
    let header_end = header.len();
    if header_end >= MAX_HEADER_BYTES {
        return Err(ParseError { offset: MAX_HEADER_BYTES, fault: ParseFault::TooLong });
    }
    let (_, (action, devpath)) =
        all_consuming(pair(action, devpath)).parse(header).finish().map_err(|f| f.at(header_end))?;
    if block.len() > MAX_PROPERTY_BYTES {
        let offset = header_end + 1 + MAX_PROPERTY_BYTES;
        return Err(ParseError { offset, fault: ParseFault::TooLong });
    }
    properties(datagram.len(), block, action, devpath).map(|found| Layout {
        at: to_u16(action.len()),
        header_end: to_u16(header_end),
        ..found
    })
}

/// Checks the block of properties, which is the end of a datagram of `total` bytes.
fn properties(total: usize, block: &[u8], action: &[u8], devpath: &[u8]) -> Result<Layout, ParseError> {
    let mut found = Layout { at: 0, header_end: 0, subsystem: Span::default(), seqnum: Span::default() };
    let mut count = 0;
    let (mut action_seen, mut devpath_seen) = (false, false);
    let mut left = block;
    while !left.is_empty() {
        let offset = total - left.len();
        if count == MAX_PROPERTIES {
            return Err(ParseError { offset, fault: ParseFault::TooManyProperties });
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
                    return Err(ParseError { offset, fault: ParseFault::ActionDisagrees });
                }
            }
            b"DEVPATH" if !devpath_seen => {
                devpath_seen = true;
                if value != devpath {
                    return Err(ParseError { offset, fault: ParseFault::DevpathDisagrees });
                }
            }
            b"SUBSYSTEM" if found.subsystem == Span::default() => found.subsystem = span(),
            b"SEQNUM" if found.seqnum == Span::default() => found.seqnum = span(),
            _ => {}
        }
    }
    Ok(found)
}

/// Returns `true` if the last property of a checked datagram is `SEQNUM`.
pub(super) fn ends_with_seqnum(datagram: &[u8]) -> bool {
    let Some((_, before)) = datagram.split_last() else { return false };
    memrchr(NUL, before).is_some_and(|nul| before[nul + 1..].starts_with(b"SEQNUM="))
}

/// Converts an offset. The bounds of [`crate::limits`] were checked, and they fit.
#[allow(clippy::cast_possible_truncation)]
const fn to_u16(offset: usize) -> u16 {
    debug_assert!(offset <= u16::MAX as usize);
    offset as u16
}

/// Parses `key=value\0`.
#[inline]
fn property(input: &[u8]) -> IResult<&[u8], Property<'_>, ParseFailure<'_>> {
    pair(key, terminated_by_nul).map(|(key, value)| Property { key, value }).parse(input)
}

/// Parses up to the first `=`, and consumes that.
#[inline]
fn key(input: &[u8]) -> IResult<&[u8], &[u8], ParseFailure<'_>> {
    // For keys this short a loop is faster than a vector search.
    match input.iter().position(|&byte| byte == b'=' || byte == NUL) {
        Some(0) if input[0] == b'=' => fault(ParseFault::EmptyKey, input),
        Some(end) if input[end] == b'=' => Ok((&input[end + 1..], &input[..end])),
        _ => fault(ParseFault::NoEquals, input),
    }
}

/// Parses up to the next NUL, and consumes that.
#[inline]
fn terminated_by_nul(input: &[u8]) -> IResult<&[u8], &[u8], ParseFailure<'_>> {
    match memchr(NUL, input) {
        Some(end) => Ok((&input[end + 1..], &input[..end])),
        None => fault(ParseFault::NotTerminated, &input[input.len()..]),
    }
}

/// Parses up to the header's first `@`, and consumes that. A devpath may contain another `@`, as in
/// `soc@0`.
fn action(header: &[u8]) -> IResult<&[u8], &[u8], ParseFailure<'_>> {
    match memchr(b'@', header) {
        Some(0) => fault(ParseFault::EmptyAction, header),
        Some(at) => Ok((&header[at + 1..], &header[..at])),
        None => fault(ParseFault::NoAt, &header[header.len()..]),
    }
}

/// Takes the rest of the header.
fn devpath(input: &[u8]) -> IResult<&[u8], &[u8], ParseFailure<'_>> {
    if input.first() == Some(&b'/') { rest(input) } else { fault(ParseFault::DevpathNotAbsolute, input) }
}
