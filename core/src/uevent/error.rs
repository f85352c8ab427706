use core::fmt;

/// Why a datagram is no uevent, and the offset in bytes at which that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ParseError {
    /// The datagram has no bytes.
    Empty {
        /// Always 0.
        offset: usize,
    },
    /// No uevent of the kernel but a frame that udevd sends to libudev's listeners: `libudev\0`.
    LibudevFrame {
        /// Always 0.
        offset: usize,
    },
    /// The last byte is not NUL: the datagram was cut short.
    NotTerminated {
        /// The datagram's length.
        offset: usize,
    },
    /// Header or properties are longer than the kernel can make them
    /// ([`MAX_HEADER_BYTES`](crate::limits::MAX_HEADER_BYTES),
    /// [`MAX_PROPERTY_BYTES`](crate::limits::MAX_PROPERTY_BYTES)).
    TooLong {
        /// The first byte that is too much.
        offset: usize,
        /// The bytes that are allowed.
        limit: usize,
    },
    /// The header has no `@` between action and devpath.
    NoAt {
        /// Where the header ends.
        offset: usize,
    },
    /// Nothing stands before the header's `@`.
    EmptyAction {
        /// Always 0.
        offset: usize,
    },
    /// The header's devpath does not begin with `/`.
    DevpathNotAbsolute {
        /// Where the devpath begins.
        offset: usize,
    },
    /// More properties than the kernel can make ([`MAX_PROPERTIES`](crate::limits::MAX_PROPERTIES)).
    TooManyProperties {
        /// Where the first property that is too much begins.
        offset: usize,
        /// The properties that are allowed.
        limit: usize,
    },
    /// A property has no `=`.
    NoEquals {
        /// Where the property begins.
        offset: usize,
    },
    /// A property begins with `=`.
    EmptyKey {
        /// Where the property begins.
        offset: usize,
    },
    /// The first `ACTION` is not the header's action.
    ActionDisagrees {
        /// Where the property begins.
        offset: usize,
    },
    /// The first `DEVPATH` is not the header's devpath.
    DevpathDisagrees {
        /// Where the property begins.
        offset: usize,
    },
    /// An event of the kernel does not end with its `SEQNUM`: it was cut short between two properties.
    NoSeqnum {
        /// The datagram's length.
        offset: usize,
    },
}

impl ParseError {
    /// The byte of the datagram at which the fault shows.
    #[must_use]
    pub const fn offset(&self) -> usize {
        match *self {
            Self::Empty { offset }
            | Self::LibudevFrame { offset }
            | Self::NotTerminated { offset }
            | Self::TooLong { offset, .. }
            | Self::NoAt { offset }
            | Self::EmptyAction { offset }
            | Self::DevpathNotAbsolute { offset }
            | Self::TooManyProperties { offset, .. }
            | Self::NoEquals { offset }
            | Self::EmptyKey { offset }
            | Self::ActionDisagrees { offset }
            | Self::DevpathDisagrees { offset }
            | Self::NoSeqnum { offset } => offset,
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: ", self.offset())?;
        match *self {
            Self::Empty { .. } => f.write_str("the datagram is empty"),
            Self::LibudevFrame { .. } => f.write_str(
                "a frame of udevd for libudev's listeners (group 2), not a uevent of the kernel (group 1)",
            ),
            Self::NotTerminated { .. } => f.write_str("no NUL at the end: the datagram was cut short"),
            Self::TooLong { limit, .. } => write!(f, "longer than the kernel's {limit} bytes"),
            Self::NoAt { .. } => f.write_str("the header ends without `@`; wanted `action@devpath`"),
            Self::EmptyAction { .. } => f.write_str("no action before `@`; wanted `action@devpath`"),
            Self::DevpathNotAbsolute { .. } => f.write_str("the devpath does not begin with `/`"),
            Self::TooManyProperties { limit, .. } => {
                write!(f, "more than the kernel's {limit} properties")
            }
            Self::NoEquals { .. } => f.write_str("a property without `=`; wanted `KEY=value`"),
            Self::EmptyKey { .. } => f.write_str("a property without a key before `=`"),
            Self::ActionDisagrees { .. } => f.write_str("ACTION is not the header's action"),
            Self::DevpathDisagrees { .. } => f.write_str("DEVPATH is not the header's devpath"),
            Self::NoSeqnum { .. } => f.write_str("no SEQNUM at the end: the event was cut short"),
        }
    }
}

impl core::error::Error for ParseError {}
