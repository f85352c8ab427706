use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::libc;

use super::error::BrokerError;
use crate::file::{self, Usable};

/// Attempts to take a lock whose file keeps vanishing: each failure means that another daemon has
/// just ended.
const TRIES: usize = 100;

/// The file `PATH.lock`, locked: one process at a time may make and remove the socket at `PATH`.
///
/// The file, and the directory made for it, are removed when the lock is released. The lock is
/// still held at that time, and a process that waited for the removed file takes a new one: see
/// [`take`](Self::take).
#[derive(Debug)]
pub(super) struct Lock {
    file: Flock<File>,
    path: PathBuf,
    /// Whether this process must remove the directory.
    made_directory: bool,
}

impl Lock {
    /// Takes the lock of a socket's path, and makes its directory if only that is missing.
    pub(super) fn take(socket: &Path) -> Result<Self, BrokerError> {
        let mut path = OsString::from(socket);
        path.push(".lock");
        let path = PathBuf::from(path);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let mut made_directory = false;
        for _ in 0..TRIES {
            made_directory |= make_directory(socket)?;
            let file = match file::open(&path, &mut options, libc::O_NOFOLLOW, Usable::Regular) {
                // A daemon that ended has just removed the directory.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file.map_err(|error| BrokerError::failed("make the lock", &path, error))?,
            };
            let file =
                Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
                    Errno::EWOULDBLOCK => BrokerError::Taken(socket.to_owned()),
                    errno => BrokerError::failed("lock", &path, errno),
                })?;
            let lock = Self { file, path: path.clone(), made_directory };
            // The holder may have removed the file after this process opened it.
            if lock.is_at_its_path() {
                return Ok(lock);
            }
        }
        Err(BrokerError::Taken(socket.to_owned()))
    }

    fn is_at_its_path(&self) -> bool {
        let locked = self.file.metadata().ok().map(|file| [file.dev(), file.ino()]);
        locked.is_some() && locked == identity(&self.path)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.is_at_its_path() {
            return;
        }
        let _ = fs::remove_file(&self.path);
        if let (true, Some(directory)) = (self.made_directory, self.path.parent()) {
            // This succeeds only if it is empty.
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Returns device and inode of the file at a path.
pub(super) fn identity(path: &Path) -> Option<[u64; 2]> {
    fs::symlink_metadata(path).ok().map(|file| [file.dev(), file.ino()])
}

/// Makes the directory of a path. Returns `true` if it was missing.
fn make_directory(path: &Path) -> Result<bool, BrokerError> {
    let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) else {
        return Ok(false);
    };
    match fs::create_dir(directory) {
        Ok(()) => Ok(true),
        // The kind of the error does not decide: a read-only file system hides that the directory
        // exists.
        Err(_) if directory.is_dir() => Ok(false),
        // A daemon that ended has removed it meanwhile: the next attempt makes it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && identity(directory).is_none() => {
            Ok(false)
        }
        Err(error) => Err(BrokerError::failed("make the directory", directory, error)),
    }
}
