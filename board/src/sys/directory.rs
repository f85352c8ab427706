use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::libc;

/// Reads as many records of type `linux_dirent64` (getdents(2)) from an open directory as fit, and
/// returns their bytes; 0 at the end.
///
/// # Errors
///
/// Returns the error of `getdents64(2)`: `EINVAL` if not even one record fits.
pub fn read_directory(directory: impl AsFd, buffer: &mut [u8]) -> nix::Result<usize> {
    // SAFETY: `buffer` is valid for writes of its length and outlives the call; any bytes are valid for it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_getdents64,
            directory.as_fd().as_raw_fd(),
            buffer.as_mut_ptr(),
            // The kernel takes an unsigned int: a larger value would wrap.
            u32::try_from(buffer.len()).unwrap_or(u32::MAX),
        )
    };
    Ok(usize::try_from(Errno::result(result)?).unwrap_or_default())
}

/// Reads the target of a symbolic link in a directory, and returns its length. A target that fills
/// the whole buffer may have been truncated.
///
/// # Errors
///
/// Returns the error of `readlinkat(2)`: `EINVAL` if the path is not a link.
pub fn read_link(directory: impl AsFd, path: &CStr, buffer: &mut [u8]) -> nix::Result<usize> {
    // SAFETY: `path` ends with a NUL; `buffer` is valid for writes of its length; both outlive the call; any
    // bytes are valid for `buffer`.
    let result = unsafe {
        libc::readlinkat(
            directory.as_fd().as_raw_fd(),
            path.as_ptr(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
        )
    };
    Ok(usize::try_from(Errno::result(result)?).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use nix::errno::Errno;

    use super::{read_directory, read_link};

    #[test]
    fn a_directory_is_read_to_its_end() {
        let directory = File::open("/proc/self/task").unwrap();
        let mut buffer = [0; 1_024];
        let length = read_directory(&directory, &mut buffer).unwrap();
        assert!(buffer[..length].windows(3).any(|bytes| bytes == b"..\0"), "{:?}", &buffer[..length]);
        while read_directory(&directory, &mut buffer).unwrap() > 0 {}
        assert_eq!(read_directory(&directory, &mut buffer), Ok(0));
    }

    #[test]
    fn open_refuses_what_is_no_directory() {
        let mut buffer = [0; 1_024];
        assert_eq!(read_directory(File::open("/dev/null").unwrap(), &mut buffer), Err(Errno::ENOTDIR));
        assert_eq!(read_directory(File::open("/proc").unwrap(), &mut buffer[..8]), Err(Errno::EINVAL));
    }

    #[test]
    fn a_link_is_read_as_far_as_the_buffer_goes() {
        let directory = File::open("/proc/self").unwrap();
        let target = std::fs::read_link("/proc/self/exe").unwrap().into_os_string().into_encoded_bytes();
        let mut buffer = [0; 4_096];
        assert_eq!(read_link(&directory, c"exe", &mut buffer), Ok(target.len()));
        assert_eq!(buffer[..target.len()], target);
        assert_eq!(read_link(&directory, c"exe", &mut buffer[..4]), Ok(4));
        assert_eq!(read_link(&directory, c"status", &mut buffer), Err(Errno::EINVAL));
        assert_eq!(read_link(&directory, c"nothing", &mut buffer), Err(Errno::ENOENT));
    }
}
