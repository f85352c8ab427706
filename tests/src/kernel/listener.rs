use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto, setsockopt,
    socket, sockopt,
};
use sureplug_board::sys::{MemInfo, mem_info};

/// A listener as other programs are: it sets what buffer it likes, and has no other care.
pub struct Listener(OwnedFd);

impl Listener {
    /// Not bound yet.
    ///
    /// # Panics
    ///
    /// If there is no socket to be had.
    #[must_use]
    pub fn unbound() -> Self {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let protocol = SockProtocol::NetlinkKObjectUEvent;
        Self(socket(AddressFamily::Netlink, SockType::Raw, flags, protocol).expect("a uevent socket"))
    }

    /// Bound to those groups (1 is the kernel's), with `SO_RCVBUF` set to so many bytes.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    #[must_use]
    pub fn with_rcvbuf(bytes: usize, groups: u32) -> Self {
        let listener = Self::unbound();
        setsockopt(&listener.0, sockopt::RcvBuf, &bytes).expect("SO_RCVBUF");
        listener.bind(groups);
        listener
    }

    /// Joins those groups.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    pub fn bind(&self, groups: u32) {
        bind(self.0.as_raw_fd(), &NetlinkAddr::new(0, groups)).expect("bind");
    }

    /// Receives one message; `EAGAIN` if there is none.
    ///
    /// # Errors
    ///
    /// What `recv(2)` says.
    pub fn receive(&self) -> Result<Vec<u8>, Errno> {
        let mut buffer = vec![0; 8192];
        let length = recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        buffer.truncate(length);
        Ok(buffer)
    }

    /// Attaches a classic BPF program of one instruction: keep so many bytes of every message.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    pub fn keep_of_everything(&self, bytes: u32) {
        const BPF_RET_K: u16 = 6;
        let mut instruction = libc::sock_filter { code: BPF_RET_K, jt: 0, jf: 0, k: bytes };
        let program = libc::sock_fprog { len: 1, filter: &raw mut instruction };
        let length = libc::socklen_t::try_from(size_of_val(&program)).expect("a small program");
        // SAFETY: the program and its instruction are valid for reads and outlive the call, which copies
        // them.
        let result = unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const program).cast(),
                length,
            )
        };
        assert_eq!(result, 0, "SO_ATTACH_FILTER: {}", Errno::last());
    }

    /// The socket's memory figures.
    ///
    /// # Panics
    ///
    /// On a kernel without them.
    #[must_use]
    pub fn mem_info(&self) -> MemInfo {
        mem_info(&self.0).expect("SO_MEMINFO")
    }

    /// Gives the descriptor away.
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        self.0
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Multicasts text to a group as any process with `CAP_NET_ADMIN` can: not as the kernel.
///
/// # Panics
///
/// If the kernel refuses.
pub fn multicast(text: &[u8], groups: u32) {
    let sender = Listener::unbound();
    let address = NetlinkAddr::new(0, groups);
    sendto(sender.0.as_raw_fd(), text, &address, MsgFlags::empty()).expect("a multicast");
}
