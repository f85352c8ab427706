//! What was lost: what the socket's figures say, and what came damaged.
//!
//! `SEQNUM` has no part in it: events come out of order, and gaps in it are no loss.

/// Whether something was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Loss {
    /// Nothing.
    Steady,
    /// Events that did not arrive whole.
    Lost {
        /// How many; at least that many where the kernel has no drop counter.
        count: u32,
    },
}

/// Follows the drop counter of one socket: the ninth word of `SO_MEMINFO` (`sk_get_meminfo` in
/// `net/core/sock.c`), 32 bits wide, which wraps around.
///
/// ```
/// use sureplug_core::netlink::loss::{DropCounter, Loss};
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

/// What was lost and no scan has made good yet.
///
/// ```
/// use sureplug_core::netlink::loss::{Loss, Outstanding};
///
/// let mut outstanding = Outstanding::default();
/// assert_eq!(outstanding.loss(), Loss::Steady);
/// outstanding.add_dropped(17);
/// outstanding.add_damaged();
/// assert_eq!(outstanding.loss(), Loss::Lost { count: 18 });
/// assert_eq!(outstanding.take().dropped(), 17);
/// assert_eq!(outstanding.loss(), Loss::Steady);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Outstanding {
    dropped: u32,
    damaged: u32,
}

impl Outstanding {
    /// Events that the kernel did not queue: what a [`DropCounter`] says, or 1 for an `ENOBUFS` of a kernel
    /// without that counter, which stands for one at least.
    pub const fn add_dropped(&mut self, count: u32) {
        self.dropped = self.dropped.saturating_add(count);
    }

    /// An event of the kernel that cannot be understood, because its end or more is missing.
    pub const fn add_damaged(&mut self) {
        self.damaged = self.damaged.saturating_add(1);
    }

    /// Events that the kernel did not queue.
    #[must_use]
    pub const fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Events that came damaged.
    #[must_use]
    pub const fn damaged(&self) -> u32 {
        self.damaged
    }

    /// All of them.
    #[must_use]
    pub const fn loss(&self) -> Loss {
        match self.dropped.saturating_add(self.damaged) {
            0 => Loss::Steady,
            count => Loss::Lost { count },
        }
    }

    /// A scan begins that makes it good: what it is, and from here on nothing.
    #[must_use]
    pub const fn take(&mut self) -> Self {
        core::mem::replace(self, Self { dropped: 0, damaged: 0 })
    }
}
