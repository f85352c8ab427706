//! The kernel's settings for sockets, read from `/proc/sys`, and the owners of these files.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sureplug_core::filter::SMALLEST_OPTMEM_MAX;
use sureplug_core::netlink::KernelUids;

use crate::file;

/// Reads a number below `/proc/sys`; `None` if the file does not exist, as in a container's network
/// namespace, or does not hold a number.
fn read(name: &str) -> Option<u32> {
    file::read_text(&Path::new("/proc/sys").join(name)).ok()?.trim().parse().ok()
}

/// Returns `net.core.rmem_max`, at which `SO_RCVBUF` is clamped, in bytes before the kernel doubles
/// it.
#[must_use]
pub fn rmem_max() -> Option<u32> {
    read("net/core/rmem_max")
}

/// Returns `net.core.rmem_default`, the effective buffer of a socket without a size of its own, in
/// bytes.
#[must_use]
pub fn rmem_default() -> Option<u32> {
    read("net/core/rmem_default")
}

/// Returns `net.core.optmem_max`, the limit of a socket's filter, in bytes. If it cannot be read,
/// returns the smallest default of any kernel.
#[must_use]
pub fn optmem_max() -> u32 {
    read("net/core/optmem_max").unwrap_or(SMALLEST_OPTMEM_MAX)
}

/// Determines the uids that the kernel's messages carry in this process's namespaces.
///
/// The owners of the files in `/proc/sys` show them. System-wide files belong to the kernel's root
/// (`proc_sys_make_inode` in `fs/proc/proc_sysctl.c`), those of the network namespace to the root
/// of the user namespace that owns it (`net_ctl_set_ownership` in `net/sysctl_net.c`), and
/// `stat(2)` shows both as seen in this user namespace. Without `/proc` both are assumed to be 0.
#[must_use]
pub fn kernel_uids() -> KernelUids {
    let owner = |path: &str| fs::metadata(path).map(|m| m.uid());
    let kernel = owner("/proc/sys/kernel/osrelease").unwrap_or(KernelUids::INITIAL.kernel);
    KernelUids { kernel, net_owner: owner("/proc/sys/net/core/somaxconn").unwrap_or(kernel) }
}
