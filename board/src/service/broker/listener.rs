//! The listening socket, whose path belongs to one daemon at a time.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, chown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket};
use nix::sys::stat::{Mode, umask};

use super::error::BrokerError;
use super::lock::{Lock, identity};
use crate::sys;

/// Clients that may wait to be accepted. Each takes a few hundred bytes of kernel memory.
const BACKLOG: i32 = 64;

/// The umask of the socket file: owner and group may connect, which requires write permission.
const MASK: Mode = Mode::from_bits_truncate(0o117);

/// A bound socket, and the lock that reserves its path for this process.
#[derive(Debug)]
pub(super) struct Listener {
    socket: OwnedFd,
    path: PathBuf,
    /// Device and inode of the file. A process that removes the lock file too may have replaced it.
    file: Option<[u64; 2]>,
    /// Dropped last, so that the lock is held during the removals.
    _lock: Lock,
}

impl Listener {
    /// Binds a path, and creates its directory if the parent exists. Must be called before other
    /// threads start, because it changes the umask for a moment.
    pub(super) fn bind(path: &Path, group: Option<u32>) -> Result<Self, BrokerError> {
        let address = UnixAddr::new(path).map_err(|_| {
            let reason = "a socket path has at most 107 bytes; choose a shorter one with --socket";
            BrokerError::unfit(path, reason)
        })?;
        let lock = Lock::take(path)?;
        clear_away(path, &address)?;
        let socket = seqpacket().map_err(|errno| BrokerError::failed("create the socket", path, errno))?;
        let before = umask(MASK);
        let bound = bind(socket.as_raw_fd(), &address);
        umask(before);
        bound.map_err(|errno| BrokerError::failed("create the socket", path, errno))?;
        // From here on, an error removes the file.
        let listener = Self { socket, path: path.to_owned(), file: identity(path), _lock: lock };
        listener.open(group).map_err(|error| BrokerError::failed("set up the socket", path, error))?;
        Ok(listener)
    }

    fn open(&self, group: Option<u32>) -> io::Result<()> {
        if group.is_some() {
            chown(&self.path, None, group)?;
        }
        // Older kernels lack the option.
        let _ = sys::refuse_descriptors(&self.socket);
        listen(&self.socket, Backlog::new(BACKLOG)?)?;
        Ok(())
    }

    /// Accepts the next connection.
    pub(super) fn accept(&self) -> nix::Result<OwnedFd> {
        sys::accept(&self.socket)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // The lock is still held: fields are dropped after this.
        if self.file.is_some() && identity(&self.path) == self.file {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes a stale socket file, such as that of a killed daemon. One in use is an error.
fn clear_away(path: &Path, address: &UnixAddr) -> Result<(), BrokerError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(BrokerError::failed("inspect", path, error)),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(BrokerError::unfit(path, "not a socket; remove the file, or change --socket"));
        }
        Ok(_) => {}
    }
    let probe = seqpacket().map_err(|errno| BrokerError::failed("inspect", path, errno))?;
    match connect(probe.as_raw_fd(), address) {
        Err(Errno::ECONNREFUSED) => {
            fs::remove_file(path).map_err(|error| BrokerError::failed("remove the stale socket", path, error))
        }
        // Accepted, refused for its type, or rejected by a full backlog: another process listens.
        _ => Err(BrokerError::Taken(path.to_owned())),
    }
}

fn seqpacket() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)
}
