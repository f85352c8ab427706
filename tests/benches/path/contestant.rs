use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::{mem, ptr};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, setsockopt, socket, sockopt,
};
use sureplug_board::daemon::Daemon;
use sureplug_board::socket::{BATCH_MESSAGES, UeventSocket};
use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::selection::Selection;

/// Neither may lose anything, even if it is late.
const RCVBUF_BYTES: usize = 64 << 20;

/// What the bench calls itself with, to be one of the contestants.
pub(crate) const CONTESTANTS: [&str; 2] = ["--receive-and-discard", "--sureplug"];

/// Is a contestant until SIGTERM comes, and prints how many events it received.
pub(crate) fn compete(contestant: usize) {
    let signals = Daemon::take_signals().expect("a signalfd");
    let socket = uevent_socket();
    let received = if contestant == 0 {
        println!("ready");
        receive_and_discard(&socket, &signals)
    } else {
        let socket = UeventSocket::adopt(socket).expect("a uevent socket");
        let daemon = Daemon::new(signals, socket, Path::new("/sys"), Selection::ALL);
        let engine = daemon.build().expect("an engine");
        println!("ready");
        engine.run().expect("an end by the signal").received
    };
    println!("{received}");
}

fn uevent_socket() -> OwnedFd {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let protocol = SockProtocol::NetlinkKObjectUEvent;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol).expect("a uevent socket");
    setsockopt(&socket, sockopt::RcvBufForce, &RCVBUF_BYTES).expect("SO_RCVBUFFORCE");
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 1)).expect("bind");
    socket
}

/// Neither addresses nor credentials are asked for, and everything is set up once: less cannot be done.
fn receive_and_discard(socket: &OwnedFd, signals: &SignalFd) -> u64 {
    let mut buffers = vec![[0u8; MAX_DATAGRAM_BYTES]; BATCH_MESSAGES];
    let mut slices: Vec<libc::iovec> = buffers
        .iter_mut()
        .map(|buffer| libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() })
        .collect();
    let mut messages: Vec<libc::mmsghdr> = slices
        .iter_mut()
        .map(|slice| {
            // SAFETY: all zero is a message header that asks for nothing.
            let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
            message.msg_hdr.msg_iov = slice;
            message.msg_hdr.msg_iovlen = 1;
            message
        })
        .collect();
    let count = libc::c_uint::try_from(messages.len()).expect("a few");
    let mut received = 0;
    loop {
        let mut fds = [socket.as_fd(), signals.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        poll(&mut fds, PollTimeout::NONE).expect("poll");
        let ends = fds[1].any() == Some(true);
        // SAFETY: the headers and the buffers that they point to outlive the call, and nothing else uses
        // them.
        while let Ok(n @ 1..) = u64::try_from(unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        }) {
            received += n;
        }
        if ends {
            return received;
        }
    }
}
