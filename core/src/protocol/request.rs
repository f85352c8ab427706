use core::fmt;

use heapless::Vec;

use crate::selection::{MAX_SUBSYSTEMS, Selection, SelectionError};

/// The most bytes in a request.
pub const MAX_REQUEST_BYTES: usize = 1_024;

/// A client's one request: a packet of lines, each ended by a line feed, which the last line may
/// omit.
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
    /// Requests events, until either side closes the connection.
    Stream {
        /// The subsystems of the events.
        selection: Selection,
        /// Whether present devices are sent first.
        snapshot: bool,
    },
    /// Requests the present devices; then the connection closes.
    List {
        /// The subsystems of the devices.
        selection: Selection,
    },
    /// Requests the daemon's figures; then the connection closes.
    Status,
}

impl Request {
    /// The request that is assumed of a client that sends none.
    pub const ALL: Self = Self::Stream { selection: Selection::ALL, snapshot: true };

    /// Parses a request.
    ///
    /// # Errors
    ///
    /// Returns a [`RequestError`], with the line number from 1 where it concerns a line.
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
    /// The request has more than [`MAX_REQUEST_BYTES`].
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A line is unknown.
    UnknownLine {
        /// The line number, from 1.
        line: usize,
    },
    /// Lines contradict each other.
    Contradiction,
    /// The subsystems are not a valid selection.
    Selection(SelectionError),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { length } => {
                write!(f, "the request has {length} bytes: send at most {MAX_REQUEST_BYTES}")
            }
            Self::UnknownLine { line } => {
                write!(f, "line {line}: write SUBSYSTEM=name, SNAPSHOT=no, LIST or STATUS")
            }
            Self::Contradiction => {
                f.write_str(
                    "contradictory lines: send STATUS alone, LIST with SUBSYSTEM lines only, and one value of SNAPSHOT",
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
