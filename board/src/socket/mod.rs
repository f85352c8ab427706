//! The kernel's uevent socket: opened in the one order that works, read in batches.

mod batch;
mod error;
mod filtering;
pub(crate) mod reach;
#[cfg(not(feature = "internals"))]
pub(crate) mod sysctl;
#[cfg(feature = "internals")]
pub mod sysctl;
mod unbound;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{setsockopt, sockopt};
use sureplug_core::netlink::KernelUids;
use sureplug_core::rcvbuf::{Effective, RcvBuf};

pub use batch::{BATCH_MESSAGES, Batch, Datagram, Received};
pub use error::{OpenError, Shortfall};
pub use filtering::{FilterRefusal, Filtering};
pub(crate) use sysctl::kernel_uids;
pub use unbound::Unbound;

pub use crate::sys::MemInfo;

use crate::sys;
use unbound::effective;

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
    /// Opens a socket for the events of all subsystems whose receive buffer is what `wanted` asks for, or as near as the
    /// kernel allows: [`Shortfall::of`] says what it lacks. See [`Unbound`] for one with a filter.
    ///
    /// # Errors
    ///
    /// [`OpenError`] names the step that the system refused.
    pub fn open(wanted: RcvBuf) -> Result<Self, OpenError> {
        Unbound::open()?.bind(wanted)
    }

    /// Takes a uevent socket that somebody else opened and bound: one handed over by a supervisor, or a
    /// test's own. Its buffer is left as it is.
    ///
    /// # Errors
    ///
    /// [`OpenError`] names the step that the system refused, as it does for a descriptor that is no
    /// netlink socket.
    pub fn adopt(fd: OwnedFd) -> Result<Self, OpenError> {
        let effective = effective(&fd)?;
        setsockopt(&fd, sockopt::PassCred, &true).map_err(OpenError::at("setsockopt SO_PASSCRED"))?;
        let initial = sys::mem_info(&fd).ok();
        if initial.is_some() {
            sys::set_no_enobufs(&fd).map_err(OpenError::at("setsockopt NETLINK_NO_ENOBUFS"))?;
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
    pub(crate) const fn initial(&self) -> Option<MemInfo> {
        self.initial
    }

    /// The socket's memory figures now.
    ///
    /// # Errors
    ///
    /// What `getsockopt(SO_MEMINFO)` says: `ENOPROTOOPT` from a kernel before 4.12.
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
        take: impl FnMut(Datagram<'_>),
    ) -> io::Result<Received> {
        batch.receive(self.fd.as_fd(), self.kernel_uids, limit, take)
    }
}

impl AsFd for UeventSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
