use std::fmt::{self, Display, Write};

use sureplug_core::rcvbuf::Effective;
use sureplug_core::sender::Sender;
use sureplug_core::uevent::{ParseError, Uevent};

use super::{json, text};
use crate::monotonic::Monotonic;
use crate::netlink::Shortfall;
use crate::profile::{Mismatch, Sizing};
use crate::totals::Totals;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For people: an event on a line.
    Text {
        /// With all its properties on lines of their own below it.
        verbose: bool,
    },
    /// For programs: a JSON object on a line.
    Json,
}

/// One thing to say. `at` is when the intake read the socket.
#[derive(Clone, Copy, Debug)]
pub enum Line<'a> {
    /// How the buffer was sized, and what the kernel gave; comes first.
    Start(&'a Sizing, Effective),
    /// The buffer or the profile is too small, and we run all the same.
    Undersized(&'a Undersized),
    /// A uevent of the kernel.
    Event {
        /// When.
        at: Monotonic,
        /// What.
        uevent: Uevent<'a>,
    },
    /// The kernel did not queue events.
    Overrun {
        /// When it was noticed.
        at: Monotonic,
        /// How many.
        dropped: u32,
        /// Bytes that were queued then.
        queued: u32,
        /// The effective receive buffer in bytes.
        effective: u32,
    },
    /// An event of the kernel that does not parse.
    Malformed {
        /// When.
        at: Monotonic,
        /// Why and where.
        error: ParseError,
        /// Bytes of the datagram.
        length: usize,
    },
    /// An event of the kernel that is longer than any uevent can be.
    Truncated {
        /// When.
        at: Monotonic,
    },
    /// The first message that was not the kernel's.
    Foreign {
        /// When.
        at: Monotonic,
        /// Whose it was.
        sender: Sender,
    },
    /// Lines were dropped here, because the reader of this output did not keep up.
    OutputDropped {
        /// How many.
        lines: u64,
    },
    /// The last line.
    Totals(&'a Totals),
}

/// Why the daemon runs with less than the board needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Undersized {
    /// The kernel gave too little.
    pub buffer: Option<Shortfall>,
    /// The board has more than the profile says.
    pub profile: [Option<Mismatch>; 2],
}

impl Undersized {
    /// Whether there is a reason at all.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.buffer.is_some() || self.profile.iter().any(Option::is_some)
    }

    /// One sentence or two each.
    pub fn reasons(&self) -> impl Iterator<Item = &dyn Display> {
        let buffer = self.buffer.iter().map(|reason| -> &dyn Display { reason });
        buffer.chain(self.profile.iter().flatten().map(|reason| -> &dyn Display { reason }))
    }
}

impl Line<'_> {
    /// Writes it, its line end included.
    pub(super) fn write(&self, out: &mut dyn Write, style: Style) -> fmt::Result {
        match style {
            Style::Text { verbose } => text::write(out, self, verbose),
            Style::Json => json::write(out, self),
        }
    }
}
