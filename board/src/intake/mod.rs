//! A thread that does nothing but move datagrams from the socket into a ring.
//!
//! It never reads a file, writes to a terminal or takes a lock, so nothing that other parts of the daemon wait for can delay
//! it. If the ring is full it stops reading, and the kernel's buffer, which is sized for such a stall, takes over.

mod ring;
mod stall;
mod thread;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, SeqCst},
    fence,
};
use std::thread::JoinHandle;

use nix::poll::PollTimeout;

pub use ring::{Observation, Observed};

use crate::doorbell::{Doorbell, poll_in};
use crate::socket::{BATCH_MESSAGES, UeventSocket};
use ring::Reader;

/// Records that an engine takes before it looks at its signals again.
pub const RECORDS_A_TURN: usize = 256;

/// What the intake counts; each number only grows.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages that were not the kernel's.
    pub foreign: AtomicU64,
    /// Bytes that were queued in the socket at most.
    pub peak_queued: AtomicU64,
    /// The longest time in microseconds for which the socket went unread although the intake did not wait for it.
    pub longest_stall_us: AtomicU64,
}

/// What the two threads share beside the ring.
#[derive(Debug)]
struct Shared {
    counters: Counters,
    /// Rung by the intake: there are records.
    records: Doorbell,
    /// Rung by the engine: there is room again.
    room: Doorbell,
    /// Rung by the engine: the intake shall end.
    ending: Doorbell,
    stop: AtomicBool,
    ended: AtomicBool,
    /// Whether all that was read is in the ring, losses included, and the thread is about to sleep.
    at_rest: AtomicBool,
    socket: UeventSocket,
}

/// The running intake, as the engine sees it.
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
        let thread = crate::thread::spawn("intake", Box::new(move || thread::run(&theirs, writer)))?;
        Ok(Self { shared, reader, thread: Some(thread) })
    }

    /// Returns the socket, to ask the kernel about: what is queued in it is the thread's.
    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.shared.socket.as_fd()
    }

    /// The counters.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Takes records from the ring, the oldest first, up to `limit`, and returns how many there were.
    pub fn take(&mut self, limit: usize, each: impl FnMut(Observation<'_>)) -> usize {
        let taken = self.reader.take(limit, each);
        if taken > 0 {
            self.shared.room.ring();
        }
        taken
    }

    /// Returns what is rung for records, to poll it together with others: see [`Doorbell`].
    pub(crate) fn doorbell(&self) -> &Doorbell {
        &self.shared.records
    }

    /// Sleeps until there are records or `sleep` returns, unless there are some or the thread `is_idle` no more.
    pub(crate) fn wait<T>(
        &self,
        is_idle: impl FnOnce() -> bool,
        sleep: impl FnOnce(bool) -> io::Result<(bool, T)>,
    ) -> io::Result<T> {
        self.shared.records.wait(|| is_idle() & self.is_empty() && !self.has_ended(), sleep)
    }

    /// Sleeps until there are records or `other` has input, for `timeout` at most. Returns whether `other` has.
    pub(crate) fn wait_or(&self, other: Option<BorrowedFd<'_>>, timeout: PollTimeout) -> io::Result<bool> {
        self.shared.records.wait_or(other, timeout, || self.is_empty() && !self.has_ended())
    }

    /// Returns `true` if the ring holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.reader.is_empty()
    }

    /// Whether everything that was sent to the socket before this call has been taken from the ring, and
    /// every loss before it as well.
    pub(crate) fn is_caught_up(&self) -> io::Result<bool> {
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
    pub(crate) fn has_ended(&self) -> bool {
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

/// Ends the thread and discards what it read.
impl Drop for Intake {
    fn drop(&mut self) {
        self.request_stop();
        while self.thread.is_some() && !self.has_ended() {
            self.take(usize::MAX, |_| {});
            if self.wait_or(None, PollTimeout::NONE).is_err() {
                return;
            }
        }
        // The socket's error has no reader any more.
        let _ = self.join();
    }
}
