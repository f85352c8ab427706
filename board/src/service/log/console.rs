//! Standard output, or another log, written by a thread of its own.
//!
//! A terminal can be stopped, a serial line is slow, a pipe's reader sleeps and a file's disk stalls. A
//! write to any of them may block, and `O_NONBLOCK` would be set for whoever else holds the same open
//! file description, such as the caller's shell. So the worker only puts lines into a ring. While that is
//! full it puts in none: the journal keeps what is to be said, for as long as it can.

mod writer;

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::time::Duration;

use nix::poll::PollTimeout;
use rtrb::{Producer, RingBuffer};

use super::output::Output;
use crate::doorbell::{Doorbell, poll_in};
use crate::report::{Line, Style};
use crate::thread;
use crate::time::monotonic_now;
use writer::{RESTART, Writer};

/// Bytes of lines that wait at most. A longer line goes through in pieces.
const RING_BYTES: usize = 16 * 1024;

/// Bytes of the longest line: six for each byte of a datagram as JSON, its header written twice.
const MAX_LINE_BYTES: usize = 48 * 1024;

/// Bytes that are kept for the last lines, however little the reader takes.
const LAST_LINES_BYTES: usize = 2 * 1024;

/// For how long the end waits for a reader that takes nothing at all.
const PATIENCE: Duration = Duration::from_secs(1);

/// What worker and writer share beside the ring.
#[derive(Debug)]
struct Shared {
    style: Style,
    /// Rung by the worker: there are lines, or the writer shall end.
    lines: Doorbell,
    /// Rung by the writer: it has ended, or there is room and the worker waits for it.
    room: Doorbell,
    waits_for_room: AtomicBool,
    finish: AtomicBool,
    has_ended: AtomicBool,
    /// Whether the reader has closed its end.
    closed: AtomicBool,
    /// Whether a line could not be written: what follows is worth nothing before [`RESTART`].
    torn: AtomicBool,
    /// Lines that could not be written.
    dropped: AtomicU64,
    written_bytes: AtomicU64,
}

/// The worker's end.
#[derive(Debug)]
pub struct Console {
    ring: Producer<u8>,
    /// The line that is put in next, and how much of it is in already.
    scratch: LineBuffer,
    put_bytes: usize,
    unflushed: bool,
    shared: Arc<Shared>,
}

impl Console {
    /// Allocates the ring and starts the thread that writes to standard output.
    ///
    /// # Errors
    ///
    /// No thread or descriptor is left.
    pub fn start(style: Style) -> io::Result<Self> {
        Self::start_on(style, Output::standard()?)
    }

    /// The same, writing to an output of its own. What it does not take before it is there is counted as dropped.
    ///
    /// # Errors
    ///
    /// No thread or descriptor is left.
    pub(crate) fn start_on(style: Style, output: Output) -> io::Result<Self> {
        let (ring, lines) = RingBuffer::new(RING_BYTES);
        let shared = Arc::new(Shared {
            style,
            lines: Doorbell::new()?,
            room: Doorbell::new()?,
            waits_for_room: AtomicBool::new(false),
            finish: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            torn: AtomicBool::new(!output.is_open()),
            dropped: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
        });
        let writer = Writer::new(lines, output, Arc::clone(&shared));
        thread::spawn("console", Box::new(move || writer.run()))?;
        let scratch = LineBuffer(Vec::with_capacity(MAX_LINE_BYTES));
        Ok(Self { ring, scratch, put_bytes: 0, unflushed: false, shared })
    }

    /// Whether there is room for another line. While there is not, [`room`](Self::room) is rung when some is
    /// made.
    pub fn is_ready(&mut self) -> bool {
        let ready = !self.is_torn() && self.push(LAST_LINES_BYTES);
        if !ready {
            self.flush();
        }
        self.shared.waits_for_room.store(!ready, Relaxed);
        ready
    }

    /// Whether there is room now although there was none before: to be asked between arming
    /// [`room`](Self::room) and sleeping.
    pub fn has_become_ready(&mut self) -> bool {
        self.shared.waits_for_room.load(Relaxed) && self.is_ready()
    }

    /// Says a line. Only if this [is ready](Self::is_ready), or what was to be said before is gone.
    pub fn say(&mut self, line: &Line<'_>) {
        self.write(line);
        self.push(LAST_LINES_BYTES);
    }

