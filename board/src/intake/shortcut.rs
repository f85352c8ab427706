//! The worker's own way to the socket, for an event that comes alone.
//!
//! The intake is there so that nothing that the worker does delays the reading. While the worker sleeps it does nothing:
//! then the kernel may as well wake it at once, which spares an event the way over a second thread. Both wait for the socket
//! in exclusive places (`EPOLLEXCLUSIVE`), the worker in the first. The kernel wakes the first of them that sleeps
//! (`ep_poll_callback` in fs/eventpoll.c): the intake, whenever the worker is not in this very wait. Before Linux 4.5 it wakes
//! both, and one of them finds nothing.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::PollTimeout;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use super::Shared;
use super::reading::Turn;
use crate::doorbell::epoll_in;
use crate::monotonic::Monotonic;
use crate::netlink::{Batch, UeventSocket};

/// Messages that the worker reads at once: the one that woke it.
const MESSAGES: usize = 1;

/// Events that come closer upon each other are left to the intake: then one wake-up of the worker is enough for many.
const ALONE: Duration = Duration::from_micros(300);

/// Descriptors that the worker waits for beside the socket and its doorbell.
pub(super) const OTHERS: usize = 4;

/// What stands for the socket among the descriptors: all others come before it, the doorbell first.
const SOCKET: usize = OTHERS + 1;

/// The worker's place in the socket's queue, and what it reads into.
pub(super) struct Shortcut {
    epoll: Epoll,
    batch: Batch,
    /// Whether the others were added.
    is_complete: bool,
    /// When the last event was read.
    last: Monotonic,
    /// Whether it came alone.
    was_alone: bool,
    /// Whether something was read, and nobody has looked yet whether that was all.
    is_unfinished: bool,
}

impl Shortcut {
    /// Takes the place.
    pub(super) fn new(socket: &UeventSocket) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let exclusive = EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE;
        epoll.add(socket, EpollEvent::new(exclusive, SOCKET as u64))?;
        let last = Monotonic::now();
        Ok(Self {
            epoll,
            batch: Batch::new(MESSAGES),
            is_complete: false,
            last,
            was_alone: true,
            is_unfinished: false,
        })
    }

    /// Notes that `count` records were taken, the last of which was read at `at`.
    pub(super) fn took(&mut self, count: usize, at: Monotonic) {
        self.was_alone = count == 1 && at.since(self.last) >= ALONE;
        self.last = at;
    }

    /// Whether the next event may be expected to come alone.
    pub(super) const fn is_open(&self) -> bool {
        self.was_alone
    }

    /// Sleeps until there is an event or one of the others has something, which are always the same; says which of them, and
    /// in the last place whether there is an event.
    pub(super) fn wait(
        &mut self,
        others: [BorrowedFd<'_>; SOCKET],
        timeout: PollTimeout,
    ) -> io::Result<[bool; SOCKET + 1]> {
        if !self.is_complete {
            for (number, other) in (0..).zip(others) {
                match self.epoll.add(other, EpollEvent::new(EpollFlags::EPOLLIN, number)) {
                    // One that stands in for another that is not there.
                    Ok(()) | Err(Errno::EEXIST) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
            self.is_complete = true;
        }
        epoll_in(&self.epoll, timeout)
    }

    /// Reads an event into the ring. Whether there is more, or something was lost, is looked at when it was told: see
    /// [`finish`](Self::finish).
    pub(super) fn read(&mut self, shared: &Shared) {
        let mut reading = shared.reading();
        reading.stand_in();
        self.is_unfinished = true;
        if let Err(error) = reading.read_only(shared, &mut self.batch) {
            reading.fail(error);
        }
    }

    /// Before the worker sleeps, or relies on having read all: looks whether it has, and leaves the rest to the intake.
    pub(super) fn finish(&mut self, shared: &Shared) {
        if !std::mem::take(&mut self.is_unfinished) {
            return;
        }
        let mut reading = shared.reading();
        reading.stand_in();
        let shall_go_on = match reading.turn(shared, &mut self.batch) {
            Ok(Turn::AtRest) => reading.stall.sleeps_too_long(Monotonic::now()),
            Ok(Turn::MayHaveMore | Turn::NoRoom) => true,
            Err(error) => {
                reading.fail(error);
                true
            }
        };
        drop(reading);
        if shall_go_on {
            shared.calls.ring();
        }
    }
}
