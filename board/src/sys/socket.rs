use std::io;
use std::mem::{offset_of, size_of_val};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{MultiHeaders, NetlinkAddr, SockFlag, accept4};
use sureplug_core::filter::Instruction;

/// `SO_PASSRIGHTS` (`include/uapi/asm-generic/socket.h`), which `libc` does not have.
const SO_PASSRIGHTS: libc::c_int = 83;

/// Words of `SO_MEMINFO` (`include/uapi/linux/sock_diag.h`, `SK_MEMINFO_VARS`).
const MEMINFO_WORDS: usize = 9;

/// A socket's memory figures: `SO_MEMINFO`, since Linux 4.12.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemInfo {
    /// Bytes charged for queued messages (`SK_MEMINFO_RMEM_ALLOC`).
    pub queued: u32,
    /// The effective receive buffer in bytes (`SK_MEMINFO_RCVBUF`).
    pub effective: u32,
    /// Messages dropped since the socket was opened; wraps around (`SK_MEMINFO_DROPS`).
    pub drops: u32,
}

/// The headers of `recvmmsg(2)`. They may move to another thread.
pub(crate) struct ReceiveHeaders(pub(crate) MultiHeaders<NetlinkAddr>);

// SAFETY: each pointer leads to memory that the headers own, or into the buffers of a call that has ended, which
// the next call replaces before it reads them.
unsafe impl Send for ReceiveHeaders {}

/// Reads a socket's memory figures.
///
/// # Errors
///
/// Returns `ENOPROTOOPT` from a kernel without `SO_MEMINFO`, and `EOPNOTSUPP` if the answer does
/// not include the drop counter, as in user-mode emulation.
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

/// Sets a socket's filter: from then on the kernel runs the program for each message before it
/// queues it (`socket(7)`, `SO_ATTACH_FILTER`).
///
/// # Errors
///
/// Returns `ENOMEM` if the program is too large for `net.core.optmem_max`, `EINVAL` if it is
/// invalid, and `ENOPROTOOPT` from a kernel without socket filters.
pub fn attach_filter(socket: impl AsFd, program: &[Instruction]) -> io::Result<()> {
    let len = u16::try_from(program.len()).map_err(|_| Errno::EINVAL)?;
    // The kernel only reads it; its type has no const pointer.
    let filter = program.as_ptr().cast_mut().cast::<libc::sock_filter>();
    let program = libc::sock_fprog { len, filter };
    // `Instruction` has the fields of `sock_filter`, as asserted below; the kernel copies `len` of them, and keeps no
    // pointer.
    set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

const _: () = {
    assert!(size_of::<Instruction>() == size_of::<libc::sock_filter>());
    assert!(align_of::<Instruction>() >= align_of::<libc::sock_filter>());
    assert!(offset_of!(Instruction, code) == offset_of!(libc::sock_filter, code));
    assert!(offset_of!(Instruction, jt) == offset_of!(libc::sock_filter, jt));
    assert!(offset_of!(Instruction, jf) == offset_of!(libc::sock_filter, jf));
    assert!(offset_of!(Instruction, k) == offset_of!(libc::sock_filter, k));
};

/// Disables the report of an overrun as `ENOBUFS`, and with it the latch that refuses every message
/// after the first refusal until the queue is empty (`netlink(7)`, `NETLINK_NO_ENOBUFS`). The drop
/// counter still counts.
///
/// # Errors
///
/// Returns the error of `setsockopt(2)`.
pub fn set_no_enobufs(socket: impl AsFd) -> io::Result<()> {
    set(socket, libc::SOL_NETLINK, libc::NETLINK_NO_ENOBUFS, &1_i32)
}

/// Sets an option. The type of the value is the one that the kernel reads: a number, or a
/// `sock_fprog` of valid memory.
fn set<T>(socket: impl AsFd, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
    let descriptor = socket.as_fd().as_raw_fd();
    let length = libc_len(size_of::<T>());
    // SAFETY: `value` is valid for reads of its own size and outlives the call, and so is what it points to.
    let result = unsafe { libc::setsockopt(descriptor, level, option, ptr::from_ref(value).cast(), length) };
    Errno::result(result)?;
    Ok(())
}

/// Refuses descriptors that peers attach to messages (`SO_PASSRIGHTS`, since Linux 6.16), also on
/// each accepted connection. Otherwise the receiver must close them, and the sender decides how
/// long that takes.
///
/// # Errors
///
/// Returns `ENOPROTOOPT` from an older kernel.
pub fn refuse_descriptors(socket: impl AsFd) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, SO_PASSRIGHTS, &0_i32)
}

/// Accepts a connection as non-blocking and close-on-exec.
///
/// # Errors
///
/// Returns the error of `accept4(2)`: `EAGAIN` if no connection waits and the socket is
/// non-blocking.
pub fn accept(socket: impl AsFd) -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let descriptor = accept4(socket.as_fd().as_raw_fd(), flags)?;
    // SAFETY: the call has just made the descriptor, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Converts a length of a few bytes.
#[allow(clippy::cast_possible_truncation)]
const fn libc_len(length: usize) -> libc::socklen_t {
    length as libc::socklen_t
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, getsockopt, socket, sockopt};

    use super::{mem_info, set_no_enobufs};

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
}
