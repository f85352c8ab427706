//! Measures what the running kernel charges for a datagram.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockname, recv, sendto,
    socket,
};

use crate::sys;

/// A socket that sends to itself and reads the charge.
///
/// Its protocol is `NETLINK_USERSOCK`, to which every user may send. The kernel allocates a message
/// between programs as it does a uevent: `alloc_skb` of its length (`netlink_alloc_large_skb` in
/// `net/netlink/af_netlink.c`, `alloc_uevent_skb` in `lib/kobject_uevent.c`).
#[derive(Debug)]
pub struct ChargeMeter {
    fd: OwnedFd,
    own: NetlinkAddr,
    message: Box<[u8]>,
}

impl ChargeMeter {
    /// Creates a meter for datagrams of up to `max_bytes`.
    ///
    /// # Errors
    ///
    /// Returns the system's error if there is no such socket or no `SO_MEMINFO`.
    pub fn new(max_bytes: usize) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkUserSock)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        let own = getsockname(fd.as_raw_fd())?;
        sys::mem_info(&fd)?;
        Ok(Self { fd, own, message: vec![0; max_bytes].into_boxed_slice() })
    }

    /// Returns the bytes charged for a datagram of this length.
    ///
    /// # Errors
    ///
    /// Returns the system's error: `EMSGSIZE` beyond the meter's maximum.
    pub fn charge(&mut self, bytes: usize) -> io::Result<u32> {
        let message = self.message.get(..bytes).ok_or(Errno::EMSGSIZE)?;
        sendto(self.fd.as_raw_fd(), message, &self.own, MsgFlags::empty())?;
        let charged = sys::mem_info(&self.fd)?.queued;
        recv(self.fd.as_raw_fd(), &mut self.message, MsgFlags::empty())?;
        Ok(charged)
    }
}

#[cfg(test)]
mod tests {
    use super::ChargeMeter;

    #[test]
    fn charges_grow_with_the_length_and_stay_the_same() {
        let mut meter = ChargeMeter::new(4_096).unwrap();
        let charges = [1, 400, 1_000, 2_000].map(|bytes| meter.charge(bytes).unwrap());
        assert!(charges[0] > 500 && charges.is_sorted() && charges[3] > 2_000, "{charges:?}");
        assert_eq!([1, 400, 1_000, 2_000].map(|bytes| meter.charge(bytes).unwrap()), charges);
        assert!(meter.charge(4_097).is_err());
    }
}
