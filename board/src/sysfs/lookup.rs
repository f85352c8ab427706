use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use heapless::{HistoryBuf, Vec};
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::libc;
use nix::sys::stat::{FileStat, fstatat};
use sureplug_core::limits::MAX_SUBSYSTEM_BYTES;
use sureplug_core::stream::Directory;

use super::files::is_absence;
use super::namespace::is_namespaced;
use super::path::SysfsPath;
use super::root::{PLACES, Root};

/// The number of names remembered.
const MAX_KNOWN: usize = 32;

/// Errors that leave open whether a directory exists.
const UNKNOWN: [Errno; 5] = [Errno::ENOMEM, Errno::ENFILE, Errno::EMFILE, Errno::EIO, Errno::EACCES];

/// Names of subsystems. The oldest is dropped when there are too many.
type Names = HistoryBuf<Vec<u8, MAX_SUBSYSTEM_BYTES>, MAX_KNOWN>;

/// Looks up which subsystems are classes or buses, whose devices sysfs lists, and what is at a
/// devpath.
pub struct Subsystems {
    root: Root,
    path: SysfsPath,
    known: Names,
    /// Names that were not found.
    absent: Names,
    /// Whether sysfs shows the network devices of a namespace other than the socket's.
    is_foreign: bool,
}

impl Subsystems {
    /// Opens `sysfs`, which is `/sys` on a board.
    ///
    /// # Errors
    ///
    /// Returns the error of `open(2)`.
    pub fn open(sysfs: &Path) -> io::Result<Self> {
        Ok(Self {
            root: Root::open(sysfs)?,
            path: SysfsPath::new(),
            known: Names::new(),
            absent: Names::new(),
            is_foreign: false,
        })
    }

    /// Returns `true` if a class or bus of this name exists. One that was found once is assumed to
    /// exist, and one that was not found to be absent until [`forget_absent`](Self::forget_absent).
    pub fn contains(&mut self, name: &[u8]) -> bool {
        if !is_name(name) || contains(&self.absent, name) {
            return false;
        }
        if contains(&self.known, name) {
            return true;
        }
        let found = PLACES.each_ref().map(|place| self.is_directory(&place.devices(name)));
        if found.contains(&Ok(true)) {
            insert(&mut self.known, name);
            return true;
        }
        // A device whose class could not be looked up stays tracked: the next scan decides.
        let is_unknown = found.iter().any(|found| found.is_err_and(|errno| UNKNOWN.contains(&errno)));
        if !is_unknown {
            insert(&mut self.absent, name);
        }
        is_unknown
    }

    /// Opens the directory again, as sysfs may have been mounted since.
    pub fn reopen(&mut self) {
        if self.root.reopen() {
            self.forget_absent();
        }
    }

    /// Notes that sysfs shows the network devices of another namespace: their devpaths no longer
    /// mean anything. Returns `true` if this is new.
    pub const fn note_foreign(&mut self) -> bool {
        !std::mem::replace(&mut self.is_foreign, true)
    }

    /// Returns what is at a devpath now.
    pub fn directory(&mut self, devpath: &[u8]) -> Directory {
        if self.is_foreign && is_namespaced(devpath) || self.path.set_devpath(devpath).is_err() {
            return Directory::Unknown;
        }
        match fstatat(self.root.as_fd(), self.path.relative(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            // The field has 32 bits in the C library of some 32-bit targets.
            #[allow(clippy::useless_conversion)]
            Ok(stat) if is_directory(&stat) => Directory::of(u64::from(stat.st_ino)),
            Err(errno) if is_absence(errno) => Directory::Absent,
            _ => Directory::Unknown,
        }
    }

    /// Forgets absent names: new classes or buses may have been registered.
    pub fn forget_absent(&mut self) {
        self.absent.clear();
    }

    fn is_directory(&mut self, parts: &[&[u8]]) -> nix::Result<bool> {
        self.path.set(parts)?;
        fstatat(self.root.as_fd(), self.path.relative(), AtFlags::empty()).map(|stat| is_directory(&stat))
    }
}

const fn is_directory(stat: &FileStat) -> bool {
    stat.st_mode & libc::S_IFMT == libc::S_IFDIR
}

fn contains(names: &Names, name: &[u8]) -> bool {
    names.as_slice().iter().any(|known| known == name)
}

/// Remembers a name, unless it is too long.
fn insert(names: &mut Names, name: &[u8]) {
    if let Ok(name) = Vec::from_slice(name) {
        names.write(name);
    }
}

/// Returns `true` if a subsystem can have this name, as a file can.
fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_name_is_forgotten() {
        let mut names = Names::new();
        let name = |number: usize| format!("subsystem-{number}").into_bytes();
        for number in 0..=MAX_KNOWN {
            insert(&mut names, &name(number));
        }
        assert!(!contains(&names, &name(0)) && !contains(&names, &name(MAX_KNOWN + 1)));
        assert!((1..=MAX_KNOWN).all(|number| contains(&names, &name(number))));
    }

    #[test]
    fn a_name_is_remembered_whole_or_not_at_all() {
        let mut names = Names::new();
        let longest = [b'x'; MAX_SUBSYSTEM_BYTES];
        insert(&mut names, &longest);
        insert(&mut names, &[b'y'; MAX_SUBSYSTEM_BYTES + 1]);
        assert!(contains(&names, &longest) && !contains(&names, &longest[1..]));
        assert!(
            !contains(&names, &[b'y'; MAX_SUBSYSTEM_BYTES + 1])
                && !contains(&names, &[b'y'; MAX_SUBSYSTEM_BYTES])
        );
    }

    #[test]
    fn names_that_no_directory_can_have_are_refused() {
        for name in [&b""[..], b".", b"..", b"a/b", b"/", b"usb\0", b"\0"] {
            assert!(!is_name(name), "{name:?}");
        }
        assert!(is_name(b"usb") && is_name(b"...") && is_name(b"\xff"));
    }
}
