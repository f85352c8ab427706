use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, NetlinkAddr, RecvMsg, UnixCredentials, recvmmsg,
};
use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::netlink::{KernelUids, Sender};

/// Messages that one system call reads at most.
pub const BATCH_MESSAGES: usize = 8;

/// The buffers that messages are read into, allocated once.
pub struct Batch {
    slots: Box<[u8]>,
    slot_bytes: usize,
    messages: usize,
    headers: MultiHeaders<NetlinkAddr>,
}

/// What one read of the socket brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Messages, and no more were queued.
    All,
    /// As many messages as were asked for: more may be queued.
    Full,
    /// Nothing was queued, or a signal came first.
    Nothing,
    /// `ENOBUFS`: at least one event was not queued. Only from a kernel without `SO_MEMINFO`.
    Overrun,
}

/// One message as the socket gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datagram<'b> {
    /// A datagram that the kernel multicast.
    Event(&'b [u8]),
    /// The kernel's as well, but longer than any uevent can be: its end is lost (`MSG_TRUNC`).
    Truncated,
    /// Somebody else's.
    Foreign(Sender),
}

impl Batch {
    /// Allocates buffers for so many messages, at most [`BATCH_MESSAGES`], that take every uevent of the kernel whole.
    #[must_use]
    pub fn new(messages: usize) -> Self {
        Self::with_slot_bytes(messages, MAX_DATAGRAM_BYTES)
    }

    /// Allocates buffers of so many bytes for each message; a longer one comes as
    /// [`Datagram::Truncated`].
    #[must_use]
    pub fn with_slot_bytes(messages: usize, slot_bytes: usize) -> Self {
        let messages = messages.min(BATCH_MESSAGES);
        Self {
            slots: vec![0; slot_bytes * messages].into_boxed_slice(),
            slot_bytes,
            messages,
            headers: MultiHeaders::preallocate(messages, Some(cmsg_space!(UnixCredentials))),
        }
    }

    /// Reads up to `limit` messages and hands each to `take`.
    pub(super) fn receive(
        &mut self,
        fd: BorrowedFd<'_>,
        kernel_uids: KernelUids,
        limit: usize,
        mut take: impl FnMut(Datagram<'_>),
    ) -> io::Result<Received> {
        let limit = limit.min(self.messages);
        let mut slots = self.slots.chunks_exact_mut(self.slot_bytes);
        let mut slices: [_; BATCH_MESSAGES] =
            std::array::from_fn(|_| [IoSliceMut::new(slots.next().unwrap_or_default())]);
        let wanted = slices.iter_mut().take(limit);
        match recvmmsg(fd.as_raw_fd(), &mut self.headers, wanted, MsgFlags::MSG_DONTWAIT, None) {
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

/// Whom a message is from decides before anything else: a forged one is no loss, however damaged.
fn judge<'m>(message: &RecvMsg<'_, 'm, NetlinkAddr>, kernel_uids: KernelUids) -> Datagram<'m> {
    let sender = sender(message);
    if !kernel_uids.believe(sender) {
        return Datagram::Foreign(sender);
    }
    match message.iovs().next() {
        Some(datagram) if !message.flags.contains(MsgFlags::MSG_TRUNC) => Datagram::Event(datagram),
        // A message of no bytes has no slice: as an event it does not parse, and is counted as damaged.
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
    // The kernel gives an address with every netlink message; none is nobody's that is believed.
    let (port, groups) = message.address.map_or((u32::MAX, 0), |address| (address.pid(), address.groups()));
    Sender { port, groups, uid }
}
