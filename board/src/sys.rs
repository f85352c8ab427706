//! The system calls that `nix` has no safe call for, or none that does without allocating: the only module
//! with `unsafe`.

mod spawn;

use std::ffi::CStr;
use std::io;
use std::mem::{offset_of, size_of_val};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{SockFlag, accept4};
use sureplug_core::filter::Instruction;

pub use spawn::{STACK_BYTES, spawn};

/// Words of `SO_MEMINFO` (`include/uapi/linux/sock_diag.h`, `SK_MEMINFO_VARS`).
const MEMINFO_WORDS: usize = 9;

/// What the kernel says about a socket's memory: `SO_MEMINFO`, since Linux 4.12.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemInfo {
    /// Bytes that are charged for what is queued (`SK_MEMINFO_RMEM_ALLOC`).
    pub queued: u32,
    /// The effective receive buffer in bytes (`SK_MEMINFO_RCVBUF`).
    pub effective: u32,
    /// Messages that were not queued since the socket was opened; wraps around (`SK_MEMINFO_DROPS`).
    pub drops: u32,
}

/// Reads a socket's memory figures.
///
/// # Errors
///
/// `ENOPROTOOPT` from a kernel without `SO_MEMINFO`; `EOPNOTSUPP` if the answer is shorter than the
/// drop counter's place, as user-mode emulation gives it.
pub fn mem_info(socket: impl AsFd) -> io::Result<MemInfo> {
    let mut words = [0u32; MEMINFO_WORDS];
    let wanted = libc_len(size_of_val(&words));
    let mut length = wanted;
    // SAFETY: `words` is valid for writes of `length` bytes and outlives the call; any bits are valid
    // for its type.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            words.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    Errno::result(result)?;
    if length < wanted {
        return Err(Errno::EOPNOTSUPP.into());
    }
    Ok(MemInfo {
        queued: words[libc::SK_MEMINFO_RMEM_ALLOC as usize],
        effective: words[libc::SK_MEMINFO_RCVBUF as usize],
        drops: words[libc::SK_MEMINFO_DROPS as usize],
    })
}

/// Sets a socket's filter: from then on the kernel runs the program for each message before it queues it
/// (`socket(7)`, `SO_ATTACH_FILTER`).
///
/// # Errors
///
/// `ENOMEM` if the program is too large for `net.core.optmem_max`, `EINVAL` if it is none, `ENOPROTOOPT` from a
/// kernel without socket filters.
pub fn attach_filter(socket: impl AsFd, program: &[Instruction]) -> io::Result<()> {
    let len = u16::try_from(program.len()).map_err(|_| Errno::EINVAL)?;
    // The kernel only reads it; its type has no const pointer.
    let filter = program.as_ptr().cast_mut().cast::<libc::sock_filter>();
    let program = libc::sock_fprog { len, filter };
    // SAFETY: `Instruction` has the fields of `sock_filter`, in `repr(C)`, as asserted below; the kernel copies
    // `len` of them from valid memory, and keeps no pointer.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            libc_len(size_of_val(&program)),
        )
    };
    Errno::result(result).map(drop).map_err(io::Error::from)
}

const _: () = {
    assert!(size_of::<Instruction>() == size_of::<libc::sock_filter>());
    assert!(align_of::<Instruction>() >= align_of::<libc::sock_filter>());
    assert!(offset_of!(Instruction, code) == offset_of!(libc::sock_filter, code));
    assert!(offset_of!(Instruction, jt) == offset_of!(libc::sock_filter, jt));
    assert!(offset_of!(Instruction, jf) == offset_of!(libc::sock_filter, jf));
    assert!(offset_of!(Instruction, k) == offset_of!(libc::sock_filter, k));
};

/// Turns off the report of an overrun as `ENOBUFS`, and with it the latch that refuses everything
/// after the first refusal until the queue is empty (`netlink(7)`, `NETLINK_NO_ENOBUFS`). The drop
/// counter still counts.
///
/// # Errors
///
/// What `setsockopt(2)` says.
pub fn set_no_enobufs(socket: impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: `on` is valid for reads of its own size and outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_NETLINK,
            libc::NETLINK_NO_ENOBUFS,
            (&raw const on).cast(),
            libc_len(size_of_val(&on)),
        )
    };
    Errno::result(result)?;
    Ok(())
}

/// Reads records of type `linux_dirent64` (getdents(2)) from an open directory, as many as fit, and returns
/// their bytes; 0 at the end.
///
/// # Errors
///
/// What `getdents64(2)` says; `EINVAL` if not even one record fits.
pub fn read_directory(directory: impl AsFd, buffer: &mut [u8]) -> nix::Result<usize> {
    // SAFETY: `buffer` is valid for writes of its length and outlives the call; any bytes are valid for it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_getdents64,
            directory.as_fd().as_raw_fd(),
            buffer.as_mut_ptr(),
            // An unsigned int for the kernel: more would be taken for less.
            u32::try_from(buffer.len()).unwrap_or(u32::MAX),
        )
    };
    Ok(usize::try_from(Errno::result(result)?).unwrap_or_default())
}

