//! A client's socket, and the free bytes of its send buffer.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{MsgFlags, getsockopt, recv, setsockopt, sockopt};
use sureplug_core::rcvbuf::SkbAbi;

use crate::engine::capacity::CLIENT_SEND_BYTES;
use crate::sys::{self, retry};

/// A socket that numbers its packets from 1 and never waits.
#[derive(Debug)]
pub(super) struct ClientSocket {
    socket: OwnedFd,
    /// The number of packets sent.
    pub(super) sent: u64,
    /// The send buffer's size.
    size: u32,
    /// A lower bound of the free bytes in the send buffer.
    room: u32,
}

impl ClientSocket {
    /// Takes over an accepted socket, and limits the kernel memory of its send buffer.
    pub(super) fn new(socket: OwnedFd) -> nix::Result<Self> {
        // The kernel doubles the value (socket(7)).
        setsockopt(&socket, sockopt::SndBuf, &(CLIENT_SEND_BYTES as usize / 2))?;
        let size = u32::try_from(getsockopt(&socket, sockopt::SndBuf)?).unwrap_or(CLIENT_SEND_BYTES);
        Ok(Self { socket, sent: 0, size, room: size })
    }

    /// Returns the number of the next packet.
    pub(super) const fn next_seq(&self) -> u64 {
        self.sent + 1
    }

    /// Returns `true` if the kernel accepts another packet. It does while a byte of the send buffer
    /// is free, even if the packet is larger (`sock_alloc_send_pskb` in `net/core/sock.c`).
    pub(super) fn has_room(&mut self) -> bool {
        if self.room == 0 {
            let unread = sys::unread_bytes(&self.socket).unwrap_or(u32::MAX);
            self.room = self.size.saturating_sub(unread);
        }
        self.room > 0
    }

    /// Sends a packet. Requires [room](Self::has_room). Returns `false` if the client is gone.
    pub(super) fn send(&mut self, packet: &[u8]) -> bool {
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        self.room = self.room.saturating_sub(SkbAbi::BOUND_64.truesize(length));
        self.sent += 1;
        sys::send_now(&self.socket, packet).is_ok()
    }

    /// Receives a packet and returns its length, which may exceed that of `into`. Length 0 means
    /// that the client closed its end.
    pub(super) fn receive(&self, into: &mut [u8]) -> nix::Result<usize> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
        retry(|| recv(self.socket.as_raw_fd(), into, flags))
    }
}

impl AsFd for ClientSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
