use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::libc;
use nix::sys::stat::{FileStat, fstatat};
use sureplug_core::stream::Directory;

use super::files::is_absence;
use super::namespace::is_namespaced;
use super::path::SysfsPath;
use super::root::Root;
use super::subsystems::{Known, PLACES, is_name};

/// Says which subsystems are classes or buses, whose devices sysfs lists, and what is at a devpath.
pub struct Subsystems {
    root: Root,
    path: SysfsPath,
    known: Known,
    /// Names that were not found.
    absent: Known,
    /// Whether sysfs shows the network devices of another namespace than the socket's.
    is_foreign: bool,
}

impl Subsystems {
    /// Opens `sysfs`, which is `/sys` on a board.
    ///
    /// # Errors
    ///
    /// What `open(2)` says of the directory.
    pub fn open(sysfs: &Path) -> io::Result<Self> {
        Ok(Self {
            root: Root::open(sysfs)?,
            path: SysfsPath::new(),
            known: Known::new(),
            absent: Known::new(),
            is_foreign: false,
        })
    }

    /// Whether there is a class or a bus of that name. One that was found once may be taken to be there
    /// still, and one that was not to be absent until [`forget_absent`](Self::forget_absent).
    pub fn contains(&mut self, name: &[u8]) -> bool {
        if !is_name(name) || self.absent.contains(name) {
            return false;
        }
        if self.known.contains(name) {
            return true;
        }
        let mut is_unknown = false;
        for place in &PLACES {
            match self.is_directory(&place.devices(name)) {
                Ok(true) => {
                    self.known.insert(name);
                    return true;
                }
                // A device whose class could not be looked up stays tracked: the next scan knows.
                Err(Errno::ENOMEM | Errno::ENFILE | Errno::EMFILE | Errno::EIO | Errno::EACCES) => {
                    is_unknown = true;
                }
                Ok(false) | Err(_) => {}
            }
        }
        if !is_unknown {
            self.absent.insert(name);
        }
        is_unknown
    }

    /// Opens the directory again, on which sysfs may have been mounted since.
    pub fn reopen(&mut self) {
        if self.root.reopen() {
            self.forget_absent();
        }
    }

    /// Sysfs shows the network devices of another namespace: what is at their devpaths says nothing. Returns whether that
    /// was not known.
    pub const fn find_foreign(&mut self) -> bool {
        !std::mem::replace(&mut self.is_foreign, true)
    }

    /// What is at a devpath now.
    pub fn directory(&mut self, devpath: &[u8]) -> Directory {
        let below = devpath.strip_prefix(b"/").unwrap_or(devpath);
        if self.is_foreign && is_namespaced(devpath) || self.path.set(&[below]).is_err() {
            return Directory::Unknown;
        }
        match fstatat(self.root.as_fd(), self.path.relative(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            // The C library of some 32-bit targets says it in 32 bits.
            #[allow(clippy::useless_conversion)]
            Ok(stat) if is_directory(&stat) => Directory::of(u64::from(stat.st_ino)),
            Err(errno) if is_absence(errno) => Directory::Absent,
            _ => Directory::Unknown,
        }
    }

    /// New classes or buses may be there.
    pub fn forget_absent(&mut self) {
        self.absent = Known::new();
    }

    fn is_directory(&mut self, parts: &[&[u8]]) -> nix::Result<bool> {
        self.path.set(parts)?;
        fstatat(self.root.as_fd(), self.path.relative(), AtFlags::empty()).map(|stat| is_directory(&stat))
    }
}

const fn is_directory(stat: &FileStat) -> bool {
    stat.st_mode & libc::S_IFMT == libc::S_IFDIR
}
