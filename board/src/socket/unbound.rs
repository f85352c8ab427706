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

/// A uevent socket to which no event comes yet. What it takes is decided before it is bound: first the filter, as
/// the size of the buffer follows from it, then the size.
#[derive(Debug)]
pub struct Unbound {
    fd: OwnedFd,
}

impl Unbound {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the system has no such sockets, or none left.
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

    /// Has the kernel refuse what is of other subsystems, if it can.
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

    /// Asks for a buffer, and says what the kernel gave. By `SO_RCVBUFFORCE`; without `CAP_NET_ADMIN` plain
    /// `SO_RCVBUF`, which must never follow a successful `FORCE`, since it would undo it.
    ///
    /// # Errors
    ///
    /// [`OpenError`] names the step that the system refused.
    pub fn size(&self, wanted: RcvBuf) -> Result<Effective, OpenError> {
        let bytes = wanted.requested().0 as usize;
        match setsockopt(&self.fd, sockopt::RcvBufForce, &bytes) {
            // What is clamped could be less than what every socket has from the start.
            Err(Errno::EPERM) if effective(&self.fd)? < clamped(wanted) => {
                setsockopt(&self.fd, sockopt::RcvBuf, &bytes)
            }
            Err(Errno::EPERM) => Ok(()),
            result => result,
        }
        .map_err(OpenError::at("setsockopt SO_RCVBUF"))?;
        effective(&self.fd)
    }

    /// Sizes it and lets events come: the size read back, then the options, and only then the bind, so that no event
    /// comes before all of that holds. The port is left to the kernel: a pid as the port is refused when another
    /// socket of the process has taken it.
    ///
    /// # Errors
    ///
    /// [`OpenError`] names the step that the system refused.
    pub fn bind(self, wanted: RcvBuf) -> Result<UeventSocket, OpenError> {
        self.size(wanted)?;
        let socket = UeventSocket::adopt(self.fd)?;
        bind(socket.fd.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP_BIT)).map_err(OpenError::at("bind"))?;
        Ok(socket)
    }
}

/// What plain `SO_RCVBUF` would make of it.
fn clamped(wanted: RcvBuf) -> Effective {
    wanted.requested().granted(sysctl::rmem_max(), SkbAbi::BOUND)
}

/// The buffer as the kernel reads it back.
pub(super) fn effective(fd: &OwnedFd) -> Result<Effective, OpenError> {
    let bytes = getsockopt(fd, sockopt::RcvBuf).map_err(OpenError::at("getsockopt SO_RCVBUF"))?;
    Ok(Effective(u32::try_from(bytes).unwrap_or(u32::MAX)))
}
