//! Opening and reading without an allocation: paths are C strings already, which `nix` does not copy.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd;

use crate::sys::retry;

/// Opens what is at a path below a directory. In a stand-in for sysfs that can be a pipe, which is not waited for.
pub(crate) fn open(directory: BorrowedFd<'_>, path: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
    retry(|| {
        openat(directory, path, flags | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC, Mode::empty())
    })
}

/// Reads a file to its end, or until the buffer is full.
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
