use core::fmt;

use heapless::Vec;

use crate::selection::{MAX_SUBSYSTEMS, Selection, SelectionError};

/// Bytes of a request at most.
pub const MAX_REQUEST_BYTES: usize = 1_024;

/// What a client asks for, in its one packet: lines that end with a line feed, of which the last may lack it.
///
/// ```
/// use sureplug_core::protocol::Request;
/// use sureplug_core::selection::Selection;
///
/// let request = Request::parse(b"SUBSYSTEM=usb\nSUBSYSTEM=block\nSNAPSHOT=no\n")?;
/// let selection = Selection::of(&[b"usb", b"block"])?;
/// assert_eq!(request, Request::Stream { selection, snapshot: false });
/// assert_eq!(Request::parse(b"STATUS")?, Request::Status);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Events, until one of the two goes.
    Stream {
        /// Of which subsystems.
        selection: Selection,
        /// Whether what is present is told first.
        snapshot: bool,
    },
    /// What is present, and the end.
    List {
        /// Of which subsystems.
        selection: Selection,
    },
    /// How the daemon is, and the end.
    Status,
}

impl Request {
    /// What a client gets that asks for nothing.
    pub const ALL: Self = Self::Stream { selection: Selection::ALL, snapshot: true };

    /// Reads a packet.
    ///
    /// # Errors
    ///
    /// [`RequestError`], with the number of the line from 1.
    pub fn parse(packet: &[u8]) -> Result<Self, RequestError> {
        if packet.len() > MAX_REQUEST_BYTES {
            return Err(RequestError::TooLong { length: packet.len() });
        }
        let text = packet.strip_suffix(b"\n").unwrap_or(packet);
        let (mut status, mut list, mut with_snapshot, mut without_snapshot) = (false, false, false, false);
        let (mut names, mut are_too_many) = (Vec::<_, MAX_SUBSYSTEMS>::new(), false);
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            match line {
                b"STATUS" => status = true,
                b"LIST" => list = true,
                b"SNAPSHOT=yes" => with_snapshot = true,
                b"SNAPSHOT=no" => without_snapshot = true,
                _ => {
                    let name = line.strip_prefix(b"SUBSYSTEM=").filter(|name| !name.contains(&0));
                    are_too_many |=
                        names.push(name.ok_or(RequestError::UnknownLine { line: number })?).is_err();
                }
            }
        }
        let selection = match &names[..] {
            _ if are_too_many => Err(SelectionError::TooMany),
            [] => Ok(Selection::ALL),
            names => Selection::of(names),
        };
        let selection = selection.map_err(RequestError::Selection)?;
        match (status, list, with_snapshot, without_snapshot) {
            (true, false, false, false) if names.is_empty() => Ok(Self::Status),
            (false, true, false, false) => Ok(Self::List { selection }),
            (false, false, _, false) => Ok(Self::Stream { selection, snapshot: true }),
            (false, false, false, true) => Ok(Self::Stream { selection, snapshot: false }),
            _ => Err(RequestError::Contradiction),
        }
    }
}

/// Error parsing a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RequestError {
    /// More bytes than a request may have.
    TooLong {
        /// Bytes that it has.
        length: usize,
    },
    /// A line that says nothing known.
    UnknownLine {
        /// Which, from 1.
        line: usize,
    },
    /// Lines that cannot stand together.
    Contradiction,
    /// The subsystems are no selection.
    Selection(SelectionError),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { length } => {
                write!(f, "a request of {length} bytes: it has {MAX_REQUEST_BYTES} at most")
            }
            Self::UnknownLine { line } => {
                write!(f, "line {line}: write SUBSYSTEM=name, SNAPSHOT=no, LIST or STATUS")
            }
            Self::Contradiction => {
                f.write_str(
                    "STATUS stands alone, LIST beside SUBSYSTEM lines only, and SNAPSHOT is yes or no: send one of them",
                )
            }
            Self::Selection(SelectionError::TooMany) => {
                write!(f, "more than {MAX_SUBSYSTEMS} SUBSYSTEM lines: send fewer, or none for all subsystems")
            }
            Self::Selection(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RequestError {}
