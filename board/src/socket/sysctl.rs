//! The kernel's settings for sockets, read from `/proc/sys`, and whose they are.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sureplug_core::filter::SMALLEST_OPTMEM_MAX;
use sureplug_core::netlink::KernelUids;

use crate::file;

/// Reads one number below `/proc/sys`; `None` where it is not there, as in a container's network
/// namespace, or no number.
fn read(name: &str) -> Option<u32> {
    file::read_text(&Path::new("/proc/sys").join(name)).ok()?.trim().parse().ok()
}

/// `net.core.rmem_max`: what `SO_RCVBUF` is clamped to, in bytes before the kernel doubles it.
#[must_use]
pub fn rmem_max() -> Option<u32> {
    read("net/core/rmem_max")
}

/// `net.core.rmem_default`: the effective buffer of a socket that nobody set one for, in bytes.
#[must_use]
pub fn rmem_default() -> Option<u32> {
    read("net/core/rmem_default")
}

/// `net.core.optmem_max`: what a socket's filter may take, in bytes. Where it cannot be read, the smallest that a
/// kernel has by itself.
#[must_use]
pub fn optmem_max() -> u32 {
    read("net/core/optmem_max").unwrap_or(SMALLEST_OPTMEM_MAX)
}

/// Finds out as which users the kernel's messages come in this process's namespaces.
///
/// `/proc/sys` tells by the owners of its files: those of the system as a whole belong to the kernel's
/// root (`proc_sys_make_inode` in `fs/proc/proc_sysctl.c`), those of the network namespace to the root
/// of the user namespace that owns it (`net_ctl_set_ownership` in `net/sysctl_net.c`), and `stat(2)`
/// shows both as this user namespace sees them. Without `/proc` both are taken to be 0.
#[must_use]
pub fn kernel_uids() -> KernelUids {
    let owner = |path: &str| fs::metadata(path).map(|m| m.uid());
    let kernel = owner("/proc/sys/kernel/osrelease").unwrap_or(KernelUids::INITIAL.kernel);
    KernelUids { kernel, net_owner: owner("/proc/sys/net/core/somaxconn").unwrap_or(kernel) }
}
