//! Where sysfs is, opened anew for each scan: it may be mounted after the daemon has started. And where in it devices
//! are listed.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::sys::stat::fstatat;
use nix::sys::statfs::{SYSFS_MAGIC, fstatfs};

use super::files;
use crate::sys::retry;

/// Where sysfs is on a board. Nothing else is taken for sysfs there.
const USUAL: &str = "/sys";

/// The directory of sysfs, or of a stand-in.
pub(super) struct Root {
    path: CString,
    directory: OwnedFd,
    is_mounted: bool,
}

impl Root {
    /// Opens the directory, whether sysfs is mounted there or not.
    ///
    /// # Errors
    ///
    /// What `open(2)` says.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        let directory = open(&path)?;
        let is_mounted = is_sysfs(&path, directory.as_fd());
        Ok(Self { path, directory, is_mounted })
    }

    /// Opens it again, and returns whether there is a sysfs to read. One that was there stays in use if its path leads
    /// to another file system now, as after `switch_root`.
    pub(super) fn reopen(&mut self) -> bool {
        if let Ok(directory) = open(&self.path) {
            if is_sysfs(&self.path, directory.as_fd()) {
                (self.directory, self.is_mounted) = (directory, true);
            }
        }
        self.is_mounted
    }

    /// Returns whether there was a sysfs to read when it was opened last.
    pub(super) const fn is_mounted(&self) -> bool {
        self.is_mounted
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

fn open(path: &CString) -> nix::Result<OwnedFd> {
    files::open(AT_FDCWD, path, OFlag::O_PATH | OFlag::O_DIRECTORY)
}

/// A stand-in, which only `--sysfs` can name, is known by its classes or buses.
fn is_sysfs(path: &CString, directory: BorrowedFd<'_>) -> bool {
    match retry(|| fstatfs(directory)) {
        Ok(figures) if figures.filesystem_type() == SYSFS_MAGIC => true,
        _ if path.to_bytes() == USUAL.as_bytes() => false,
        _ => PLACES.iter().any(|place| fstatat(directory, place.path, AtFlags::empty()).is_ok()),
    }
}

/// A directory of subsystems.
pub(super) struct Place {
    /// Its path.
    pub(super) path: &'static CStr,
    /// Where below a subsystem's directory its devices are listed.
    below: &'static [u8],
}

/// All of them.
pub(super) static PLACES: [Place; 2] =
    [Place { path: c"class", below: b"" }, Place { path: c"bus", below: b"/devices" }];

impl Place {
    /// The parts of the path where the devices of a subsystem are listed.
    pub(super) fn devices<'n>(&self, subsystem: &'n [u8]) -> [&'n [u8]; 4] {
        [self.path.to_bytes(), b"/", subsystem, self.below]
    }
}

/// The subsystem whose devices are listed at a path that [`Place::devices`] makes.
pub(super) fn subsystem_of(path: &CStr) -> &[u8] {
    path.to_bytes().split(|byte| *byte == b'/').nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{PLACES, subsystem_of};

    #[test]
    fn a_subsystem_is_found_in_the_path_of_its_devices() {
        assert_eq!(PLACES[0].devices(b"net").concat(), b"class/net");
        assert_eq!(PLACES[1].devices(b"usb").concat(), b"bus/usb/devices");
        assert_eq!(subsystem_of(c"class/net"), b"net");
        assert_eq!(subsystem_of(c"bus/usb/devices"), b"usb");
        assert_eq!(subsystem_of(c""), b"");
    }
}
