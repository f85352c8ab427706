use core::fmt;

use crate::limits::{MAX_HEADER_BYTES, MAX_PROPERTIES, MAX_PROPERTY_BYTES};

const _: () = assert!(MAX_HEADER_BYTES == MAX_PROPERTY_BYTES, "the message names one limit");

/// Error parsing a datagram: the fault and its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ParseError {
    /// The offset of the byte that shows the fault.
    pub offset: usize,
    /// What is wrong.
    pub fault: ParseFault,
}

/// A fault in a datagram. The offset of each is stated where it is not obvious.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ParseFault {
    /// The datagram is empty.
    Empty,
    /// The datagram is not from the kernel but a frame of udevd for libudev's listeners:
    /// `libudev\0`.
    LibudevFrame,
    /// The last byte is not NUL: the datagram was cut short. The offset is its length.
    NotTerminated,
    /// The header or the properties exceed the kernel's limit ([`MAX_HEADER_BYTES`],
    /// [`MAX_PROPERTY_BYTES`]). The offset is that of the first byte too many.
    TooLong,
    /// The header has no `@` between action and devpath. The offset is the header's end.
    NoAt,
    /// The action before the header's `@` is empty.
    EmptyAction,
    /// The devpath in the header does not begin with `/`. The offset is that of the devpath.
    DevpathNotAbsolute,
    /// There are more properties than the kernel allows ([`MAX_PROPERTIES`]). The offset is that of
    /// the first one too many.
    TooManyProperties,
    /// A property has no `=`. The offset is that of the property.
    NoEquals,
    /// A property begins with `=`.
    EmptyKey,
    /// The first `ACTION` differs from the header. The offset is that of the property.
    ActionDisagrees,
    /// The first `DEVPATH` differs from the header. The offset is that of the property.
    DevpathDisagrees,
    /// An event of the kernel does not end with `SEQNUM`: it was cut short between two properties.
    /// The offset is the datagram's length.
    NoSeqnum,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: ", self.offset)?;
        f.write_str(match self.fault {
            ParseFault::Empty => "the datagram is empty",
            ParseFault::LibudevFrame => {
                "a frame of udevd for libudev's listeners (group 2), not a uevent of the kernel (group 1)"
            }
            ParseFault::NotTerminated => "no NUL at the end: the datagram was cut short",
            ParseFault::TooLong => return write!(f, "longer than the kernel's {MAX_PROPERTY_BYTES} bytes"),
            ParseFault::NoAt => "the header has no `@`: expected `action@devpath`",
            ParseFault::EmptyAction => "no action before `@`: expected `action@devpath`",
            ParseFault::DevpathNotAbsolute => "the devpath does not begin with `/`",
            ParseFault::TooManyProperties => {
                return write!(f, "more than the kernel's {MAX_PROPERTIES} properties");
            }
            ParseFault::NoEquals => "a property has no `=`: expected `KEY=value`",
            ParseFault::EmptyKey => "a property has no key before `=`",
            ParseFault::ActionDisagrees => "ACTION differs from the header's action",
            ParseFault::DevpathDisagrees => "DEVPATH differs from the header's devpath",
            ParseFault::NoSeqnum => "no SEQNUM at the end: the event was cut short",
        })
    }
}

impl core::error::Error for ParseError {}