    /// Whether a line is in that has an end which is not: said, and not whole if nothing more comes.
    #[must_use]
    pub fn has_part_of_a_line(&self) -> bool {
        !self.scratch.0.is_empty()
    }

    /// Wakes the writer for what was said.
    pub fn flush(&mut self) {
        if std::mem::take(&mut self.unflushed) {
            self.shared.lines.ring();
        }
    }

    /// Lines that could not be written.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Relaxed)
    }

    /// Whether lines could not be written, so that whoever reads them later does not know what is true.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        self.shared.torn.load(Acquire)
    }

    /// Lets the writer try again, with the lines that are said from here on; it begins with how many could not
    /// be written.
    pub fn restart(&mut self) {
        self.forget();
        self.scratch.0.push(RESTART);
        self.push(0);
    }

    fn write(&mut self, line: &Line<'_>) {
        self.forget();
        if line.write(&mut self.scratch, self.shared.style).is_err() {
            // It is longer than any can be.
            self.forget();
            self.shared.dropped.fetch_add(1, Relaxed);
        }
    }

    fn forget(&mut self) {
        self.scratch.0.clear();
        self.put_bytes = 0;
    }

    /// What to poll to learn that there is room, or that the writer has ended.
    #[must_use]
    pub fn room(&self) -> &Doorbell {
        &self.shared.room
    }

    /// Whether the reader has closed its end: nobody is left to say anything to.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.closed.load(Relaxed)
    }

    /// Waits until something of what was said is written, and says whether it was. Nothing is waited for if
    /// the reader takes nothing for a while, or if something comes from `signals`: who asks a second time
    /// will not wait.
    pub fn wait_for_reader(&mut self, signals: BorrowedFd<'_>) -> bool {
        let before = self.shared.written_bytes.load(Relaxed);
        let give_up_at = monotonic_now().after(PATIENCE);
        self.flush();
        self.shared.waits_for_room.store(true, Relaxed);
        loop {
            self.shared.room.arm();
            if self.shared.written_bytes.load(Relaxed) != before {
                return true;
            }
            let left = give_up_at.since(monotonic_now());
            if left.is_zero() || self.shared.has_ended.load(Acquire) {
                return false;
            }
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let polled = poll_in([self.shared.room.as_fd(), signals], timeout);
            self.shared.room.disarm(matches!(polled, Ok([true, _])));
            if !matches!(polled, Ok([_, false])) {
                return false;
            }
        }
    }

    /// Says the last lines, for which room is kept, and lets the writer write what is left, for as long as
    /// the reader takes anything and nothing comes from `signals`.
    pub fn finish<'l>(mut self, last: impl Iterator<Item = Line<'l>>, signals: BorrowedFd<'_>) {
        if self.is_torn() {
            self.restart();
        }
        for line in last {
            // A line of which a part is in stays torn, and the next begins on one of its own.
            let is_torn = self.put_bytes > 0;
            self.write(&line);
            if is_torn {
                self.scratch.0.insert(0, b'\n');
            }
            self.push(0);
        }
        self.shared.finish.store(true, Release);
        self.unflushed = true;
        let mut goes_on = true;
        while goes_on && !self.shared.has_ended.load(Acquire) {
            goes_on = self.wait_for_reader(signals);
        }
    }

    /// Puts the line into the ring, as far as that leaves `reserve` bytes of it free; whether all of it is in.
    fn push(&mut self, reserve: usize) -> bool {
        let left = &self.scratch.0[self.put_bytes..];
        let length = left.len().min(self.ring.slots().saturating_sub(reserve));
        if self.ring.push_entire_slice(&left[..length]).is_ok() {
            self.put_bytes += length;
            self.unflushed |= length > 0;
        }
        let is_in = self.put_bytes == self.scratch.0.len();
        if is_in {
            self.forget();
        }
        is_in && self.ring.slots() > reserve
    }
}

/// Text in memory that was allocated once.
#[derive(Debug)]
struct LineBuffer(Vec<u8>);

impl fmt::Write for LineBuffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.capacity() - self.0.len() < text.len() {
            return Err(fmt::Error);
        }
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
