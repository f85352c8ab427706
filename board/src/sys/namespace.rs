use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;

/// Opens the user namespace that owns a namespace (`ioctl_ns(2)`, Linux 4.9).
///
/// # Errors
///
/// What `ioctl(2)` says: `EPERM` if it is an ancestor of the caller's user namespace, or no relative of it.
pub fn owning_user_namespace(namespace: impl AsFd) -> nix::Result<OwnedFd> {
    // SAFETY: the request takes no argument, and the descriptor is open for as long as the call lasts.
    let result = unsafe { libc::ioctl(namespace.as_fd().as_raw_fd(), libc::NS_GET_USERNS) };
    let descriptor = Errno::result(result)?;
    // SAFETY: the kernel has just opened it for this call alone.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use nix::errno::Errno;

    use super::owning_user_namespace;

    #[test]
    fn only_a_namespace_has_an_owner() {
        let of_net = owning_user_namespace(File::open("/proc/self/ns/net").unwrap());
        assert!(matches!(of_net, Ok(_) | Err(Errno::EPERM)), "{of_net:?}");
        assert_eq!(owning_user_namespace(File::open("/dev/null").unwrap()).unwrap_err(), Errno::ENOTTY);
    }
}
