//! What the thread does.

use std::io;
use std::mem::take;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{
    Ordering::{Relaxed, Release, SeqCst},
    fence,
};
use std::time::Duration;

use nix::poll::PollTimeout;
use sureplug_core::loss::{DropCounter, Loss};

use super::Shared;
use super::ring::{Noticed, Record, Writer};
use super::stall::{StallWatch, WATCH_INTERVAL_MS};
use crate::doorbell::poll_in;
use crate::monotonic::Monotonic;
use crate::netlink::{BATCH_MESSAGES, Batch, Message, Received};
use crate::sys::MemInfo;

/// For how long a thread that was asked to end may go on reading what is queued.
const LAST_READS: Duration = Duration::from_secs(2);

/// Says that the thread has ended, in whatever way.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ended.store(true, Release);
        self.0.records.ring();
    }
}

/// The thread's own state.
pub(super) struct Run {
    shared: Arc<Shared>,
    batch: Batch,
    writer: Writer,
    /// `None` from a kernel without `SO_MEMINFO`.
    drops: Option<DropCounter>,
    stall: StallWatch,
    /// Whether something was published that the worker was not woken for.
    unannounced: bool,
}

impl Run {
    pub(super) fn new(shared: Arc<Shared>, writer: Writer) -> Self {
        Self {
            drops: shared.socket.initial().map(|info| DropCounter::starting_at(info.drops)),
            shared,
            batch: Batch::new(),
            writer,
            stall: StallWatch::starting_at(Monotonic::now()),
            unannounced: false,
        }
    }

    pub(super) fn until_stopped(mut self) -> io::Result<()> {
        let _ended = Ended(Arc::clone(&self.shared));
        self.read_until_stopped()
    }

    fn read_until_stopped(&mut self) -> io::Result<()> {
        let mut stop_by = None;
        loop {
            let stop = self.shared.stop.load(Relaxed);
            if stop && Monotonic::now() >= *stop_by.get_or_insert_with(|| Monotonic::now().after(LAST_READS))
            {
                return Ok(());
            }
            // One record is kept for a loss.
            let room = self.writer.room().saturating_sub(1);
            if room == 0 {
                self.announce();
                self.wait_for_room(stop)?;
                continue;
            }
            let received = self.read(room)?;
            if matches!(received, Received::All | Received::Nothing) {
                // Whatever was dropped up to here shows now: a drop needs a full queue, and a queue that
                // is not empty wakes us again.
                self.look_at_figures();
                self.shared.at_rest.store(true, Release);
                self.announce();
                if stop {
                    return Ok(());
                }
                self.wait_for_socket()?;
            } else if self.writer.is_filling_up() {
                // Not with every batch: waking the worker costs more than reading one.
                self.announce();
            }
        }
    }

    /// Reads one batch into the ring.
    fn read(&mut self, room: usize) -> io::Result<Received> {
        self.shared.at_rest.store(false, Relaxed);
        // Before anything is taken from the socket.
        fence(SeqCst);
        let queued_before = self.look_at_figures();
        let at = Monotonic::now();
        let Self { shared, batch, writer, .. } = self;
        let received = shared.socket.receive(batch, room.min(BATCH_MESSAGES), |message| {
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
    fn announce(&mut self) {
        if take(&mut self.unannounced) {
            self.shared.records.ring();
        }
    }

    /// Sleeps until the socket has something, or the worker asks to end.
    fn wait_for_socket(&mut self) -> io::Result<()> {
        let ending = &self.shared.ending;
        ending.arm();
        let mut rung = false;
        if !self.shared.stop.load(Relaxed) {
            let bounded = self.stall.watching(Monotonic::now());
            let timeout = if bounded { PollTimeout::from(WATCH_INTERVAL_MS) } else { PollTimeout::NONE };
            rung = poll_in([ending.as_fd(), self.shared.socket.as_fd()], timeout)?[0];
            self.stall.woke(Monotonic::now(), bounded);
            self.publish_stall();
        }
        self.shared.ending.disarm(rung);
        Ok(())
    }

    /// Sleeps until the worker has taken something; for a while only if it asked to end.
    fn wait_for_room(&mut self, stop: bool) -> io::Result<()> {
        let room = &self.shared.room;
        room.arm();
        let mut rung = false;
        if self.writer.room() <= 1 {
            let timeout = if stop { PollTimeout::from(WATCH_INTERVAL_MS) } else { PollTimeout::NONE };
            [rung] = poll_in([room.as_fd()], timeout)?;
        }
        room.disarm(rung);
        Ok(())
    }

    fn publish_stall(&self) {
        self.shared.counters.longest_stall_us.store(self.stall.longest_us(), Relaxed);
    }
}
