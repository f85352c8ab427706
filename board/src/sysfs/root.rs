//! The directory of sysfs, opened anew for each scan, since it may be mounted after the daemon has
//! started; and the places in it that list devices.

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

/// The path of sysfs on a board. Only sysfs itself is accepted there.
const USUAL: &str = "/sys";

/// The directory of sysfs, or of a stand-in.
pub(super) struct Root {
    path: CString,
    directory: OwnedFd,
    is_mounted: bool,
}

impl Root {
    /// Opens the directory, whether or not sysfs is mounted there.
    ///
    /// # Errors
    ///
    /// Returns the error of `open(2)`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        let directory = open(&path)?;
        let is_mounted = is_sysfs(&path, directory.as_fd());
        Ok(Self { path, directory, is_mounted })
    }

    /// Opens the directory again, and returns `true` if there is a sysfs to read. A sysfs that was
    /// opened stays in use if its path leads to another file system now, as after `switch_root`.
    pub(super) fn reopen(&mut self) -> bool {
        if let Ok(directory) = open(&self.path) {
            if is_sysfs(&self.path, directory.as_fd()) {
                (self.directory, self.is_mounted) = (directory, true);
            }
        }
        self.is_mounted
    }

    /// Returns `true` if there was a sysfs to read when it was last opened.
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

/// Returns `true` for sysfs, or for a stand-in with classes or buses, which only `--sysfs` can
/// name.
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
    /// The directory below a subsystem's in which its devices are listed.
    below: &'static [u8],
}

/// All places.
pub(super) static PLACES: [Place; 2] =
    [Place { path: c"class", below: b"" }, Place { path: c"bus", below: b"/devices" }];

impl Place {
    /// Returns the parts of the path that lists the devices of a subsystem.
    pub(super) fn devices<'n>(&self, subsystem: &'n [u8]) -> [&'n [u8]; 4] {
        [self.path.to_bytes(), b"/", subsystem, self.below]
    }
}

/// Returns the subsystem of a path that [`Place::devices`] made.
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
