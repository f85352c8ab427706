//! The kernel's uevent socket: opened in the one order that works, read in batches.

mod batch;
mod error;
mod uids;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockopt, setsockopt, socket,
    sockopt,
};
use sureplug_core::rcvbuf::{Effective, RcvBuf, SkbAbi};
use sureplug_core::sender::{KERNEL_GROUP_BIT, KernelUids};

pub use batch::{BATCH_MESSAGES, Batch, Message, Received};
pub use error::{OpenError, Shortfall};
pub use uids::kernel_uids;

use crate::sys::{self, MemInfo};
use crate::sysctl;

/// A socket that is bound to the kernel's uevents.
#[derive(Debug)]
pub struct UeventSocket {
    fd: OwnedFd,
    effective: Effective,
    /// The figures as they were before the first event; `None` from a kernel without `SO_MEMINFO`.
    initial: Option<MemInfo>,
    kernel_uids: KernelUids,
}

impl UeventSocket {
    /// Opens a socket whose receive buffer is what `wanted` asks for, or as near as the kernel allows:
    /// [`Shortfall::of`] says what it lacks.
    ///
    /// The order: socket, `SO_RCVBUFFORCE` (without `CAP_NET_ADMIN` plain `SO_RCVBUF`, which must never
    /// follow a successful `FORCE`, since it would undo it), the size read back, the options, and only
    /// then the bind, so that no event comes before all of that holds. The port is left to the kernel:
    /// a pid as the port is refused when another socket of the process has taken it.
    ///
    /// # Errors
    ///
    /// [`OpenError`] names the step that the system refused.
    pub fn open(wanted: RcvBuf) -> Result<Self, OpenError> {
        let socket = Self::prepare(unbound(wanted)?)?;
        bind(socket.fd.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP_BIT))
            .map_err(|e| OpenError::new("bind", e.into()))?;
        Ok(socket)
    }

    /// The effective buffer that the kernel would give this process now, tried with a socket that is
    /// never bound.
    ///
    /// # Errors
    ///
    /// [`OpenError`] names the step that the system refused.
    pub fn probe(wanted: RcvBuf) -> Result<Effective, OpenError> {
        effective(&unbound(wanted)?)
    }

    /// Takes a uevent socket that somebody else opened and bound: one handed over by a supervisor, or a
    /// test's own. Its buffer is left as it is.
    ///
    /// # Errors
    ///
    /// [`OpenError`] names the step that the system refused, as it does for a descriptor that is no
    /// netlink socket.
    pub fn adopt(fd: OwnedFd) -> Result<Self, OpenError> {
        Self::prepare(fd)
    }

    fn prepare(fd: OwnedFd) -> Result<Self, OpenError> {
        let effective = effective(&fd)?;
        setsockopt(&fd, sockopt::PassCred, &true)
            .map_err(|e| OpenError::new("setsockopt SO_PASSCRED", e.into()))?;
        let initial = sys::mem_info(&fd).ok();
        if initial.is_some() {
            sys::set_no_enobufs(&fd).map_err(|e| OpenError::new("setsockopt NETLINK_NO_ENOBUFS", e))?;
        }
        Ok(Self { fd, effective, initial, kernel_uids: kernel_uids() })
    }

    /// The effective receive buffer, as the kernel reads it back.
    #[must_use]
    pub const fn effective(&self) -> Effective {
        self.effective
    }

    /// The socket's figures before its first event; `None` from a kernel without `SO_MEMINFO`
    /// (before 4.12), which reports an overrun as `ENOBUFS` without a count.
    #[must_use]
    pub const fn initial(&self) -> Option<MemInfo> {
        self.initial
    }

    /// The socket's memory figures now.
    ///
    /// # Errors
    ///
    /// See [`sys::mem_info`].
    pub fn mem_info(&self) -> io::Result<MemInfo> {
        sys::mem_info(&self.fd)
    }

    /// Reads what is queued, up to `limit` messages and the batch's own size, without waiting, and hands
    /// each message to `take`.
    ///
    /// # Errors
    ///
    /// What `recvmmsg(2)` says other than that nothing is there, a signal came or the buffer overran,
    /// which are values of [`Received`].
    pub fn receive(
        &self,
        batch: &mut Batch,
        limit: usize,
        take: impl FnMut(Message<'_>),
    ) -> io::Result<Received> {
        batch.receive(self.fd.as_fd(), self.kernel_uids, limit, take)
    }
}

impl AsFd for UeventSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A socket with its buffer asked for: past `net.core.rmem_max` with `CAP_NET_ADMIN`, up to it without.
fn unbound(wanted: RcvBuf) -> Result<OwnedFd, OpenError> {
    let fd = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        SockProtocol::NetlinkKObjectUEvent,
    )
    .map_err(|e| OpenError::new("socket", e.into()))?;
    let bytes = wanted.requested().0 as usize;
    match setsockopt(&fd, sockopt::RcvBufForce, &bytes) {
        // What is clamped could be less than what every socket has from the start.
        Err(Errno::EPERM) if effective(&fd)? < clamped(wanted) => setsockopt(&fd, sockopt::RcvBuf, &bytes),
        Err(Errno::EPERM) => Ok(()),
        result => result,
    }
    .map_err(|e| OpenError::new("setsockopt SO_RCVBUF", e.into()))?;
    Ok(fd)
}

/// What plain `SO_RCVBUF` would make of it.
fn clamped(wanted: RcvBuf) -> Effective {
    wanted.requested().granted(sysctl::rmem_max(), SkbAbi::BOUND)
}

/// The buffer as the kernel reads it back.
fn effective(fd: &OwnedFd) -> Result<Effective, OpenError> {
    let bytes =
        getsockopt(fd, sockopt::RcvBuf).map_err(|e| OpenError::new("getsockopt SO_RCVBUF", e.into()))?;
    Ok(Effective(u32::try_from(bytes).unwrap_or(u32::MAX)))
}
