//! Every uevent socket on the system, with its owners and a verdict.
//!
//! The figures come from `NETLINK_SOCK_DIAG` (`sock_diag(7)`). A kernel without it has `/proc/net/netlink`, which lacks the
//! sizes.

mod answers;
mod audited;
mod owners;
mod rates;
mod sockets;

use std::io;
use std::path::Path;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, getsockopt, setsockopt, socket, sockopt,
};
use sureplug_core::rcvbuf::{RcvBuf, SkbAbi};

pub use audited::{Audited, Limits};
pub use owners::{Owner, Owners};
pub(crate) use rates::Rates;
pub use sockets::Source;
use sockets::list;

/// `NETLINK_KOBJECT_UEVENT` in `linux/netlink.h`.
pub(crate) const UEVENT_PROTOCOL: u8 = 15;

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
    /// Returns `true` if it is the kernel's own end: that has no port and listens to nothing (`netlink_kernel_create` in
    /// `net/netlink/af_netlink.c`). A program's socket has a port once it is bound or sends, or is not listed before
    /// it joins a group.
    pub(crate) const fn is_the_kernels(&self) -> bool {
        self.port == 0 && self.groups == 0
    }

    /// Returns the numbers of its groups.
    pub(crate) fn group_numbers(&self) -> impl Iterator<Item = u32> + use<> {
        let groups = self.groups;
        (0..u32::BITS).filter(move |bit| groups >> bit & 1 == 1).map(|bit| bit + 1)
    }
}

/// How it is, at one time.
#[derive(Debug)]
pub struct Audit {
    /// Where the figures come from.
    pub source: Source,
    /// What sizes mean here.
    pub limits: Limits,
    /// The sockets of this network namespace, each once, the worst first.
    pub sockets: Vec<Audited>,
    /// Who has them.
    pub owners: Owners,
}

impl Audit {
    /// Looks at all sockets, and then for their owners. `proc` is `/proc` on a board.
    ///
    /// # Errors
    ///
    /// What the system says if neither source can be read, or if `proc` cannot be.
    pub fn take(proc: &Path, source: Option<&Source>, limits: Limits) -> io::Result<Self> {
        let (source, mut sockets) = list(proc, source)?;
        let owners = Owners::find(proc, &sockets)?;
        let is_orphan = |socket: &Socket| !socket.is_the_kernels() && owners.of(socket).is_empty();
        if sockets.iter().any(is_orphan) {
            // Who ended meanwhile needs no verdict any more.
            let (_, now) = list(proc, Some(&source))?;
            sockets
                .retain(|socket| !is_orphan(socket) || now.binary_search_by_key(&key(socket), key).is_ok());
        }
        let mut sockets: Vec<_> = sockets.into_iter().map(|socket| Audited { socket, limits }).collect();
        sort_by_key(&mut sockets, Audited::rank);
        Ok(Self { source, limits, sockets, owners })
    }

    /// Returns the number of sockets about which something is wrong.
    #[must_use]
    pub fn findings(&self) -> usize {
        self.sockets.iter().filter(|audited| audited.is_finding()).count()
    }

    /// Returns the number of sockets of programs of which no owner is known.
    #[must_use]
    pub fn ownerless(&self) -> usize {
        let sockets = self.sockets.iter().map(|audited| &audited.socket);
        sockets.filter(|socket| !socket.is_the_kernels() && self.owners.of(socket).is_empty()).count()
    }
}

/// What tells sockets apart.
pub(crate) fn key(socket: &Socket) -> (u32, u64) {
    (socket.inode, socket.cookie)
}

/// Returns what sizes mean to a board that wants such a buffer: the floor is tried out.
pub(crate) fn limits(rcvbuf: RcvBuf, default: u32) -> Limits {
    let floor = floor().unwrap_or(SkbAbi::BOUND.rcvbuf_floor());
    Limits { floor, default, wanted: rcvbuf.effective().0 }
}

/// What the kernel makes of too little.
fn floor() -> nix::Result<u32> {
    let protocol = SockProtocol::NetlinkKObjectUEvent;
    let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    setsockopt(&fd, sockopt::RcvBuf, &1)?;
    Ok(u32::try_from(getsockopt(&fd, sockopt::RcvBuf)?).unwrap_or(u32::MAX))
}

/// Sorts a few items by a key. The standard library's sort would cost flash for each of their types.
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
        // 2,048 bytes and struct sk_buff.
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
