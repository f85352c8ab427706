//! The thread, which moves datagrams and losses from the socket into the ring, and otherwise
//! sleeps.

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
use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::netlink::DropCounter;
use sureplug_core::time::Instant;

use super::Shared;
use super::ring::{Observed, RingWriter};
use super::stall::{StallWatch, WATCH_INTERVAL_MS};
use crate::socket::{Batch, Datagram, Received};
use crate::sys::MemInfo;
use crate::time::monotonic_now;

/// The longest time for which a thread that was asked to end continues to read queued events.
const LAST_READS: Duration = Duration::from_secs(2);

/// Marks the thread as ended, however it ends.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ended.store(true, Release);
        self.0.records.ring();
    }
}

/// Reads until the engine requests the end or the socket fails.
pub(super) fn run(shared: &Arc<Shared>, writer: RingWriter) -> io::Result<()> {
    let _ended = Ended(Arc::clone(shared));
    let mut transfer = Transfer::new(shared, writer);
    let mut stop_by = None;
    loop {
        let stop = shared.stop.load(Relaxed);
        if stop && monotonic_now() >= *stop_by.get_or_insert_with(|| monotonic_now().after(LAST_READS)) {
            return Ok(());
        }
        match transfer.step()? {
            StepResult::NoRoom => transfer.wait_for_room(stop)?,
            StepResult::AtRest if stop => return Ok(()),
            StepResult::AtRest => transfer.wait_for_socket()?,
            StepResult::MayHaveMore => {}
        }
    }
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StepResult {
    /// Everything queued is in the ring, losses included.
    AtRest,
    /// A full batch was read: more may be queued.
    MayHaveMore,
    /// The ring is full: the socket was not read.
    NoRoom,
}

/// The socket's read end and the ring's write end.
struct Transfer {
    shared: Arc<Shared>,
    batch: Batch,
    writer: RingWriter,
    /// `None` from a kernel without `SO_MEMINFO`.
    drops: Option<DropCounter>,
    stall: StallWatch,
    /// Whether records were pushed without waking the engine.
    unannounced: bool,
}

impl Transfer {
    fn new(shared: &Arc<Shared>, writer: RingWriter) -> Self {
        Self {
            shared: Arc::clone(shared),
            batch: Batch::new(MAX_DATAGRAM_BYTES),
            drops: shared.socket.initial().map(|info| DropCounter::starting_at(info.drops)),
            writer,
            stall: StallWatch::starting_at(monotonic_now()),
            unannounced: false,
        }
    }

    /// Reads one batch.
    fn step(&mut self) -> io::Result<StepResult> {
        let room = self.room();
        if room == 0 {
            self.announce();
            return Ok(StepResult::NoRoom);
        }
        let received = self.read(room)?;
        if matches!(received, Received::All | Received::Nothing) {
            // All drops so far are visible now: a drop needs a full queue, and a queue that is not
            // empty wakes this thread again.
            self.look_at_figures();
            self.shared.at_rest.store(true, Release);
            self.announce();
            return Ok(StepResult::AtRest);
        }
        if self.writer.is_filling_up() {
            // Not after every batch: waking the engine costs more than reading one.
            self.announce();
        }
        Ok(StepResult::MayHaveMore)
    }

    /// Sleeps until the socket has input or the engine requests the end.
    fn wait_for_socket(&mut self) -> io::Result<()> {
        let Shared { ending, stop, socket, .. } = &*self.shared;
        let is_bounded = self.stall.is_watching(monotonic_now());
        let timeout = if is_bounded { PollTimeout::from(WATCH_INTERVAL_MS) } else { PollTimeout::NONE };
        ending.wait_or(Some(socket.as_fd()), timeout, || !stop.load(Relaxed))?;
        self.stall.woke(monotonic_now(), is_bounded);
        self.publish_stall();
        Ok(())
    }

    /// Sleeps until the engine has taken records; only for a limited time once the end was
    /// requested.
    fn wait_for_room(&self, stop: bool) -> io::Result<()> {
        let timeout = if stop { PollTimeout::from(WATCH_INTERVAL_MS) } else { PollTimeout::NONE };
        self.shared.room.wait_or(None, timeout, || self.room() == 0)?;
        Ok(())
    }

    /// Returns the number of records that can be pushed. One is reserved for a loss.
    fn room(&self) -> usize {
        self.writer.room().saturating_sub(1)
    }

    /// Reads one batch into the ring.
    fn read(&mut self, room: usize) -> io::Result<Received> {
        self.shared.at_rest.store(false, Relaxed);
        // This must precede taking anything from the socket.
        fence(SeqCst);
        let queued_before = self.look_at_figures();
        let at = monotonic_now();
        let Self { shared, batch, writer, unannounced, .. } = self;
        let received = shared.socket.receive(batch, room, |message| {
            match message {
                Datagram::Event(datagram) => writer.push_event(at, datagram),
                Datagram::Truncated => writer.push(at, Observed::Truncated),
                // Only the first is reported: a flood of them must not fill the ring.
                Datagram::Foreign(_) if shared.counters.foreign.fetch_add(1, Relaxed) > 0 => return,
                Datagram::Foreign(sender) => writer.push(at, Observed::Foreign(sender)),
            }
            *unannounced = true;
        })?;
        if received == Received::Overrun {
            let (queued, effective) = (queued_before, self.shared.socket.effective().0);
            self.push(at, Observed::Overrun { dropped: 1, queued, effective });
        }
        self.stall.read(at, received != Received::Nothing);
        self.publish_stall();
        Ok(received)
    }

    /// Compares the socket's figures with the last ones, and returns the bytes queued.
    fn look_at_figures(&mut self) -> u32 {
        let (Some(drops), Ok(info)) = (&mut self.drops, self.shared.socket.mem_info()) else {
            return 0;
        };
        let MemInfo { queued, effective, drops: now } = info;
        self.shared.counters.peak_queued.fetch_max(queued.into(), Relaxed);
        // Without room the counter is compared later.
        if self.writer.room() > 0 {
            let dropped = drops.observe(now);
            if dropped > 0 {
                self.push(monotonic_now(), Observed::Overrun { dropped, queued, effective });
            }
        }
        queued
    }

    /// Pushes a record without a datagram, without waking the engine.
    fn push(&mut self, at: Instant, what: Observed<'static>) {
        self.writer.push(at, what);
        self.unannounced = true;
    }

    /// Wakes the engine if it sleeps and there are new records.
    fn announce(&mut self) {
        if take(&mut self.unannounced) {
            self.shared.records.ring();
        }
    }

    fn publish_stall(&self) {
        self.shared.counters.longest_stall_us.store(self.stall.longest_us(), Relaxed);
    }
}
