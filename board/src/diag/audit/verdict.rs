use std::fmt;

use super::Socket;
use sureplug_core::rcvbuf::SkbAbi;

/// Bytes of a usual event of a USB device.
const USUAL_EVENT_BYTES: u32 = 320;

/// What sizes mean on this board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The smallest buffer that the kernel sets, whatever was asked: [`SkbAbi::rcvbuf_floor`], or as tried out.
    pub floor: u32,
    /// What a socket has that never asked: `net.core.rmem_default`.
    pub default: u32,
    /// What the board's budget wants.
    pub wanted: u32,
}

/// What the size of a socket's buffer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// The kernel does not say it.
    Unknown,
    /// The socket is the kernel's own, or listens to no group: it needs none.
    Irrelevant,
    /// What the kernel makes of too little.
    Floor {
        /// What was asked for at most.
        asked: u32,
    },
    /// It never asked, or for no more than it had.
    Default {
        /// Whether that is less than the board's budget.
        is_below: bool,
    },
    /// Less than the board's budget.
    Below,
    /// Enough.
    Fits,
}

/// What is to be said about a socket.
///
/// ```
/// use sureplug_board::diag::audit::{Limits, Socket, Verdict};
///
/// let limits = Limits { floor: 2_304, default: 212_992, wanted: 413_696 };
/// let socket = Socket {
///     port: 4711, groups: 1, inode: 77, cookie: 1, queued: 0, effective: Some(2_304), drops: 31,
/// };
/// let verdict = Verdict::of(&socket, &limits);
/// assert!(verdict.is_finding());
/// assert_eq!(verdict.to_string(), "floor: asked for 1152 or less; lost 31 so far");
/// # extern crate std;
/// # use std::string::ToString;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Its buffer.
    pub size: Size,
    /// Whether a usual event would be refused now.
    pub is_overrun: bool,
    /// What it lost so far.
    pub drops: u32,
    wanted: u32,
}

impl Verdict {
    /// On a socket.
    #[must_use]
    pub const fn of(socket: &Socket, limits: &Limits) -> Self {
        let listens = socket.groups != 0;
        let size = match socket.effective {
            _ if !listens => Size::Irrelevant,
            None => Size::Unknown,
            Some(bytes) if bytes <= limits.floor => Size::Floor { asked: bytes / 2 },
            Some(bytes) if bytes == limits.default => Size::Default { is_below: bytes < limits.wanted },
            Some(bytes) if bytes < limits.wanted => Size::Below,
            Some(_) => Size::Fits,
        };
        let is_overrun = match socket.effective {
            Some(bytes) if listens => {
                let usual = SkbAbi::BOUND.truesize(USUAL_EVENT_BYTES);
                socket.queued > 0 && socket.queued.saturating_add(usual) > bytes
            }
            _ => false,
        };
        Self { size, is_overrun, drops: socket.drops, wanted: limits.wanted }
    }

    /// Whether something is wrong: less than the budget, or something lost.
    #[must_use]
    pub const fn is_finding(&self) -> bool {
        self.is_too_small() || self.is_overrun || self.drops > 0
    }

    /// Whether the buffer is smaller than the budget.
    #[must_use]
    pub const fn is_too_small(&self) -> bool {
        matches!(self.size, Size::Floor { .. } | Size::Default { is_below: true } | Size::Below)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.size {
            Size::Unknown => f.write_str("size unknown")?,
            Size::Irrelevant => f.write_str("listens to nothing")?,
            Size::Floor { asked } => write!(f, "floor: asked for {asked} or less")?,
            Size::Default { .. } => f.write_str("the default")?,
            Size::Below => {}
            Size::Fits => f.write_str("fits")?,
        }
        if let Size::Below | Size::Default { is_below: true } = self.size {
            let between = if self.size == Size::Below { "" } else { "; " };
            write!(f, "{between}below this board's budget (wants {})", self.wanted)?;
        }
        if self.is_overrun {
            f.write_str("; overrun now")?;
        }
        if self.drops > 0 {
            write!(f, "; lost {} so far", self.drops)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::{Limits, Verdict};
    use crate::diag::audit::Socket;

    const LIMITS: Limits = Limits { floor: 2_304, default: 212_992, wanted: 413_696 };

    #[test]
    fn in_words() {
        for (effective, queued, drops, words) in [
            (Some(2_304), 0, 0, "floor: asked for 1152 or less"),
            (Some(2_240), 0, 0, "floor: asked for 1120 or less"),
            (Some(2_306), 0, 1, "below this board's budget (wants 413696); lost 1 so far"),
            (Some(212_992), 0, 0, "the default; below this board's budget (wants 413696)"),
            (Some(413_695), 413_000, 0, "below this board's budget (wants 413696); overrun now"),
            (Some(413_696), 0, 0, "fits"),
            (Some(413_696), 1_280, 0, "fits"),
            (Some(413_696), 413_696, 7, "fits; overrun now; lost 7 so far"),
            (Some(2_304), 1_280, 31, "floor: asked for 1152 or less; overrun now; lost 31 so far"),
            (None, 900_000, 0, "size unknown"),
            (None, 0, 2, "size unknown; lost 2 so far"),
        ] {
            let socket = Socket { port: 7, groups: 1, inode: 1, cookie: 1, queued, effective, drops };
            let verdict = Verdict::of(&socket, &LIMITS);
            assert_eq!(verdict.to_string(), words);
            assert_eq!(verdict.is_finding(), !matches!(words, "fits" | "size unknown"), "{words}");
        }
    }

    #[test]
    fn a_default_that_is_enough_is_none_to_accuse() {
        let limits = Limits { wanted: 212_992, ..LIMITS };
        let effective = Some(212_992);
        let socket = Socket { port: 7, groups: 1, inode: 1, cookie: 1, queued: 0, effective, drops: 0 };
        let verdict = Verdict::of(&socket, &limits);
        assert_eq!((verdict.to_string().as_str(), verdict.is_finding()), ("the default", false));
    }

    #[test]
    fn socket_without_groups_needs_no_buffer() {
        let kernel =
            Socket { port: 0, groups: 0, inode: 9, cookie: 1, queued: 0, effective: Some(2_304), drops: 0 };
        assert!(kernel.is_the_kernels() && !Verdict::of(&kernel, &LIMITS).is_finding());
        let sender = Socket { port: 4711, ..kernel };
        assert!(!sender.is_the_kernels() && !Verdict::of(&sender, &LIMITS).is_finding());
        // It joined a group without a bind.
        let unbound = Socket { groups: 1, ..kernel };
        assert!(!unbound.is_the_kernels() && Verdict::of(&unbound, &LIMITS).is_finding());
        assert!([1, 2].into_iter().eq(Socket { groups: 3, ..kernel }.group_numbers()));
    }
}
