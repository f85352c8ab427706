use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, NetlinkAddr, RecvMsg, UnixCredentials, recvmmsg,
};
use sureplug_core::netlink::{KernelUids, Sender};

use crate::sys::ReceiveHeaders;

/// The most messages read by one system call.
pub const BATCH_MESSAGES: usize = 8;

/// The buffers for messages, allocated once.
pub struct Batch {
    slots: Box<[u8]>,
    slot_bytes: usize,
    headers: ReceiveHeaders,
}

/// The result of one read of the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Messages were read, and no more were queued.
    All,
    /// As many messages as requested were read: more may be queued.
    Full,
    /// Nothing was queued, or a signal interrupted the call.
    Nothing,
    /// `ENOBUFS`: at least one event was dropped. Only kernels without `SO_MEMINFO` report this.
    Overrun,
}

/// One message of the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datagram<'b> {
    /// A datagram that the kernel multicast.
    Event(&'b [u8]),
    /// A datagram of the kernel that is longer than any uevent, and was truncated (`MSG_TRUNC`).
    Truncated,
    /// A message of another sender.
    Foreign(Sender),
}

impl Batch {
    /// Allocates a buffer of `slot_bytes` for each message; a longer one comes as [`Datagram::Truncated`]. With
    /// [`MAX_DATAGRAM_BYTES`](sureplug_core::limits::MAX_DATAGRAM_BYTES), every uevent of the kernel fits.
    #[must_use]
    pub fn new(slot_bytes: usize) -> Self {
        Self {
            slots: vec![0; slot_bytes * BATCH_MESSAGES].into_boxed_slice(),
            slot_bytes,
            headers: ReceiveHeaders(MultiHeaders::preallocate(
                BATCH_MESSAGES,
                Some(cmsg_space!(UnixCredentials)),
            )),
        }
    }

    /// Reads up to `limit` messages and passes each to `take`.
    pub(super) fn receive(
        &mut self,
        fd: BorrowedFd<'_>,
        kernel_uids: KernelUids,
        limit: usize,
        mut take: impl FnMut(Datagram<'_>),
    ) -> io::Result<Received> {
        let limit = limit.min(BATCH_MESSAGES);
        let mut slots = self.slots.chunks_exact_mut(self.slot_bytes);
        let mut slices: [_; BATCH_MESSAGES] =
            std::array::from_fn(|_| [IoSliceMut::new(slots.next().unwrap_or_default())]);
        let wanted = slices.iter_mut().take(limit);
        match recvmmsg(fd.as_raw_fd(), &mut self.headers.0, wanted, MsgFlags::MSG_DONTWAIT, None) {
            Ok(messages) => {
                let mut count = 0;
                for message in messages {
                    count += 1;
                    take(judge(&message, kernel_uids));
                }
                Ok(if count == limit { Received::Full } else { Received::All })
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(Received::Nothing),
            Err(Errno::ENOBUFS) => Ok(Received::Overrun),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// Classifies a message. The sender is verified first: a forged message is not a loss, even if
/// damaged.
fn judge<'m>(message: &RecvMsg<'_, 'm, NetlinkAddr>, kernel_uids: KernelUids) -> Datagram<'m> {
    let sender = sender(message);
    if !kernel_uids.believe(sender) {
        return Datagram::Foreign(sender);
    }
    match message.iovs().next() {
        Some(datagram) if !message.flags.contains(MsgFlags::MSG_TRUNC) => Datagram::Event(datagram),
        // A message of no bytes has no slice. As an event it does not parse, and counts as damaged.
        None if message.bytes == 0 => Datagram::Event(&[]),
        _ => Datagram::Truncated,
    }
}

fn sender(message: &RecvMsg<'_, '_, NetlinkAddr>) -> Sender {
    let uid = message.cmsgs().ok().and_then(|mut all| {
        all.find_map(|control| match control {
            ControlMessageOwned::ScmCredentials(credentials) => Some(credentials.uid()),
            _ => None,
        })
    });
    // The kernel gives an address with every netlink message. One without an address is not
    // believed.
    let (port, groups) = message.address.map_or((u32::MAX, 0), |address| (address.pid(), address.groups()));
    Sender { port, groups, uid }
}
