//! A model of one socket's receive queue, to hold against what kernels do.

use sureplug_core::rcvbuf::Effective;

/// The rule by which `netlink_broadcast_deliver` in `net/netlink/af_netlink.c` accepts an event.
///
/// The fix of July 2025 went to every stable branch, so the point release decides which rule a kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Admission {
    /// If no more than the buffer is queued before the event is added: the queue overshoots by one event.
    Old,
    /// If the queue is empty, or the event still fits into the buffer.
    New,
}

/// What the kernel does after it has refused an event: `netlink_overrun` in `net/netlink/af_netlink.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Congestion {
    /// Refuses everything until the reader has emptied the queue (`NETLINK_S_CONGESTED`), and reports one
    /// `ENOBUFS`.
    Latched,
    /// With the option `NETLINK_NO_ENOBUFS`: the next event is admitted as soon as there is room.
    NoEnobufs,
}

/// A socket's receive queue: which events the kernel queues and which it drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveQueue {
    rcvbuf: Effective,
    admission: Admission,
    congestion: Congestion,
    queued: u32,
    dropped: u32,
    congested: bool,
}

impl ReceiveQueue {
    /// Returns an empty queue with a buffer of that size.
    #[must_use]
    pub const fn new(rcvbuf: Effective, admission: Admission, congestion: Congestion) -> Self {
        Self { rcvbuf, admission, congestion, queued: 0, dropped: 0, congested: false }
    }

    /// Sends an event that is charged `truesize` bytes, and returns `true` if it is queued.
    pub const fn offer(&mut self, truesize: u32) -> bool {
        let after = self.queued.checked_add(truesize);
        let room = match (self.admission, after) {
            (Admission::Old, Some(_)) => self.queued <= self.rcvbuf.0,
            (Admission::New, Some(after)) => self.queued == 0 || after <= self.rcvbuf.0,
            (_, None) => false,
        };
        match after {
            Some(after) if room && !self.congested => {
                self.queued = after;
                true
            }
            _ => {
                self.congested = matches!(self.congestion, Congestion::Latched);
                self.dropped = self.dropped.saturating_add(1);
                false
            }
        }
    }

    /// Takes one event that was charged `truesize` bytes. An empty queue ends the congestion (`netlink_rcv_wake`).
    pub const fn read(&mut self, truesize: u32) {
        self.queued = self.queued.saturating_sub(truesize);
        if self.queued == 0 {
            self.congested = false;
        }
    }

    /// Takes everything.
    pub const fn drain(&mut self) {
        self.queued = 0;
        self.congested = false;
    }

    /// Bytes queued: the first word of `SO_MEMINFO`.
    #[must_use]
    pub const fn queued(&self) -> u32 {
        self.queued
    }

    /// Events dropped so far: the ninth word of `SO_MEMINFO`.
    #[must_use]
    pub const fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Returns `true` if everything is refused until the queue is empty.
    #[must_use]
    pub const fn is_congested(&self) -> bool {
        self.congested
    }
}
