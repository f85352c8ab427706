//! Determines which of the kernel's events can arrive in this network namespace.

use std::fs::File;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::fstat;

use crate::file;
use crate::sys;

/// The inode of the kernel's initial user namespace (`PROC_USER_INIT_INO` in
/// `include/linux/proc_ns.h`).
const FIRST_USER_NAMESPACE: u64 = 0xEFFF_FFFD;

/// The first kernel that sends a network namespace of another user namespace only the events of its
/// own network devices (`uevent_net_init` in `lib/kobject_uevent.c`). Older ones send all other
/// events to every network namespace.
const RESTRICTED_SINCE: [u32; 2] = [4, 18];

/// Returns `true` if only events of this network namespace's network devices can arrive.
///
/// The kernel does not name an owner that is an ancestor of this process's user namespace. It may
/// be the initial one, as for a container in the host's network namespace, or one in between:
/// [`lacks_settings`] distinguishes the two.
pub(crate) fn is_restricted() -> bool {
    let owner = File::open("/proc/self/ns/net").map(sys::owning_user_namespace);
    let is_other = match owner {
        // The field has 32 bits in the C library of some 32-bit targets.
        #[allow(clippy::useless_conversion)]
        Ok(Ok(owner)) => fstat(&owner).is_ok_and(|owner| u64::from(owner.st_ino) != FIRST_USER_NAMESPACE),
        Ok(Err(Errno::EPERM)) => lacks_settings(Path::new("/proc/sys/net/ipv6")),
        _ => false,
    };
    is_other
        && file::read_text(Path::new("/proc/sys/kernel/osrelease")).is_ok_and(|release| restricts(&release))
}

/// Returns `true` if this network namespace lacks IPv6 settings that the kernel shows only in one
/// owned by the initial user namespace (`ipv6_route_sysctl_table_size` in `net/ipv6/route.c`,
/// `ipv6_route_sysctl_init` up to 6.5). Without IPv6 this cannot be determined.
fn lacks_settings(of_ipv6: &Path) -> bool {
    of_ipv6.join("conf").exists() && !of_ipv6.join("route/gc_thresh").exists()
}

fn restricts(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)] >= RESTRICTED_SINCE
}

#[cfg(test)]
mod tests {
    use super::restricts;

    #[test]
    fn older_kernels_send_everything_everywhere() {
        for (release, is_restricting) in [
            ("4.17.19", false),
            ("4.18.0-553.el8", true),
            ("4.9", false),
            ("6.1.0-50-arm64", true),
            ("5-x", true),
        ] {
            assert_eq!(restricts(release), is_restricting, "{release}");
        }
    }
}
