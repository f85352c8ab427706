use std::fmt;

use sureplug_core::rcvbuf::SkbAbi;

use super::Socket;

/// Bytes of a usual event of a USB device.
const USUAL_EVENT_BYTES: u32 = 320;

/// The sizes that matter on this board.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The smallest buffer that the kernel sets for any request: [`SkbAbi::rcvbuf_floor`], or as
    /// measured.
    pub floor: u32,
    /// The size of a socket that requested none: `net.core.rmem_default`.
    pub default: u32,
    /// The size that the board's budget requires.
    pub wanted: u32,
}

/// A socket with the limits for its verdict, which is its `Display`.
#[derive(Clone, Copy, Debug)]
pub struct Audited {
    /// The socket, as the kernel describes it.
    pub socket: Socket,
    pub(super) limits: Limits,
}

impl Audited {
    /// Returns `true` if there is a problem: a buffer below the budget, or a loss.
    pub(crate) fn is_finding(&self) -> bool {
        let Limits { floor, wanted, .. } = self.limits;
        let is_too_small = self.buffer().is_some_and(|bytes| bytes <= floor || bytes < wanted);
        is_too_small || self.is_overrun() || self.socket.drops > 0
    }

    /// Returns `true` if a usual event would be refused now.
    fn is_overrun(&self) -> bool {
        let queued = self.socket.queued;
        let needed = queued.saturating_add(SkbAbi::BOUND.truesize(USUAL_EVENT_BYTES));
        queued > 0 && self.buffer().is_some_and(|bytes| needed > bytes)
    }

    /// Returns the size of the buffer if it matters and is known.
    fn buffer(&self) -> Option<u32> {
        self.socket.effective.filter(|_| self.socket.groups != 0)
    }

    /// Returns a sort key that puts the worst first: sockets that lose events, then those that
    /// will; the kernel's own is last.
    pub(super) fn rank(&self) -> (bool, u32, bool, u32, u32) {
        let socket = &self.socket;
        let size = socket.effective.unwrap_or(u32::MAX);
        (socket.is_the_kernels(), u32::MAX - socket.drops, !self.is_finding(), size, socket.inode)
    }
}

impl fmt::Display for Audited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limits { floor, default, wanted } = self.limits;
        if self.socket.is_the_kernels() {
            return f.write_str("the kernel's own");
        }
        match self.buffer() {
            None if self.socket.groups == 0 => f.write_str("listens to nothing")?,
            None => f.write_str("size unknown")?,
            Some(bytes) if bytes <= floor => write!(f, "floor: asked for {} or less", bytes / 2)?,
            Some(bytes) if bytes < wanted => {
                f.write_str(if bytes == default { "the default; " } else { "" })?;
                write!(f, "below this board's budget (wants {wanted})")?;
            }
            Some(bytes) if bytes == default => f.write_str("the default")?,
            Some(_) => f.write_str("fits")?,
        }
        if self.is_overrun() {
            f.write_str("; overrun now")?;
        }
        if self.socket.drops > 0 {
            write!(f, "; lost {} so far", self.socket.drops)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Audited, Limits};
    use crate::diag::audit::Socket;

    const LIMITS: Limits = Limits { floor: 2_304, default: 212_992, wanted: 413_696 };

    #[test]
    fn verdict_states_what_is_wrong_with_a_socket() {
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
            let verdict = Audited { socket, limits: LIMITS };
            assert_eq!(verdict.to_string(), words);
            assert_eq!(verdict.is_finding(), !matches!(words, "fits" | "size unknown"), "{words}");
        }
    }

    #[test]
    fn a_default_that_is_enough_is_none_to_accuse() {
        let limits = Limits { wanted: 212_992, ..LIMITS };
        let effective = Some(212_992);
        let socket = Socket { port: 7, groups: 1, inode: 1, cookie: 1, queued: 0, effective, drops: 0 };
        let verdict = Audited { socket, limits };
        assert_eq!((verdict.to_string().as_str(), verdict.is_finding()), ("the default", false));
    }

    #[test]
    fn socket_without_groups_needs_no_buffer() {
        let is_finding = |socket| Audited { socket, limits: LIMITS }.is_finding();
        let kernel =
            Socket { port: 0, groups: 0, inode: 9, cookie: 1, queued: 0, effective: Some(2_304), drops: 0 };
        assert!(kernel.is_the_kernels() && !is_finding(kernel));
        let sender = Socket { port: 4711, ..kernel };
        assert!(!sender.is_the_kernels() && !is_finding(sender));
        // It joined a group without a bind.
        let unbound = Socket { groups: 1, ..kernel };
        assert!(!unbound.is_the_kernels() && is_finding(unbound));
        assert!([1, 2].into_iter().eq(Socket { groups: 3, ..kernel }.group_numbers()));
    }
}
