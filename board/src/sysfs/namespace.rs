//! Determines whose network devices sysfs shows: those of the network namespace in which it was
//! mounted (`sysfs_init_fs_context` in `fs/sysfs/mount.c`), which may be another one than the
//! socket's.

use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::Duration;

use nix::fcntl::{AtFlags, OFlag};
use nix::libc;
use nix::sys::stat::fstatat;
use nix::sys::statfs::{SYSFS_MAGIC, fstatfs};

use super::files::{is_absence, open, read_to_end};
use super::listing::Listing;
use super::path::SysfsPath;
use crate::sys;

/// Classes whose devices belong to a network namespace: those with `ns_type` in
/// `net/core/net-sysfs.c`, `net/wireless/sysfs.c`, `drivers/infiniband/core/device.c`,
/// `drivers/net/macvtap.c` and `drivers/net/ipvlan/ipvtap.c`. A sysfs of another namespace hides
/// their directories, including everything below.
pub(super) const CLASSES: [&[u8]; 5] = [b"net", b"ieee80211", b"infiniband", b"macvtap", b"ipvtap"];

/// For a moment a device is in sysfs before the kernel finds it by name, and after it last did.
/// This many looks outlast that moment.
const LOOKS: usize = 20;

const PAUSE: Duration = Duration::from_millis(25);

/// Returns `true` if devices of a class belong to a network namespace.
pub(super) fn is_namespaced_class(name: &[u8]) -> bool {
    CLASSES.contains(&name)
}

/// Returns `true` if a device belongs to a network namespace, or is below one that does.
pub(super) fn is_namespaced(devpath: &[u8]) -> bool {
    let mut parts = devpath.split(|byte| *byte == b'/');
    // A device is below its class's name, unless it belongs to a bus.
    parts.next_back();
    parts.any(is_namespaced_class)
}

/// Returns `true` if sysfs shows network devices that differ from those of the socket's namespace.
/// If both have the same, such as `lo` alone, and these are up in both or in neither, the two
/// cannot be distinguished.
pub(super) fn is_of_another(
    root: BorrowedFd<'_>,
    socket: BorrowedFd<'_>,
    listing: &mut Listing,
    path: &mut SysfsPath,
) -> bool {
    if !fstatfs(root).is_ok_and(|figures| figures.filesystem_type() == SYSFS_MAGIC) {
        return false;
    }
    for _ in 0..LOOKS {
        if !differs(root, socket, listing, path) {
            return false;
        }
        thread::sleep(PAUSE);
    }
    true
}

/// Returns `true` if the socket's namespace has a network device with the devpath's name, and sysfs
/// has none.
pub(super) fn has_elsewhere(
    root: BorrowedFd<'_>,
    socket: BorrowedFd<'_>,
    devpath: &[u8],
    path: &mut SysfsPath,
) -> bool {
    let name = devpath.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let is_sysfs = fstatfs(root).is_ok_and(|figures| figures.filesystem_type() == SYSFS_MAGIC);
    let index = || sys::interface_index(socket, name).ok();
    let Some(before) = index().filter(|_| is_sysfs && path.set_devpath(devpath).is_ok()) else {
        return false;
    };
    // Found by name both before and after: it existed in between, unless another device has its
    // name.
    let stat = fstatat(root, path.relative(), AtFlags::AT_SYMLINK_NOFOLLOW);
    stat.is_err_and(is_absence) && index() == Some(before)
}

fn differs(
    root: BorrowedFd<'_>,
    socket: BorrowedFd<'_>,
    listing: &mut Listing,
    path: &mut SysfsPath,
) -> bool {
    if listing.open(root, c"class/net").is_err() {
        return false;
    }
    while let Ok(Some(entry)) = listing.next() {
        let name = entry.name();
        let index = number(root, path, name, b"/ifindex");
        let is_another = index.is_some_and(|index| sys::interface_index(socket, name) != Ok(index));
        if !entry.is_dots() && (is_another || differs_in_state(root, socket, name, path)) {
            return true;
        }
    }
    false
}

/// Returns `true` if a device is up only in sysfs, or only in the socket's namespace.
fn differs_in_state(root: BorrowedFd<'_>, socket: BorrowedFd<'_>, name: &[u8], path: &mut SysfsPath) -> bool {
    let before = sys::interface_is_up(socket, name);
    let Some(flags) = number(root, path, name, b"/flags") else { return false };
    let is_up = flags & libc::IFF_UP.cast_unsigned() != 0;
    before == Ok(!is_up) && sys::interface_is_up(socket, name) == before
}

/// Reads the number in a file of a network device.
fn number(root: BorrowedFd<'_>, path: &mut SysfsPath, name: &[u8], file: &[u8]) -> Option<u32> {
    path.set(&[b"class/net/", name, file]).ok()?;
    let mut text = [0; 16];
    let file = open(root, path.relative(), OFlag::O_RDONLY).ok()?;
    let length = read_to_end(file.as_fd(), &mut text).ok()?;
    let text = str::from_utf8(&text[..length]).ok()?.trim_ascii();
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_namespaced;

    #[test]
    fn devices_of_network_namespaces_are_known_by_their_devpath() {
        for devpath in [
            "/devices/virtual/net/br0",
            "/devices/pci0/net/eth0/macvtap/tap5",
            "/devices/pci0/ieee80211/phy0/rfkill0",
            "/devices/pci0/infiniband/mlx5_0",
        ] {
            assert!(is_namespaced(devpath.as_bytes()), "{devpath}");
        }
        for devpath in ["/devices/pci0/usb1/1-1", "/devices/virtual/mem/net", "/devices/netdev/x", ""] {
            assert!(!is_namespaced(devpath.as_bytes()), "{devpath}");
        }
    }
}
