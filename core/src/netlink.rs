//! The kernel's end of a netlink socket: sender verification and the drop counter.
//!
//! A process with `CAP_NET_ADMIN` can multicast to the group of the uevents and send to a socket's
//! port. It cannot forge what the kernel stamps on each message: the sender's port, the group, and
//! the sender's credentials (`netlink(7)`, `SCM_CREDENTIALS` in `unix(7)`).
//!
//! `SEQNUM` is not used to count losses: events come out of order, and gaps are normal.

/// The group bit of the kernel's own uevents in `nl_groups`; bit 2 is udevd's.
pub const KERNEL_GROUP_BIT: u32 = 1;

/// What the kernel reports about the sender of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sender {
    /// `nl_pid`: 0 for the kernel.
    pub port: u32,
    /// `nl_groups`: the bit of the group that the message was multicast to; 0 for a message to this
    /// socket alone.
    pub groups: u32,
    /// The sender's uid as seen in this user namespace; `None` if the message carries no
    /// credentials.
    pub uid: Option<u32>,
}

/// The uids that the kernel's messages carry, as seen in this user namespace.
///
/// There are two; in the initial user namespace both are 0. An event of a device that belongs to no
/// network namespace carries the kernel's own root (`GLOBAL_ROOT_UID`). An event of a network
/// namespace's device carries the root of the user namespace that owns it
/// (`uevent_net_broadcast_tagged` in `lib/kobject_uevent.c`). A uid that is not mapped into this
/// namespace appears as the overflow uid, 65534.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct KernelUids {
    /// The kernel's own root.
    pub kernel: u32,
    /// The root of the user namespace that owns the network namespace.
    pub net_owner: u32,
}

impl KernelUids {
    /// The uids in the initial user namespace.
    pub const INITIAL: Self = Self { kernel: 0, net_owner: 0 };

    /// Returns `true` if the kernel itself multicast a message with this sender. The pid is
    /// ignored.
    ///
    /// ```
    /// use sureplug_core::netlink::{KernelUids, Sender};
    ///
    /// let sent = Sender { port: 0, groups: 1, uid: Some(0) };
    /// assert!(KernelUids::INITIAL.believe(sent));
    /// assert!(!KernelUids::INITIAL.believe(Sender { port: 4711, ..sent }));
    /// ```
    #[must_use]
    pub const fn believe(&self, sender: Sender) -> bool {
        let uid_matches = match sender.uid {
            Some(uid) => uid == self.kernel || uid == self.net_owner,
            None => false,
        };
        sender.port == 0 && sender.groups == KERNEL_GROUP_BIT && uid_matches
    }
}

/// Follows the drop counter of one socket: the ninth word of `SO_MEMINFO` (`sk_get_meminfo` in
/// `net/core/sock.c`). It has 32 bits and wraps around.
///
/// ```
/// use sureplug_core::netlink::DropCounter;
///
/// let mut drops = DropCounter::starting_at(u32::MAX);
/// assert_eq!(drops.observe(u32::MAX), 0);
/// assert_eq!(drops.observe(16), 17);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DropCounter {
    last: u32,
}

impl DropCounter {
    /// Starts at the counter's present value.
    #[must_use]
    pub const fn starting_at(drops: u32) -> Self {
        Self { last: drops }
    }

    /// Takes the counter's new value and returns the number of events dropped since the last one.
    pub const fn observe(&mut self, drops: u32) -> u32 {
        drops.wrapping_sub(core::mem::replace(&mut self.last, drops))
    }
}

#[cfg(test)]
mod tests {
    use super::{KernelUids, Sender};

    const KERNEL: Sender = Sender { port: 0, groups: 1, uid: Some(0) };

    #[test]
    fn i7_the_kernels_multicast_is_believed() {
        assert!(KernelUids::INITIAL.believe(KERNEL));
    }

    #[test]
    fn i7_other_senders_are_not_believed() {
        for sender in [
            Sender { port: 1, ..KERNEL },
            Sender { groups: 0, ..KERNEL },
            Sender { groups: 2, ..KERNEL },
            Sender { groups: 3, ..KERNEL },
            Sender { uid: Some(1000), ..KERNEL },
            Sender { uid: None, ..KERNEL },
        ] {
            assert!(!KernelUids::INITIAL.believe(sender), "{sender:?}");
        }
    }

    #[test]
    fn i7_uids_are_those_of_the_user_namespace() {
        let uids = KernelUids { kernel: 65_534, net_owner: 1000 };
        assert!(uids.believe(Sender { uid: Some(65_534), ..KERNEL }));
        assert!(uids.believe(Sender { uid: Some(1000), ..KERNEL }));
        assert!(!uids.believe(KERNEL));
    }
}
