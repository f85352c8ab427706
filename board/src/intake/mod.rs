//! A thread that does nothing but move datagrams from the socket into a ring.
//!
//! It never reads a file, writes to a terminal or takes a lock, so nothing that other parts of the
//! daemon wait for can delay it. If the ring is full it stops reading, and the kernel's buffer, which
//! is sized for such a stall, takes over.

mod ring;
mod stall;

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence,
};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::poll::PollTimeout;
use sureplug_core::loss::{DropCounter, Loss};

pub use ring::{Noticed, Record};

use crate::doorbell::{Doorbell, poll_in};
use crate::monotonic::Monotonic;
use crate::netlink::{BATCH_MESSAGES, Batch, Message, Received, UeventSocket};
use crate::sys::MemInfo;
use crate::thread;
use ring::{Reader, Writer};
use stall::{StallWatch, WATCH_INTERVAL_MS};

/// For how long a thread that was asked to end may go on reading what is queued.
const LAST_READS: Duration = Duration::from_secs(2);

/// What the intake counts; each number only grows.
#[derive(Debug, Default)]
pub struct Counters {
    foreign: AtomicU64,
    peak_queued: AtomicU64,
    longest_stall_us: AtomicU64,
}

impl Counters {
    /// Messages that were not the kernel's.
    #[must_use]
    pub fn foreign(&self) -> u64 {
        self.foreign.load(Relaxed)
    }

    /// Bytes that were queued in the socket at most.
    #[must_use]
    pub fn peak_queued(&self) -> u64 {
        self.peak_queued.load(Relaxed)
    }

    /// The longest time in microseconds for which the socket went unread although the intake did not
    /// wait for it.
    #[must_use]
    pub fn longest_stall_us(&self) -> u64 {
        self.longest_stall_us.load(Relaxed)
    }
}

/// What the two threads share beside the ring.
#[derive(Debug)]
struct Shared {
    counters: Counters,
    /// Rung by the intake: there are records.
    records: Doorbell,
    /// Rung by the worker: there is room again.
    room: Doorbell,
    /// Rung by the worker: the intake shall end.
    ending: Doorbell,
    stop: AtomicBool,
    ended: AtomicBool,
    /// Whether all that was read is in the ring, losses included, and the thread is about to sleep.
    at_rest: AtomicBool,
    socket: UeventSocket,
}

/// The running intake, as the worker sees it.
#[derive(Debug)]
pub struct Intake {
    shared: Arc<Shared>,
    reader: Reader,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Intake {
    /// Allocates the ring and starts the thread.
    ///
    /// # Errors
    ///
    /// No thread or descriptor is left.
    pub fn start(socket: UeventSocket) -> io::Result<Self> {
        let (writer, reader) = ring::ring(BATCH_MESSAGES + 1);
        let shared = Arc::new(Shared {
            counters: Counters::default(),
            records: Doorbell::new()?,
            room: Doorbell::new()?,
            ending: Doorbell::new()?,
            stop: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            at_rest: AtomicBool::new(false),
            socket,
        });
        let theirs = Arc::clone(&shared);
        let run = move || Run::new(theirs, writer).until_stopped();
        let thread = thread::spawn("intake", Box::new(run))?;
        Ok(Self { shared, reader, thread: Some(thread) })
    }

    /// The counters.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Takes records from the ring, the oldest first, up to `limit`, and returns how many there were.
    pub fn take(&mut self, limit: usize, each: impl FnMut(Record<'_>)) -> usize {
        let taken = self.reader.take(limit, each);
        if taken > 0 {
            self.shared.room.ring();
        }
        taken
    }

    /// What to poll for records; see [`Doorbell`].
    #[must_use]
    pub fn doorbell(&self) -> &Doorbell {
        &self.shared.records
    }

    /// Whether the ring holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reader.is_empty()
    }

    /// Whether the ring had better be read, lest the intake should wait for that.
    #[must_use]
    pub fn is_half_full(&self) -> bool {
        self.reader.is_half_full()
    }

    /// Whether everything that was sent to the socket before this call has been taken from the ring, and
    /// every loss before it as well.
    ///
    /// # Errors
    ///
    /// What `poll(2)` says.
    pub fn is_caught_up(&self) -> io::Result<bool> {
        if self.has_ended() {
            return Ok(self.is_empty());
        }
        let [readable] = poll_in([self.shared.socket.as_fd()], PollTimeout::ZERO)?;
        // What is not queued any more was read after `at_rest` was taken back. So if it holds now, that is
        // in the ring, at which we look last.
        fence(SeqCst);
        Ok(!readable && self.shared.at_rest.load(Acquire) && self.is_empty())
    }

    /// Asks the thread to read what is still queued and to end. The records must be taken meanwhile.
    pub fn request_stop(&self) {
        self.shared.stop.store(true, Relaxed);
        self.shared.ending.ring();
        self.shared.room.ring();
    }

    /// Whether the thread has read for the last time: it was asked to end, or the socket failed. The
    /// records that are still in the ring can be taken.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.shared.ended.load(Acquire)
    }

    /// Waits for the thread's end.
    ///
    /// # Errors
    ///
    /// The socket's error, if that ended it.
    pub fn join(&mut self) -> io::Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the intake thread panicked")),
            None => Ok(()),
        }
    }
}

/// Says that the thread has ended, in whatever way.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ended.store(true, Release);
        self.0.records.ring();
    }
}

/// The thread's own state.
struct Run {
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
    fn new(shared: Arc<Shared>, writer: Writer) -> Self {
        Self {
            drops: shared.socket.initial().map(|info| DropCounter::starting_at(info.drops)),
            shared,
            batch: Batch::new(),
            writer,
            stall: StallWatch::starting_at(Monotonic::now()),
            unannounced: false,
        }
    }

    fn until_stopped(mut self) -> io::Result<()> {
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
        if std::mem::take(&mut self.unannounced) {
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