/// Reads where a symbolic link in a directory points to, and returns the target's bytes. A target that fills
/// the whole buffer may have been cut.
///
/// # Errors
///
/// What `readlinkat(2)` says; `EINVAL` of what is no link.
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

/// Accepts a connection, which does not block and is closed by `execve`.
///
/// # Errors
///
/// What `accept4(2)` says; `EAGAIN` if nobody waits and the socket does not block.
pub fn accept(socket: impl AsFd) -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let descriptor = accept4(socket.as_fd().as_raw_fd(), flags)?;
    // SAFETY: the call has just made the descriptor, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Takes a descriptor that this process was started with, so that no child of it has it.
///
/// # Errors
///
/// What `fcntl(2)` says: `EBADF` if there is none of that number.
pub fn take_descriptor(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two numbers.
    let result = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    Errno::result(result)?;
    // SAFETY: it is open, and as the caller says nobody else's: it was handed over for this use.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Bytes that are charged for what was sent by a Unix socket and not received by its peer (`SIOCOUTQ`, `unix_outq_len`
/// in `net/unix/af_unix.c`).
///
/// # Errors
///
/// What `ioctl(2)` says.
pub fn unread_bytes(socket: impl AsFd) -> nix::Result<u32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the kernel writes an int to `bytes`, which outlives the call.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    Errno::result(result)?;
    Ok(u32::try_from(bytes).unwrap_or_default())
}

/// Reads how many rows and columns a terminal has; `None` of what is no terminal. One that does not know says 0.
pub fn window_size(terminal: impl AsFd) -> Option<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one `winsize` (ioctl_tty(2)), for which `size` is valid; it outlives the call.
    let result = unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (result == 0).then_some((size.ws_row, size.ws_col))
}

/// Gives the calling thread a real-time priority (1 to 99, `SCHED_FIFO`), or with 0 that of usual threads.
/// By system call, since musl's function of that name refuses everything.
///
/// # Errors
///
/// What `sched_setscheduler(2)` says.
pub fn set_realtime_priority(priority: u32) -> io::Result<()> {
    let policy = if priority > 0 { libc::SCHED_FIFO } else { libc::SCHED_OTHER };
    let priority = libc::c_int::try_from(priority).unwrap_or(libc::c_int::MAX);
    // SAFETY: the kernel reads a `struct sched_param`, which is one int (`include/uapi/linux/sched/types.h`), from an
    // int that outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) };
    Errno::result(result)?;
    Ok(())
}

/// A length of a few bytes.
#[allow(clippy::cast_possible_truncation)]
const fn libc_len(length: usize) -> libc::socklen_t {
    length as libc::socklen_t
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use nix::errno::Errno;
    use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, getsockopt, socket, sockopt};

    use super::{mem_info, read_directory, read_link, set_no_enobufs, set_realtime_priority, window_size};

    fn uevent_socket() -> std::os::fd::OwnedFd {
        let protocol = SockProtocol::NetlinkKObjectUEvent;
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol).unwrap()
    }

    #[test]
    fn mem_info_has_the_buffer_that_so_rcvbuf_reads_back() {
        let socket = uevent_socket();
        let info = mem_info(&socket).unwrap();
        assert_eq!(info.effective as usize, getsockopt(&socket, sockopt::RcvBuf).unwrap());
        assert_eq!((info.queued, info.drops), (0, 0));
    }

    #[test]
    fn the_options_of_a_file_are_refused() {
        let file = File::open("/dev/null").unwrap();
        assert_eq!(mem_info(&file).unwrap_err().raw_os_error(), Some(nix::libc::ENOTSOCK));
        assert_eq!(set_no_enobufs(&file).unwrap_err().raw_os_error(), Some(nix::libc::ENOTSOCK));
    }

    #[test]
    fn no_enobufs_is_accepted_by_a_netlink_socket() {
        set_no_enobufs(uevent_socket()).unwrap();
    }

    #[test]
    fn only_a_terminal_has_a_size() {
        assert_eq!(window_size(File::open("/dev/null").unwrap()), None);
        if let Ok(terminal) = File::options().read(true).write(true).open("/dev/ptmx") {
            assert_eq!(window_size(terminal), Some((0, 0)));
        }
    }

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
    fn what_cannot_be_read_as_a_directory_is_refused() {
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

    #[test]
    fn a_priority_that_no_thread_can_have_is_refused() {
        assert_eq!(set_realtime_priority(100).unwrap_err().raw_os_error(), Some(nix::libc::EINVAL));
        set_realtime_priority(0).unwrap();
    }
}
