//! Moves datagrams and losses from the socket into the ring.

use std::io;
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::{
    Ordering::{Relaxed, Release, SeqCst},
    fence,
};

use sureplug_core::netlink::DropCounter;

use super::Shared;
use super::ring::{Noticed, Record, Writer};
use super::stall::StallWatch;
use crate::socket::{BATCH_MESSAGES, Batch, Message, Received};
use crate::sys::MemInfo;
use crate::time::monotonic_now;

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

/// The socket's read end and the ring's write end.
pub(super) struct Reading {
    shared: Arc<Shared>,
    batch: Batch,
    writer: Writer,
    /// `None` from a kernel without `SO_MEMINFO`.
    drops: Option<DropCounter>,
    stall: StallWatch,
    /// Whether something was published that the worker was not woken for.
    unannounced: bool,
}

impl Reading {
    pub(super) fn new(shared: &Arc<Shared>, writer: Writer) -> Self {
        Self {
            shared: Arc::clone(shared),
            batch: Batch::new(BATCH_MESSAGES),
            drops: shared.socket.initial().map(|info| DropCounter::starting_at(info.drops)),
            writer,
            stall: StallWatch::starting_at(monotonic_now()),
            unannounced: false,
        }
    }

    /// Reads one batch.
    pub(super) fn turn(&mut self) -> io::Result<Turn> {
        let room = self.room();
        if room == 0 {
            self.announce();
            return Ok(Turn::NoRoom);
        }
        let received = self.read(room)?;
        if matches!(received, Received::All | Received::Nothing) {
            // Whatever was dropped up to here shows now: a drop needs a full queue, and a queue that is not empty wakes
            // us again.
            self.look_at_figures();
            self.shared.at_rest.store(true, Release);
            self.announce();
            return Ok(Turn::AtRest);
        }
        if self.writer.is_filling_up() {
            // Not with every batch: waking the worker costs more than reading one.
            self.announce();
        }
        Ok(Turn::MayHaveMore)
    }

    pub(super) fn has_room(&self) -> bool {
        self.room() > 0
    }

    /// Returns `true` if a wait that begins now must end after `WATCH_INTERVAL_MS`.
    pub(super) fn is_watching(&self) -> bool {
        self.stall.is_watching(monotonic_now())
    }

    /// Notes the end of a wait for the socket.
    pub(super) fn woke(&mut self, was_bounded: bool) {
        self.stall.woke(monotonic_now(), was_bounded);
        self.publish_stall();
    }

    /// Records that can be pushed: one is kept for a loss.
    fn room(&self) -> usize {
        self.writer.room().saturating_sub(1)
    }

    /// Reads one batch into the ring.
    fn read(&mut self, room: usize) -> io::Result<Received> {
        self.shared.at_rest.store(false, Relaxed);
        // Before anything is taken from the socket.
        fence(SeqCst);
        let queued_before = self.look_at_figures();
        let at = monotonic_now();
        let Self { shared, batch, writer, .. } = self;
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
            let (queued, effective) = (queued_before, self.shared.socket.effective().0);
            self.writer.push(Record { at, what: Noticed::Overrun { dropped: 1, queued, effective } });
        }
        self.publish();
        self.stall.read(at, received != Received::Nothing);
        self.publish_stall();
        Ok(received)
    }

    /// Compares the socket's figures with those of the last time; returns the bytes queued.
    fn look_at_figures(&mut self) -> u32 {
        let (Some(drops), Ok(info)) = (&mut self.drops, self.shared.socket.mem_info()) else {
            return 0;
        };
        let MemInfo { queued, effective, drops: now } = info;
        self.shared.counters.peak_queued.fetch_max(queued.into(), Relaxed);
        // Without room the counter is looked at again when there is some.
        if self.writer.room() > 0 {
            let dropped = drops.observe(now);
            if dropped > 0 {
                let what = Noticed::Overrun { dropped, queued, effective };
                self.writer.push(Record { at: monotonic_now(), what });
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
    fn announce(&mut self) {
        if take(&mut self.unannounced) {
            self.shared.records.ring();
        }
    }

    fn publish_stall(&self) {
        self.shared.counters.longest_stall_us.store(self.stall.longest_us(), Relaxed);
    }
}
