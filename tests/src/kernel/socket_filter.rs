use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};

use sureplug_board::sys;
use sureplug_core::filter::Instruction;

/// The running kernel's own judgement of datagrams: a pair of sockets, one of them with the program attached.
pub struct KernelFilter {
    from: OwnedFd,
    to: OwnedFd,
}

impl KernelFilter {
    /// Attaches the program.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error.
    ///
    /// # Panics
    ///
    /// Panics if no sockets are left.
    pub fn new(program: &[Instruction]) -> std::io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let (from, to) = socketpair(AddressFamily::Unix, SockType::Datagram, None, flags).expect("sockets");
        sys::attach_filter(&to, program)?;
        Ok(Self { from, to })
    }

    /// What arrives of a datagram: all of it, its beginning, or nothing.
    ///
    /// # Panics
    ///
    /// If it cannot be sent.
    #[must_use]
    pub fn passes(&self, datagram: &[u8]) -> Option<usize> {
        send(self.from.as_raw_fd(), datagram, MsgFlags::empty()).expect("it is sent");
        let mut buffer = [0; 8192];
        recv(self.to.as_raw_fd(), &mut buffer, MsgFlags::empty()).ok()
    }
}
