use std::fmt;

/// A capture is not what it should be, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcapError {
    /// Bytes in the file before what is damaged.
    pub offset: u64,
    /// What it is.
    pub damage: Damage,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// The file begins with another number.
    NoCapture {
        /// The number, in the machine's order of bytes.
        magic: u32,
    },
    /// It has another version than 2.
    Version {
        /// The version.
        major: u16,
    },
    /// Its packets are of another kind.
    LinkType {
        /// Which.
        link_type: u32,
    },
    /// A packet says that it has more bytes than any can have.
    TooLong {
        /// How many.
        bytes: u32,
    },
    /// A packet is too short for what stands in front of a message.
    TooShort {
        /// How many bytes it has.
        bytes: u32,
    },
    /// The file ends within something.
    Ends {
        /// Bytes that are there.
        found: usize,
        /// Bytes that should be.
        wanted: usize,
    },
}

impl fmt::Display for PcapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "damaged at byte {}: {}", self.offset, self.damage)
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCapture { magic } => {
                write!(f, "no capture in the format of libpcap: it begins with {magic:#010x}")
            }
            Self::Version { major } => write!(f, "version {major}, wanted 2"),
            Self::LinkType { link_type } => write!(f, "link type {link_type}, wanted 253 (netlink)"),
            Self::TooLong { bytes } => write!(f, "a packet of {bytes} bytes, more than any has"),
            Self::TooShort { bytes } => write!(f, "a packet of {bytes} bytes, wanted 16 at least"),
            Self::Ends { found, wanted } => write!(f, "the file ends after {found} of {wanted} bytes"),
        }
    }
}

impl core::error::Error for PcapError {}
impl core::error::Error for Damage {}
