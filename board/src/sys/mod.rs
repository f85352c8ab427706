//! System calls for which `nix` has no safe function, or none that does not allocate. This is the
//! library's only place with `unsafe`.

mod directory;
mod ioctl;
mod process;
mod socket;
mod spawn;
mod stream;
#[cfg(any(test, all(feature = "small", panic = "abort", not(debug_assertions))))]
mod unwinding;

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, send};

pub use directory::{read_directory, read_link};
pub use ioctl::{interface_index, interface_is_up, owning_user_namespace, unread_bytes, window_size};
pub use process::{
    descriptor_limit, discard_children, enable_child_signals, ended, reap, set_realtime_priority,
    take_descriptor,
};
pub(crate) use socket::ReceiveHeaders;
pub use socket::{MemInfo, accept, attach_filter, mem_info, refuse_descriptors, set_no_enobufs};
pub use spawn::{STACK_BYTES, spawn};
pub use stream::new_stream;

/// Repeats a system call that a signal interrupted.
pub(crate) fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// Sends a packet on a connected socket, if the socket takes it without waiting.
pub(crate) fn send_now(socket: impl AsFd, packet: &[u8]) -> nix::Result<usize> {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    retry(|| send(socket.as_fd().as_raw_fd(), packet, flags))
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::retry;

    #[test]
    fn an_interrupted_call_is_repeated() {
        let mut answers = [Err(Errno::EINTR), Err(Errno::EINTR), Ok(7), Ok(8)].into_iter();
        assert_eq!(retry(|| answers.next().unwrap()), Ok(7));
        assert_eq!(retry(|| Err::<(), _>(Errno::EIO)), Err(Errno::EIO));
    }
}
