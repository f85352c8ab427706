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

/// Attempts to take a lock whose file disappears. Each failure means that another daemon just
/// ended.
const TRIES: usize = 100;

/// The locked file `PATH.lock`. Its holder alone may create and remove the socket at `PATH`.
///
/// The file, and the directory created for it, are removed before the lock is released. A process
/// that opened the removed file [creates a new one](Self::take).
#[derive(Debug)]
pub(super) struct Lock {
    file: Flock<File>,
    path: PathBuf,
    /// Whether this process created the directory and must remove it.
    made_directory: bool,
}

impl Lock {
    /// Takes the lock of a socket path, and creates the directory if its parent exists.
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
                // Another daemon ended and removed the directory.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file.map_err(|error| BrokerError::failed("create the lock", &path, error))?,
            };
            let file =
                Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
                    Errno::EWOULDBLOCK => BrokerError::Taken(socket.to_owned()),
                    errno => BrokerError::failed("lock", &path, errno),
                })?;
            let lock = Self { file, path: path.clone(), made_directory };
            // The previous holder may have removed the file after this process opened it.
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
            // Fails, as it should, if the directory is not empty.
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Returns the device and inode of the file at a path.
pub(super) fn identity(path: &Path) -> Option<[u64; 2]> {
    fs::symlink_metadata(path).ok().map(|file| [file.dev(), file.ino()])
}

/// Creates the directory of a path. Returns `true` if it was missing.
fn make_directory(path: &Path) -> Result<bool, BrokerError> {
    let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) else {
        return Ok(false);
    };
    match fs::create_dir(directory) {
        Ok(()) => Ok(true),
        // Not `AlreadyExists` alone: on a read-only file system mkdir(2) may fail with EROFS
        // although the directory exists.
        Err(_) if directory.is_dir() => Ok(false),
        // Another daemon ended and removed it. The next attempt creates it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && identity(directory).is_none() => {
            Ok(false)
        }
        Err(error) => Err(BrokerError::failed("create the directory", directory, error)),
    }
}
