use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockopt, setsockopt, socket,
    sockopt,
};
use sureplug_core::filter::Filter;
use sureplug_core::netlink::KERNEL_GROUP_BIT;
use sureplug_core::rcvbuf::{Effective, RcvBuf, SkbAbi};
use sureplug_core::selection::Selection;

use super::sysctl;
use super::{FilterRefusal, Filtering, OpenError, UeventSocket};
use crate::sys;

/// A uevent socket that does not receive events yet.
///
/// The filter comes first, as the size of the buffer depends on it, then the size, then the bind.
#[derive(Debug)]
pub struct Unbound {
    fd: OwnedFd,
}

impl Unbound {
    /// Opens the socket.
    ///
    /// # Errors
    ///
    /// Returns an [`OpenError`] if the system has no such sockets, or none left.
    pub fn open() -> Result<Self, OpenError> {
        socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkKObjectUEvent,
        )
        .map(|fd| Self { fd })
        .map_err(OpenError::at("socket"))
    }

    /// Makes the kernel refuse events of other subsystems, if it can.
    #[must_use]
    pub fn filter(&self, selection: &Selection) -> Filtering {
        if selection.is_all() {
            return Filtering::Everything;
        }
        let optmem_max = sysctl::optmem_max();
        let filter = match Filter::new(selection, optmem_max) {
            Ok(filter) => filter,
            Err(error) => return Filtering::Process(FilterRefusal::DoesNotFit(error)),
        };
        let charge_bytes = filter.charge_bytes();
        match sys::attach_filter(&self.fd, filter.program()) {
            Ok(()) => Filtering::Kernel { reach_bytes: filter.reach_bytes(), charge_bytes, optmem_max },
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or_default();
                Filtering::Process(FilterRefusal::Kernel { errno, charge_bytes, optmem_max })
            }
        }
    }

    /// Requests a buffer and returns the granted one.
    ///
    /// It uses `SO_RCVBUFFORCE`, and without `CAP_NET_ADMIN` plain `SO_RCVBUF`, which must never
    /// follow a successful `FORCE`: it would undo it.
    ///
    /// # Errors
    ///
    /// Returns an [`OpenError`] with the step that the system refused.
    pub fn size(&self, wanted: RcvBuf) -> Result<Effective, OpenError> {
        let bytes = wanted.requested().0 as usize;
        match setsockopt(&self.fd, sockopt::RcvBufForce, &bytes) {
            // The clamped size could be smaller than the default of every socket.
            Err(Errno::EPERM) if effective(&self.fd)? < clamped(wanted) => {
                setsockopt(&self.fd, sockopt::RcvBuf, &bytes)
            }
            Err(Errno::EPERM) => Ok(()),
            result => result,
        }
        .map_err(OpenError::at("setsockopt SO_RCVBUF"))?;
        effective(&self.fd)
    }

    /// Sizes the socket and binds it: the size is read back, then the options are set, and only
    /// then can events arrive.
    ///
    /// The kernel chooses the port: a pid as the port is refused if another socket of the process
    /// has it.
    ///
    /// # Errors
    ///
    /// Returns an [`OpenError`] with the step that the system refused.
    pub fn bind(self, wanted: RcvBuf) -> Result<UeventSocket, OpenError> {
        self.size(wanted)?;
        let socket = UeventSocket::adopt(self.fd)?;
        bind(socket.fd.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP_BIT)).map_err(OpenError::at("bind"))?;
        Ok(socket)
    }
}

/// Returns the effective buffer that plain `SO_RCVBUF` would yield.
fn clamped(wanted: RcvBuf) -> Effective {
    wanted.requested().granted(sysctl::rmem_max(), SkbAbi::BOUND)
}

/// Reads the effective buffer back from the kernel.
pub(super) fn effective(fd: &OwnedFd) -> Result<Effective, OpenError> {
    let bytes = getsockopt(fd, sockopt::RcvBuf).map_err(OpenError::at("getsockopt SO_RCVBUF"))?;
    Ok(Effective(u32::try_from(bytes).unwrap_or(u32::MAX)))
}
