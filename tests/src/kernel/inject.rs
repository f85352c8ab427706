use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, sendto, socket,
};

/// `NLM_F_REQUEST` and the first message type that is not netlink's own (`linux/netlink.h`).
const NLM_F_REQUEST: u16 = 1;
const NLMSG_MIN_TYPE: u16 = 16;

/// Sends text to the kernel's end of the uevent socket. The kernel appends a `SEQNUM` and
/// multicasts it to the network namespace as its own event (`uevent_net_rcv_skb` in
/// `lib/kobject_uevent.c`).
pub struct Injector(OwnedFd);

impl Injector {
    /// Opens a socket in this thread's network namespace.
    ///
    /// # Panics
    ///
    /// Panics if the kernel refuses.
    #[must_use]
    pub fn new() -> Self {
        let protocol = SockProtocol::NetlinkKObjectUEvent;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)
            .expect("a uevent socket");
        Self(fd)
    }

    /// Injects one event; its last property must have its NUL.
    ///
    /// # Panics
    ///
    /// If the kernel refuses: it wants `CAP_SYS_ADMIN`.
    pub fn send(&self, text: &[u8]) {
        let length = u32::try_from(16 + text.len()).expect("a short text");
        let mut message = Vec::with_capacity(16 + text.len());
        message.extend(length.to_ne_bytes());
        message.extend(NLMSG_MIN_TYPE.to_ne_bytes());
        message.extend(NLM_F_REQUEST.to_ne_bytes());
        message.extend([0; 8]);
        message.extend(text);
        let kernel = NetlinkAddr::new(0, 0);
        sendto(self.0.as_raw_fd(), &message, &kernel, MsgFlags::empty()).expect("the kernel takes an event");
    }
}

impl Default for Injector {
    fn default() -> Self {
        Self::new()
    }
}

/// A captured datagram as it can be injected: the kernel appends the `SEQNUM`.
///
/// # Panics
///
/// If it does not end with one.
#[must_use]
pub fn without_seqnum(datagram: &[u8]) -> &[u8] {
    let at = datagram.windows(8).rposition(|bytes| bytes == b"\0SEQNUM=").expect("a SEQNUM");
    &datagram[..=at]
}
