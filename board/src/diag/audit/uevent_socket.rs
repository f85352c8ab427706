//! A uevent socket, as `sock_diag(7)` describes it.

/// `NETLINK_KOBJECT_UEVENT` in `linux/netlink.h`.
pub const UEVENT_PROTOCOL: u8 = 15;

/// A uevent socket, as the kernel describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// `nl_pid` of its address, 0 if it has none.
    pub port: u32,
    /// The groups that it listens to, a bit for each: bit 0 is group 1, the kernel's; bit 1 is udevd's.
    pub groups: u32,
    /// The number behind `socket:` in the links of `/proc/PID/fd`.
    pub inode: u32,
    /// What tells it from every other socket since boot; 0 where the kernel does not say it.
    pub cookie: u64,
    /// Bytes that are charged for what is queued.
    pub queued: u32,
    /// The effective receive buffer in bytes; `None` where the kernel does not say it.
    pub effective: Option<u32>,
    /// Messages that were not queued since it was opened; wraps around.
    pub drops: u32,
}

impl Socket {
    /// Whether it is the kernel's own end: that has no port and listens to nothing (`netlink_kernel_create` in
    /// `net/netlink/af_netlink.c`). A program's socket has a port once it is bound or sends, or is not listed before
    /// it joins a group.
    #[must_use]
    pub const fn is_the_kernels(&self) -> bool {
        self.port == 0 && self.groups == 0
    }

    /// The numbers of its groups.
    pub fn group_numbers(&self) -> impl Iterator<Item = u32> + use<> {
        let groups = self.groups;
        (0..u32::BITS).filter(move |bit| groups >> bit & 1 == 1).map(|bit| bit + 1)
    }
}
