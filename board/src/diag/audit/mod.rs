//! Lists every uevent socket on the system, with its owners and a verdict.
//!
//! The figures come from `NETLINK_SOCK_DIAG` (`sock_diag(7)`), or from `/proc/net/netlink`, which
//! lacks the sizes, if the kernel does not have that.

mod answers;
mod audited;
mod owners;
mod rates;
mod sockets;

use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, getsockopt, setsockopt, socket, sockopt,
};
use sureplug_core::rcvbuf::{RcvBuf, SkbAbi};

pub use audited::{Audited, Limits};
pub use owners::{Owner, Owners};
pub(crate) use rates::Rates;
use sockets::list;

/// `NETLINK_KOBJECT_UEVENT` in `linux/netlink.h`.
pub(crate) const UEVENT_PROTOCOL: u8 = 15;

/// A uevent socket, as the kernel describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// `nl_pid` of its address; 0 without one.
    pub port: u32,
    /// The groups that it listens to, one bit each: bit 0 is group 1, the kernel's; bit 1 is
    /// udevd's.
    pub groups: u32,
    /// The number after `socket:` in the links of `/proc/PID/fd`.
    pub inode: u32,
    /// An identifier unique since boot; 0 if the kernel does not state it.
    pub cookie: u64,
    /// Bytes charged for queued messages.
    pub queued: u32,
    /// The effective receive buffer in bytes; `None` if the kernel does not state it.
    pub effective: Option<u32>,
    /// Messages dropped since the socket was opened; wraps around.
    pub drops: u32,
}

impl Socket {
    /// Returns `true` if the socket is the kernel's own end, which has no port and listens to no
    /// group (`netlink_kernel_create` in `net/netlink/af_netlink.c`). A program's socket has a port
    /// once it is bound or sends, and is not listed before it joins a group.
    pub(crate) const fn is_the_kernels(&self) -> bool {
        self.port == 0 && self.groups == 0
    }

    /// Returns the numbers of its groups.
    pub(crate) fn group_numbers(&self) -> impl Iterator<Item = u32> + use<> {
        let groups = self.groups;
        (0..u32::BITS).filter(move |bit| groups >> bit & 1 == 1).map(|bit| bit + 1)
    }
}

/// The state of all uevent sockets at one time.
#[derive(Debug)]
pub struct Audit {
    /// The kernel's refusal of `NETLINK_SOCK_DIAG`, without which the sizes are unknown.
    pub refusal: Option<Errno>,
    /// The sizes that matter.
    pub limits: Limits,
    /// The sockets of this network namespace, each once, the worst first.
    pub sockets: Vec<Audited>,
    /// The owners of the sockets.
    pub owners: Owners,
}

impl Audit {
    /// Lists all sockets, and then finds their owners. `proc` is `/proc` on a board. A `refusal` of
    /// `NETLINK_SOCK_DIAG` makes it the source of the sockets too.
    ///
    /// # Errors
    ///
    /// Returns the system's error if neither source or `proc` cannot be read.
    pub fn take(proc: &Path, refusal: Option<Errno>, limits: Limits) -> io::Result<Self> {
        let (refusal, mut sockets) = list(proc, refusal)?;
        let owners = Owners::find(proc, &sockets)?;
        let is_orphan = |socket: &Socket| !socket.is_the_kernels() && owners.of(socket).is_empty();
        if sockets.iter().any(is_orphan) {
            // Sockets that were closed meanwhile need no verdict.
            let (_, now) = list(proc, refusal)?;
            sockets
                .retain(|socket| !is_orphan(socket) || now.binary_search_by_key(&key(socket), key).is_ok());
        }
        let mut sockets: Vec<_> = sockets.into_iter().map(|socket| Audited { socket, limits }).collect();
        sort_by_key(&mut sockets, Audited::rank);
        Ok(Self { refusal, limits, sockets, owners })
    }

    /// Returns the number of sockets with a problem.
    #[must_use]
    pub fn findings(&self) -> usize {
        self.sockets.iter().filter(|audited| audited.is_finding()).count()
    }

    /// Returns the number of programs' sockets without a known owner.
    #[must_use]
    pub fn ownerless(&self) -> usize {
        let sockets = self.sockets.iter().map(|audited| &audited.socket);
        sockets.filter(|socket| !socket.is_the_kernels() && self.owners.of(socket).is_empty()).count()
    }
}

/// Returns what distinguishes a socket from all others.
pub(crate) fn key(socket: &Socket) -> (u32, u64) {
    (socket.inode, socket.cookie)
}

/// Returns the limits for a board that requires this buffer. The floor is measured.
pub(crate) fn limits(rcvbuf: RcvBuf, default: u32) -> Limits {
    let floor = floor().unwrap_or(SkbAbi::BOUND.rcvbuf_floor());
    Limits { floor, default, wanted: rcvbuf.effective().0 }
}

/// Measures the kernel's floor.
fn floor() -> nix::Result<u32> {
    let protocol = SockProtocol::NetlinkKObjectUEvent;
    let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    setsockopt(&fd, sockopt::RcvBuf, &1)?;
    Ok(u32::try_from(getsockopt(&fd, sockopt::RcvBuf)?).unwrap_or(u32::MAX))
}

/// Sorts a few items by a key. The standard library's sort would cost flash for each item type.
fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && key(&items[at - 1]) > key(&items[at]) {
            items.swap(at - 1, at);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{floor, sort_by_key};

    #[test]
    fn the_floor_is_one_of_a_kernel() {
        // 2,048 bytes and `struct sk_buff`.
        let floor = floor().unwrap();
        assert!((2_200..=2_560).contains(&floor), "{floor}");
    }

    #[test]
    fn sorts_as_the_standard_library_does() {
        for length in 0..200_usize {
            let mut items: Vec<_> = (0..length).map(|i| (i * 7_919 + length) % 61).collect();
            let mut wanted = items.clone();
            wanted.sort_unstable();
            sort_by_key(&mut items, |item| *item);
            assert_eq!(items, wanted);
        }
    }
}
