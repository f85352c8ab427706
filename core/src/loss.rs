//! What the socket's figures say about loss: nothing was lost, or how much.
//!
//! `SEQNUM` has no part in it: events come out of order, and gaps in it are no loss.

/// Whether something was lost since the socket's figures were read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Loss {
    /// Nothing.
    Steady,
    /// Events that the kernel did not queue.
    Lost {
        /// How many; at least that many where the kernel has no drop counter.
        count: u32,
    },
}

/// Follows the drop counter of one socket: the ninth word of `SO_MEMINFO` (`sk_get_meminfo` in
/// `net/core/sock.c`), 32 bits wide, which wraps around.
///
/// ```
/// use sureplug_core::loss::{DropCounter, Loss};
///
/// let mut drops = DropCounter::starting_at(u32::MAX);
/// assert_eq!(drops.observe(u32::MAX), Loss::Steady);
/// assert_eq!(drops.observe(16), Loss::Lost { count: 17 });
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DropCounter {
    last: u32,
}

impl DropCounter {
    /// Begins with the counter's present value.
    #[must_use]
    pub const fn starting_at(drops: u32) -> Self {
        Self { last: drops }
    }

    /// Takes the counter's new value and says what was lost since the one before.
    pub const fn observe(&mut self, drops: u32) -> Loss {
        let count = drops.wrapping_sub(self.last);
        self.last = drops;
        if count == 0 { Loss::Steady } else { Loss::Lost { count } }
    }
}
