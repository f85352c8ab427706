use std::{error, fmt, io};

use sureplug_core::rcvbuf::{Effective, RcvBuf, Requested};

use crate::cause::Cause;
use crate::socket::sysctl;

/// Error opening the uevent socket.
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenError {
    /// The step that was refused.
    pub step: &'static str,
    /// The kernel's error.
    pub source: io::Error,
}

impl OpenError {
    /// Returns a function that makes this error from the system's error at a step.
    pub(super) fn at<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self { step, source: error.into() }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the kernel refused a uevent socket at {}: {}", self.step, Cause(&self.source))?;
        match self.source.raw_os_error() {
            Some(nix::libc::EPROTONOSUPPORT | nix::libc::EAFNOSUPPORT) => f.write_str(
                "; wanted AF_NETLINK with NETLINK_KOBJECT_UEVENT: build the kernel with CONFIG_NET, \
                 and let a sandbox allow AF_NETLINK (RestrictAddressFamilies= in a systemd unit)",
            ),
            _ => Ok(()),
        }
    }
}

impl error::Error for OpenError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The receive buffer is smaller than the board's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// The effective buffer that the budget requires.
    pub wanted: Effective,
    /// The size to request for it.
    pub requested: Requested,
    /// The effective buffer that the kernel granted.
    pub got: Effective,
    /// `net.core.rmem_max`; `None` if it cannot be read.
    pub rmem_max: Option<u32>,
}

impl Shortfall {
    /// Compares the granted buffer with the wanted one; `None` if it is large enough.
    #[must_use]
    pub fn of(got: Effective, wanted: RcvBuf) -> Option<Self> {
        (!wanted.is_met_by(got)).then(|| Self {
            wanted: wanted.effective(),
            requested: wanted.requested(),
            got,
            rmem_max: sysctl::rmem_max(),
        })
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, requested, got, rmem_max } = self;
        write!(f, "the receive buffer is too small: wanted {} bytes, the kernel gave {}", wanted.0, got.0)?;
        match rmem_max {
            Some(bytes) => write!(f, " (net.core.rmem_max = {bytes}, which the kernel doubles)")?,
            None => f.write_str(" (net.core.rmem_max cannot be read)")?,
        }
        write!(
            f,
            ". Either give sureplug CAP_NET_ADMIN (AmbientCapabilities=CAP_NET_ADMIN in its unit, or \
             `setcap cap_net_admin+ep` on its file), or raise the limit: sysctl -w net.core.rmem_max={}",
            requested.0
        )
    }
}

impl error::Error for Shortfall {}
