use std::fs;
use std::os::unix::fs::MetadataExt;

use sureplug_core::netlink::KernelUids;

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
