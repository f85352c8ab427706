//! The kernel's uevent socket: opened in the only order that works, and read in batches.
//!
//! ```no_run
//! use std::path::Path;
//! use sureplug_board::profile::{BoardPorts, Profile, Sizing};
//! use sureplug_board::socket::{BATCH_MESSAGES, Batch, Datagram, Shortfall, UeventSocket};
//! use sureplug_core::limits::MAX_DATAGRAM_BYTES;
//! use sureplug_core::rcvbuf::Others;
//! use sureplug_core::uevent::Uevent;
//!
//! let board = BoardPorts::count(Path::new("/sys"));
//! let sizing = Sizing::for_board(&Profile::BUILD, &board, None, Others::Unfiltered)?;
//! let socket = UeventSocket::open(sizing.rcvbuf)?;
//! if let Some(shortfall) = Shortfall::of(socket.effective(), sizing.rcvbuf) {
//!     eprintln!("{shortfall}");
//! }
//! let mut batch = Batch::new(MAX_DATAGRAM_BYTES);
//! let before = socket.mem_info()?;
//! // Whenever `poll` reports the socket as readable:
//! socket.receive(&mut batch, BATCH_MESSAGES, |message| {
//!     if let Datagram::Event(datagram) = message {
//!         println!("{:?}", Uevent::from_kernel(datagram).map(|event| event.to_string()));
//!     }
//! })?;
//! println!("{} events were dropped", socket.mem_info()?.drops.wrapping_sub(before.drops));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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

/// A socket bound to the kernel's uevents.
#[derive(Debug)]
pub struct UeventSocket {
    fd: OwnedFd,
    effective: Effective,
    /// The memory figures before the first event; `None` from a kernel without `SO_MEMINFO`.
    initial: Option<MemInfo>,
    kernel_uids: KernelUids,
}

impl UeventSocket {
    /// Opens a socket for the events of all subsystems, with the receive buffer that `wanted`
    /// requests or the closest that the kernel allows: [`Shortfall::of`] compares the two. For a
    /// socket with a filter see [`Unbound`].
    ///
    /// # Errors
    ///
    /// Returns an [`OpenError`] with the step that the system refused.
    pub fn open(wanted: RcvBuf) -> Result<Self, OpenError> {
        Unbound::open()?.bind(wanted)
    }

    /// Adopts a bound uevent socket, such as one handed over by a supervisor. Its buffer remains
    /// unchanged.
    ///
    /// # Errors
    ///
    /// Returns an [`OpenError`] with the step that the system refused, for example if the
    /// descriptor is not a netlink socket.
    pub fn adopt(fd: OwnedFd) -> Result<Self, OpenError> {
        let effective = effective(&fd)?;
        setsockopt(&fd, sockopt::PassCred, &true).map_err(OpenError::at("setsockopt SO_PASSCRED"))?;
        let initial = sys::mem_info(&fd).ok();
        if initial.is_some() {
            sys::set_no_enobufs(&fd).map_err(OpenError::at("setsockopt NETLINK_NO_ENOBUFS"))?;
        }
        Ok(Self { fd, effective, initial, kernel_uids: kernel_uids() })
    }

    /// Returns the effective receive buffer, as read back from the kernel.
    #[must_use]
    pub const fn effective(&self) -> Effective {
        self.effective
    }

    /// Returns the socket's figures before its first event; `None` from a kernel without
    /// `SO_MEMINFO` (before 4.12), which reports an overrun as `ENOBUFS` without a count.
    pub(crate) const fn initial(&self) -> Option<MemInfo> {
        self.initial
    }

    /// Reads the socket's memory figures.
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(SO_MEMINFO)`: `ENOPROTOOPT` from a kernel before 4.12.
    pub fn mem_info(&self) -> io::Result<MemInfo> {
        sys::mem_info(&self.fd)
    }

    /// Reads queued messages without waiting, up to `limit` and the batch's own size, and passes
    /// each to `take`.
    ///
    /// # Errors
    ///
    /// Returns the error of `recvmmsg(2)`. An empty queue, a signal and an overrun are values of
    /// [`Received`] instead.
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
