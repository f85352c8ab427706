//! Opening and reading without an allocation: paths are C strings already, which `nix` does not copy.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd;

/// Opens what is at a path below a directory.
pub(crate) fn open(directory: BorrowedFd<'_>, path: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
    again(|| openat(directory, path, flags | OFlag::O_CLOEXEC, Mode::empty()))
}

/// Reads a file to its end, or until the buffer is full.
pub(crate) fn read_to_end(file: impl AsFd, buffer: &mut [u8]) -> nix::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match again(|| unistd::read(file.as_fd(), &mut buffer[filled..]))? {
            0 => break,
            length => filled += length,
        }
    }
    Ok(filled)
}

/// Calls once more as long as a signal came first.
pub(crate) fn again<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// Whether an error says that there is nothing. `ENODEV` is how a file of sysfs that is still open, or just
/// being opened, says that its device has gone (`kernfs_seq_start` and `kernfs_fop_open` in
/// `fs/kernfs/file.c`).
pub(super) fn is_absence(errno: Errno) -> bool {
    matches!(errno, Errno::ENOENT | Errno::ENOTDIR | Errno::ENODEV)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use nix::errno::Errno;

    use super::{again, read_to_end};

    #[test]
    fn a_signal_is_no_error() {
        let mut answers = [Err(Errno::EINTR), Err(Errno::EINTR), Ok(7), Ok(8)].into_iter();
        assert_eq!(again(|| answers.next().unwrap()), Ok(7));
        assert_eq!(again(|| Err::<(), _>(Errno::EIO)), Err(Errno::EIO));
    }

    #[test]
    fn a_file_without_end_fills_the_buffer() {
        let mut buffer = [1; 5_000];
        assert_eq!(read_to_end(File::open("/dev/zero").unwrap(), &mut buffer), Ok(5_000));
        assert_eq!(buffer, [0; 5_000]);
        assert_eq!(read_to_end(File::open("/dev/null").unwrap(), &mut buffer), Ok(0));
        assert_eq!(read_to_end(File::open("/proc").unwrap(), &mut buffer), Err(Errno::EISDIR));
    }
}
