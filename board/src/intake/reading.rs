//! From the socket into the ring: what is done whenever somebody reads.

use std::io;
use std::mem::take;
use std::sync::atomic::{
    Ordering::{Relaxed, Release, SeqCst},
    fence,
};

use sureplug_core::loss::{DropCounter, Loss};

use super::Shared;
use super::ring::{Noticed, Record, Writer};
use super::stall::StallWatch;
use crate::monotonic::Monotonic;
use crate::netlink::{Batch, Message, Received, UeventSocket};
use crate::sys::MemInfo;

/// What a turn found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// All that was queued is in the ring, losses included.
    AtRest,
    /// It read as much as it could at once.
    MayHaveMore,
    /// The ring is full: the socket was not looked at.
    NoRoom,
}

/// What one thread at a time has: the socket's read end and the ring's write end.
#[derive(Debug)]
pub(super) struct Reading {
    writer: Writer,
    /// `None` from a kernel without `SO_MEMINFO`.
    drops: Option<DropCounter>,
    pub(super) stall: StallWatch,
    /// Whether something was published that the worker was not woken for.
    unannounced: bool,
    /// What the socket said to the worker: the thread ends with it.
    failure: Option<io::Error>,
}

impl Reading {
    pub(super) fn new(socket: &UeventSocket, writer: Writer) -> Self {
        Self {
            drops: socket.initial().map(|info| DropCounter::starting_at(info.drops)),
            writer,
            stall: StallWatch::starting_at(Monotonic::now()),
            unannounced: false,
            failure: None,
        }
    }

    /// Reads once, as much as `batch` takes.
    pub(super) fn turn(&mut self, shared: &Shared, batch: &mut Batch) -> io::Result<Turn> {
        self.failure.take().map_or(Ok(()), Err)?;
        let room = self.room();
        if room == 0 {
            self.announce(shared);
            return Ok(Turn::NoRoom);
        }
        let received = self.read(shared, batch, room)?;
        if matches!(received, Received::All | Received::Nothing) {
            // Whatever was dropped up to here shows now: a drop needs a full queue, and a queue that is not empty wakes
            // us again.
            self.look_at_figures(shared);
            shared.at_rest.store(true, Release);
            self.announce(shared);
            return Ok(Turn::AtRest);
        }
        if self.writer.is_filling_up() {
            // Not with every batch: waking the worker costs more than reading one.
            self.announce(shared);
        }
        Ok(Turn::MayHaveMore)
    }

    /// Reads one batch, if there is room for it, and looks neither for more nor for losses.
    pub(super) fn read_only(&mut self, shared: &Shared, batch: &mut Batch) -> io::Result<()> {
        let room = self.room();
        if room > 0 {
            self.read(shared, batch, room)?;
        }
        Ok(())
    }

    /// Leaves to the thread what the socket said to another.
    pub(super) fn fail(&mut self, failure: io::Error) {
        self.failure = Some(failure);
    }

    pub(super) fn has_room(&self) -> bool {
        self.room() > 0
    }

    /// Another thread than the waiting one is about to read.
    pub(super) fn stand_in(&mut self) {
        self.stall.stood_in(Monotonic::now());
    }

    /// The thread's wait is over.
    pub(super) fn woke(&mut self, shared: &Shared, was_bounded: bool) {
        self.stall.woke(Monotonic::now(), was_bounded);
        self.publish_stall(shared);
    }

    /// Records that can be pushed: one is kept for a loss.
    fn room(&self) -> usize {
        self.writer.room().saturating_sub(1)
    }

    /// Reads one batch into the ring.
    fn read(&mut self, shared: &Shared, batch: &mut Batch, room: usize) -> io::Result<Received> {
        shared.at_rest.store(false, Relaxed);
        // Before anything is taken from the socket.
        fence(SeqCst);
        let queued_before = self.look_at_figures(shared);
        let at = Monotonic::now();
        let writer = &mut self.writer;
        let received = shared.socket.receive(batch, room, |message| {
            let what = match message {
                Message::Event(datagram) => Noticed::Event(datagram),
                Message::Truncated => Noticed::Truncated,
                // Only the first is told: a flood of them must not take the ring's room.
                Message::Foreign(sender) => match shared.counters.foreign.fetch_add(1, Relaxed) {
                    0 => Noticed::Foreign(sender),
                    _ => return,
                },
            };
            writer.push(Record { at, what });
        })?;
        if received == Received::Overrun {
            let (queued, effective) = (queued_before, shared.socket.effective().0);
            self.writer.push(Record { at, what: Noticed::Overrun { dropped: 1, queued, effective } });
        }
        self.publish();
        self.stall.read(at, received != Received::Nothing);
        self.publish_stall(shared);
        Ok(received)
    }

    /// Compares the socket's figures with those of the last time; returns the bytes queued.
    fn look_at_figures(&mut self, shared: &Shared) -> u32 {
        let (Some(drops), Ok(info)) = (&mut self.drops, shared.socket.mem_info()) else {
            return 0;
        };
        let MemInfo { queued, effective, drops: now } = info;
        shared.counters.peak_queued.fetch_max(queued.into(), Relaxed);
        // Without room the counter is looked at again when there is some.
        if self.writer.room() > 0 {
            if let Loss::Lost { count } = drops.observe(now) {
                let what = Noticed::Overrun { dropped: count, queued, effective };
                self.writer.push(Record { at: Monotonic::now(), what });
                self.publish();
            }
        }
        queued
    }

    /// Lets the worker see what was pushed, without waking it.
    fn publish(&mut self) {
        self.unannounced |= self.writer.publish();
    }

    /// Wakes the worker if it sleeps and there is something new for it.
    fn announce(&mut self, shared: &Shared) {
        if take(&mut self.unannounced) {
            shared.records.ring();
        }
    }

    fn publish_stall(&self, shared: &Shared) {
        shared.counters.longest_stall_us.store(self.stall.longest_us(), Relaxed);
    }
}
