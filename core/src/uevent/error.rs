use core::fmt;

use crate::limits::{MAX_HEADER_BYTES, MAX_PROPERTIES, MAX_PROPERTY_BYTES};

const _: () = assert!(MAX_HEADER_BYTES == MAX_PROPERTY_BYTES, "as the message says");

/// Error parsing a datagram: what is wrong, and where that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ParseError {
    /// The byte of the datagram at which the fault shows.
    pub offset: usize,
    /// What is wrong.
    pub fault: ParseFault,
}

/// What is wrong with a datagram that is no uevent, and which byte shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ParseFault {
    /// The datagram has no bytes.
    Empty,
    /// No uevent of the kernel but a frame that udevd sends to libudev's listeners: `libudev\0`.
    LibudevFrame,
    /// The last byte is not NUL: the datagram was cut short. At its length.
    NotTerminated,
    /// Header or properties are longer than the kernel can make them ([`MAX_HEADER_BYTES`],
    /// [`MAX_PROPERTY_BYTES`]). At the first byte that is too much.
    TooLong,
    /// The header has no `@` between action and devpath. At the header's end.
    NoAt,
    /// Nothing stands before the header's `@`.
    EmptyAction,
    /// The header's devpath does not begin with `/`. At the devpath.
    DevpathNotAbsolute,
    /// More properties than the kernel can make ([`MAX_PROPERTIES`]). At the first that is too much.
    TooManyProperties,
    /// A property has no `=`. At the property.
    NoEquals,
    /// A property begins with `=`.
    EmptyKey,
    /// The first `ACTION` is not the header's action. At the property.
    ActionDisagrees,
    /// The first `DEVPATH` is not the header's devpath. At the property.
    DevpathDisagrees,
    /// An event of the kernel does not end with its `SEQNUM`: it was cut short between two properties. At the
    /// datagram's length.
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
            ParseFault::NoAt => "the header ends without `@`; wanted `action@devpath`",
            ParseFault::EmptyAction => "no action before `@`; wanted `action@devpath`",
            ParseFault::DevpathNotAbsolute => "the devpath does not begin with `/`",
            ParseFault::TooManyProperties => {
                return write!(f, "more than the kernel's {MAX_PROPERTIES} properties");
            }
            ParseFault::NoEquals => "a property without `=`; wanted `KEY=value`",
            ParseFault::EmptyKey => "a property without a key before `=`",
            ParseFault::ActionDisagrees => "ACTION is not the header's action",
            ParseFault::DevpathDisagrees => "DEVPATH is not the header's devpath",
            ParseFault::NoSeqnum => "no SEQNUM at the end: the event was cut short",
        })
    }
}

impl core::error::Error for ParseError {}
