//! The thread: it reads whenever there is something, and sleeps otherwise.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::Duration;

use nix::poll::PollTimeout;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use super::Shared;
use super::reading::Turn;
use super::stall::WATCH_INTERVAL_MS;
use crate::doorbell::{epoll_in, poll_in};
use crate::monotonic::Monotonic;
use crate::netlink::{BATCH_MESSAGES, Batch};

/// For how long a thread that was asked to end may go on reading what is queued.
const LAST_READS: Duration = Duration::from_secs(2);

/// What the epoll says is there.
const CALLED: u64 = 0;
const SOCKET: u64 = 1;

/// Says that the thread has ended, in whatever way.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ended.store(true, Release);
        self.0.records.ring();
    }
}

/// What the thread sleeps on.
pub(super) struct Run {
    shared: Arc<Shared>,
    epoll: Epoll,
}

impl Run {
    /// To be called when whoever else waits for the socket in an exclusive place has taken it: that one is woken first.
    pub(super) fn new(shared: Arc<Shared>) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&shared.calls, EpollEvent::new(EpollFlags::EPOLLIN, CALLED))?;
        let exclusive = EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE;
        epoll.add(&shared.socket, EpollEvent::new(exclusive, SOCKET))?;
        Ok(Self { shared, epoll })
    }

    pub(super) fn until_stopped(self) -> io::Result<()> {
        let _ended = Ended(Arc::clone(&self.shared));
        let mut batch = Batch::new(BATCH_MESSAGES);
        let mut stop_by = None;
        loop {
            let stop = self.shared.stop.load(Relaxed);
            if stop && Monotonic::now() >= *stop_by.get_or_insert_with(|| Monotonic::now().after(LAST_READS))
            {
                return Ok(());
            }
            let mut reading = self.shared.reading();
            match reading.turn(&self.shared, &mut batch)? {
                Turn::NoRoom => {
                    drop(reading);
                    self.wait_for_room(stop)?;
                }
                Turn::AtRest if stop => return Ok(()),
                Turn::AtRest => {
                    let is_bounded = reading.stall.begin_wait(Monotonic::now());
                    // Before the lock is released: the next reader may ring at once.
                    self.shared.calls.arm();
                    drop(reading);
                    self.wait_for_socket(is_bounded)?;
                }
                Turn::MayHaveMore => {}
            }
        }
    }

    /// Sleeps, with the doorbell for calls armed, until the socket has something or the worker calls.
    fn wait_for_socket(&self, is_bounded: bool) -> io::Result<()> {
        let mut called = false;
        if !self.shared.stop.load(Relaxed) {
            let timeout = if is_bounded { PollTimeout::from(WATCH_INTERVAL_MS) } else { PollTimeout::NONE };
            [called, _] = epoll_in(&self.epoll, timeout)?;
            self.shared.reading().woke(&self.shared, is_bounded);
        }
        self.shared.calls.disarm(called);
        Ok(())
    }

    /// Sleeps until the worker has taken something; for a while only if it asked to end.
    fn wait_for_room(&self, stop: bool) -> io::Result<()> {
        let room = &self.shared.room;
        room.arm();
        let mut rung = false;
        if !self.shared.reading().has_room() {
            let timeout = if stop { PollTimeout::from(WATCH_INTERVAL_MS) } else { PollTimeout::NONE };
            [rung] = poll_in([room.as_fd()], timeout)?;
        }
        room.disarm(rung);
        Ok(())
    }
}
