//! Opens and reads files without allocating: paths are C strings already, which `nix` does not
//! copy.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd;

use crate::sys::retry;

/// Opens a path below a directory. A stand-in for sysfs may have a pipe there: the call does not
/// wait for a writer.
pub(crate) fn open(directory: BorrowedFd<'_>, path: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
    retry(|| {
        openat(directory, path, flags | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC, Mode::empty())
    })
}

/// Reads a file to its end, or until the buffer is full. Returns the number of bytes.
pub(crate) fn read_to_end(file: impl AsFd, buffer: &mut [u8]) -> nix::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match retry(|| unistd::read(file.as_fd(), &mut buffer[filled..]))? {
            0 => break,
            length => filled += length,
        }
    }
    Ok(filled)
}

/// Returns `true` if an error means that the file does not exist. `ENODEV` is the error of a sysfs
/// file that is open, or being opened, while its device goes (`kernfs_seq_start` and
/// `kernfs_fop_open` in `fs/kernfs/file.c`).
pub(super) fn is_absence(errno: Errno) -> bool {
    matches!(errno, Errno::ENOENT | Errno::ENOTDIR | Errno::ENODEV)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use nix::errno::Errno;

    use super::read_to_end;

    #[test]
    fn a_file_without_end_fills_the_buffer() {
        let mut buffer = [1; 5_000];
        assert_eq!(read_to_end(File::open("/dev/zero").unwrap(), &mut buffer), Ok(5_000));
        assert_eq!(buffer, [0; 5_000]);
        assert_eq!(read_to_end(File::open("/dev/null").unwrap(), &mut buffer), Ok(0));
        assert_eq!(read_to_end(File::open("/proc").unwrap(), &mut buffer), Err(Errno::EISDIR));
    }
}
