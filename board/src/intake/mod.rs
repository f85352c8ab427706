//! A thread that only moves datagrams from the socket into a ring.
//!
//! It never reads a file, writes to a terminal or takes a lock, so no other part of the daemon can
//! delay it. If the ring is full it stops reading, and the kernel's buffer, which is sized for such
//! a stall, holds the events.

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
use crate::socket::UeventSocket;
use ring::RingReader;

/// Records that an engine takes before it checks its signals again.
pub const RECORDS_A_TURN: usize = 256;

/// Counters of the intake. They only grow.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages that the kernel did not send.
    pub foreign: AtomicU64,
    /// The most bytes seen queued in the socket.
    pub peak_queued: AtomicU64,
    /// The longest time in microseconds for which the socket went unread while the intake was not
    /// waiting for it.
    pub longest_stall_us: AtomicU64,
}

/// State that the two threads share beside the ring.
#[derive(Debug)]
struct Shared {
    counters: Counters,
    /// Rung by the intake when there are records.
    records: Doorbell,
    /// Rung by the engine when there is room again.
    room: Doorbell,
    /// Rung by the engine to end the intake.
    ending: Doorbell,
    stop: AtomicBool,
    ended: AtomicBool,
    /// Whether everything read is in the ring, losses included, and the thread is about to sleep.
    at_rest: AtomicBool,
    socket: UeventSocket,
}

/// The running intake, as the engine sees it.
#[derive(Debug)]
pub struct Intake {
    shared: Arc<Shared>,
    reader: RingReader,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Intake {
    /// Allocates the ring and starts the thread.
    ///
    /// # Errors
    ///
    /// Returns an error if no thread or descriptor is left.
    pub fn start(socket: UeventSocket) -> io::Result<Self> {
        let (writer, reader) = ring::ring();
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

    /// Returns the socket, for queries to the kernel only: the thread reads what is queued in it.
    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.shared.socket.as_fd()
    }

    /// Returns the counters.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Takes up to `limit` records from the ring, the oldest first, and returns their number.
    pub fn take(&mut self, limit: usize, each: impl FnMut(Observation<'_>)) -> usize {
        let taken = self.reader.take(limit, each);
        if taken > 0 {
            self.shared.room.ring();
        }
        taken
    }

    /// Returns the doorbell for records, to poll it together with others: see [`Doorbell`].
    pub(crate) fn doorbell(&self) -> &Doorbell {
        &self.shared.records
    }

    /// Sleeps until there are records or `sleep` returns, unless there already are records or the
    /// thread no longer `is_idle`.
    pub(crate) fn wait<T>(
        &self,
        is_idle: impl FnOnce() -> bool,
        sleep: impl FnOnce(bool) -> io::Result<(bool, T)>,
    ) -> io::Result<T> {
        self.shared.records.wait(|| is_idle() & self.is_empty() && !self.has_ended(), sleep)
    }

    /// Sleeps until there are records or `other` has input, at most for `timeout`. Returns `true`
    /// if `other` has input.
    pub(crate) fn wait_or(&self, other: Option<BorrowedFd<'_>>, timeout: PollTimeout) -> io::Result<bool> {
        self.shared.records.wait_or(other, timeout, || self.is_empty() && !self.has_ended())
    }

    /// Returns `true` if the ring is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.reader.is_empty()
    }

    /// Returns `true` if everything sent to the socket before this call has been taken from the
    /// ring, including every earlier loss.
    pub(crate) fn is_caught_up(&self) -> io::Result<bool> {
        if self.has_ended() {
            return Ok(self.is_empty());
        }
        let [readable] = poll_in([self.shared.socket.as_fd()], PollTimeout::ZERO)?;
        // What has left the queue was read after `at_rest` was cleared. If `at_rest` holds now,
        // that is in the ring, which is checked last.
        fence(SeqCst);
        Ok(!readable && self.shared.at_rest.load(Acquire) && self.is_empty())
    }

    /// Asks the thread to read the queued events and to end. The records must be taken meanwhile.
    pub fn request_stop(&self) {
        self.shared.stop.store(true, Relaxed);
        self.shared.ending.ring();
        self.shared.room.ring();
    }

    /// Returns `true` if the thread has ended: on request, or because the socket failed. Records
    /// left in the ring can still be taken.
    pub(crate) fn has_ended(&self) -> bool {
        self.shared.ended.load(Acquire)
    }

    /// Waits for the thread's end.
    ///
    /// # Errors
    ///
    /// Returns the socket's error, if that ended the thread.
    pub fn join(&mut self) -> io::Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the intake thread panicked")),
            None => Ok(()),
        }
    }
}

/// Ends the thread and discards its records.
impl Drop for Intake {
    fn drop(&mut self) {
        self.request_stop();
        while self.thread.is_some() && !self.has_ended() {
            self.take(usize::MAX, |_| {});
            if self.wait_or(None, PollTimeout::NONE).is_err() {
                return;
            }
        }
        // The socket's error is of no use any more.
        let _ = self.join();
    }
}
