use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockopt, recv, sendto,
    setsockopt, socket, sockopt,
};
use sureplug_board::sys::{MemInfo, attach_filter, mem_info};
use sureplug_core::filter::Instruction;

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

    /// Listens to these groups (1 is the kernel's) with `SO_RCVBUF` set to this many bytes. If
    /// `net.core.rmem_max` allows less, root's `SO_RCVBUFFORCE` sets the same.
    ///
    /// # Panics
    ///
    /// Panics if the kernel refuses.
    #[must_use]
    pub fn with_rcvbuf(bytes: usize, groups: u32) -> Self {
        let listener = Self::unbound();
        listener.set_rcvbuf(bytes);
        if getsockopt(&listener.0, sockopt::RcvBuf).expect("SO_RCVBUF") < 2 * bytes {
            let _ = setsockopt(&listener.0, sockopt::RcvBufForce, &bytes);
        }
        listener.bind(groups);
        listener
    }

    /// Listens to the kernel's group with a buffer that never fills: it receives everything.
    ///
    /// # Panics
    ///
    /// Panics if the kernel refuses, as it does without `CAP_NET_ADMIN`.
    #[must_use]
    pub fn of_everything() -> Self {
        let listener = Self::unbound();
        setsockopt(&listener.0, sockopt::RcvBufForce, &(256 << 20)).expect("SO_RCVBUFFORCE");
        listener.bind(1);
        listener
    }

    /// Sets `SO_RCVBUF` to this many bytes.
    ///
    /// # Panics
    ///
    /// Panics if the kernel refuses.
    pub fn set_rcvbuf(&self, bytes: usize) {
        setsockopt(&self.0, sockopt::RcvBuf, &bytes).expect("SO_RCVBUF");
    }

    /// Waits for a datagram, and returns its length.
    ///
    /// # Panics
    ///
    /// If the kernel reports an error, such as an overrun.
    pub fn wait_and_receive(&self, into: &mut [u8]) -> usize {
        loop {
            match recv(self.0.as_raw_fd(), into, MsgFlags::empty()) {
                Ok(length) => return length,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => {
                    let _ = poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE);
                }
                Err(errno) => panic!("{errno}"),
            }
        }
    }

    /// Receives and counts all that is queued.
    ///
    /// # Panics
    ///
    /// If some were lost.
    #[must_use]
    pub fn count(&self) -> u64 {
        let mut count = 0;
        loop {
            match self.receive() {
                Ok(_) => count += 1,
                Err(Errno::EAGAIN) => return count,
                Err(errno) => panic!("after {count} events: {errno}"),
            }
        }
    }

    /// Joins those groups.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    pub fn bind(&self, groups: u32) {
        bind(self.0.as_raw_fd(), &NetlinkAddr::new(0, groups)).expect("bind");
    }

    /// Joins one group without a bind, so that it has no port (`NETLINK_ADD_MEMBERSHIP`).
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    pub fn join(&self, group: libc::c_int) {
        let length = libc::socklen_t::try_from(size_of_val(&group)).expect("a small number");
        // SAFETY: `group` is valid for reads of its own size and outlives the call.
        let result = unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                libc::SOL_NETLINK,
                libc::NETLINK_ADD_MEMBERSHIP,
                (&raw const group).cast(),
                length,
            )
        };
        assert_eq!(result, 0, "NETLINK_ADD_MEMBERSHIP: {}", Errno::last());
    }

    /// Receives one message; `EAGAIN` if there is none.
    ///
    /// # Errors
    ///
    /// Returns the error of `recv(2)`.
    pub fn receive(&self) -> Result<Vec<u8>, Errno> {
        let mut buffer = vec![0; 8192];
        let length = recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        buffer.truncate(length);
        Ok(buffer)
    }

    /// Attaches a classic BPF program that keeps this many bytes of every message.
    ///
    /// # Panics
    ///
    /// Panics if the kernel refuses.
    pub fn keep_of_everything(&self, bytes: u32) {
        attach_filter(&self.0, &[instruction(libc::BPF_RET | libc::BPF_K, 0, bytes)])
            .expect("SO_ATTACH_FILTER");
    }

    /// Attaches a classic BPF program: no event of a virtual net device whose name begins with that letter.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    pub fn hide_net_devices(&self, letter: u8) {
        let letter_at = |header: &str| u32::try_from(header.len()).expect("a short header");
        let load = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
        let jump = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        let give = libc::BPF_RET | libc::BPF_K;
        // All events are longer than that: a load beyond the end would drop them.
        attach_filter(
            &self.0,
            &[
                instruction(load, 0, letter_at("add@/devices/virtual/net/")),
                instruction(jump, 3, letter.into()),
                instruction(load, 0, letter_at("remove@/devices/virtual/net/")),
                instruction(jump, 1, letter.into()),
                instruction(give, 0, u32::MAX),
                instruction(give, 0, 0),
            ],
        )
        .expect("SO_ATTACH_FILTER");
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

/// Makes one instruction. A jump that is not taken continues with the next one.
fn instruction(code: u32, jump_if_true: u8, k: u32) -> Instruction {
    Instruction { code: u16::try_from(code).expect("a code"), jt: jump_if_true, jf: 0, k }
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
