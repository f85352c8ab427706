//! Standard output, written by a thread of its own.
//!
//! A terminal can be stopped, a serial line is slow, a pipe's reader sleeps and a file's disk stalls. A
//! write to any of them may block, and `O_NONBLOCK` would be set for whoever else holds the same open
//! file description, such as the caller's shell. So the worker only puts lines into a ring. If it is
//! full a line is dropped and counted, and the count is written as soon as there is room again.

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rtrb::{Consumer, Producer, RingBuffer};

use super::line::{Line, Style};
use super::output::Output;
use crate::doorbell::{Doorbell, poll_in};
use crate::thread;

/// Bytes of lines that wait at most: the worst burst of a board, 723 events, as JSON.
const RING_BYTES: usize = 256 * 1024;

/// Bytes of the longest line: six for each byte of a datagram as JSON, its header written twice.
const MAX_LINE_BYTES: usize = 48 * 1024;

/// Bytes of the line that says how many were dropped.
const MAX_MARKER_BYTES: usize = 256;

/// Bytes that are kept for the last line and the count of those dropped before it, however little the reader takes.
const LAST_LINE_BYTES: usize = 1024;

/// Bytes of one `write`: what a serial line of 115,200 baud takes in a third of a second.
const CHUNK_BYTES: usize = 4 * 1024;

/// For how long the end waits for a reader that takes nothing at all.
const PATIENCE_MS: u16 = 1_000;

/// What worker and writer share beside the ring.
#[derive(Debug)]
struct Shared {
    style: Style,
    /// Rung by the worker: there are lines, or the writer shall end.
    lines: Doorbell,
    /// Rung by the writer: it has ended.
    ended: Doorbell,
    finish: AtomicBool,
    has_ended: AtomicBool,
    /// Whether the reader has closed its end.
    closed: AtomicBool,
    /// Lines dropped since that was last said.
    dropped: AtomicU64,
    dropped_in_all: AtomicU64,
    written_bytes: AtomicU64,
}

impl Shared {
    fn drop_line(&self) {
        self.dropped.fetch_add(1, Relaxed);
        self.dropped_in_all.fetch_add(1, Relaxed);
    }
}

/// The worker's end.
#[derive(Debug)]
pub struct Console {
    ring: Producer<u8>,
    scratch: LineBuffer,
    unflushed_bytes: usize,
    shared: Arc<Shared>,
}

impl Console {
    /// Allocates the ring and starts the thread that writes to standard output.
    ///
    /// # Errors
    ///
    /// No thread or descriptor is left.
    pub fn start(style: Style) -> io::Result<Self> {
        let (ring, lines) = RingBuffer::new(RING_BYTES);
        let shared = Arc::new(Shared {
            style,
            lines: Doorbell::new()?,
            ended: Doorbell::new()?,
            finish: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            dropped_in_all: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
        });
        let output = Output::standard()?;
        let marker = LineBuffer(Vec::with_capacity(MAX_MARKER_BYTES));
        let writer = Writer { lines, output, marker, watches_reader: true, shared: Arc::clone(&shared) };
        shared.ended.arm();
        thread::spawn("console", Box::new(move || writer.run()))?;
        let scratch = LineBuffer(Vec::with_capacity(MAX_LINE_BYTES));
        Ok(Self { ring, scratch, unflushed_bytes: 0, shared })
    }

    /// Says a line, or drops and counts it if there is no room.
    pub fn say(&mut self, line: &Line<'_>) {
        // What was dropped stood in front of this line.
        let dropped = self.shared.dropped.swap(0, Relaxed);
        let marked = dropped == 0 || self.push(&Line::OutputDropped { lines: dropped }, LAST_LINE_BYTES);
        if !marked {
            self.shared.dropped.fetch_add(dropped, Relaxed);
        }
        if !marked || !self.push(line, LAST_LINE_BYTES) {
            self.shared.drop_line();
        }
        if self.unflushed_bytes > RING_BYTES / 4 {
            self.flush();
        }
    }

    /// Wakes the writer for what was said.
    pub fn flush(&mut self) {
        self.unflushed_bytes = 0;
        self.shared.lines.ring();
    }

    /// Lines that were dropped from the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped_in_all.load(Relaxed)
    }

    /// What to poll to learn that the writer has ended, because its reader is gone.
    #[must_use]
    pub fn ended(&self) -> &Doorbell {
        &self.shared.ended
    }

    /// Whether the reader has closed its end: nobody is left to say anything to.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.closed.load(Relaxed)
    }

    /// Says the last line, for which room is kept, and lets the writer write what is left, for as long as
    /// the reader takes anything and nothing comes from `signals`: who asks a second time will not wait.
    pub fn finish(mut self, last: &Line<'_>, signals: BorrowedFd<'_>) {
        let dropped = self.shared.dropped.swap(0, Relaxed);
        if dropped > 0 {
            self.push(&Line::OutputDropped { lines: dropped }, 0);
        }
        self.push(last, 0);
        self.shared.finish.store(true, Release);
        self.shared.lines.ring();
        let mut before = None;
        while !self.shared.has_ended.load(Acquire) {
            let written = self.shared.written_bytes.load(Relaxed);
            if before == Some(written) {
                return;
            }
            before = Some(written);
            let timeout = PollTimeout::from(PATIENCE_MS);
            if matches!(poll_in([self.shared.ended.as_fd(), signals], timeout), Ok([_, true]) | Err(_)) {
                return;
            }
        }
    }

    /// Leaves `reserve` bytes of the ring free.
    fn push(&mut self, line: &Line<'_>, reserve: usize) -> bool {
        self.scratch.0.clear();
        let written = line.write(&mut self.scratch, self.shared.style);
        self.unflushed_bytes += self.scratch.0.len();
        written.is_ok()
            && self.ring.slots() >= self.scratch.0.len() + reserve
            && self.ring.push_entire_slice(&self.scratch.0).is_ok()
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

/// The thread's own state.
struct Writer {
    lines: Consumer<u8>,
    output: Output,
    marker: LineBuffer,
    watches_reader: bool,
    shared: Arc<Shared>,
}

impl Writer {
    fn run(mut self) -> io::Result<()> {
        let result = self.write_until_finished();
        self.shared.closed.store(result.is_err(), Relaxed);
        self.shared.has_ended.store(true, Release);
        self.shared.ended.ring();
        result
    }

    /// Fails only when the reader has closed its end.
    fn write_until_finished(&mut self) -> io::Result<()> {
        loop {
            // Before the look at the ring: what was said before the end is written.
            let finish = self.shared.finish.load(Acquire);
            if self.write_chunk()? || self.write_marker()? {
                continue;
            }
            if finish {
                return Ok(());
            }
            self.sleep()?;
        }
    }

    /// Writes some of what waits; `false` if nothing does.
    fn write_chunk(&mut self) -> io::Result<bool> {
        let waiting = self.lines.slots().min(CHUNK_BYTES);
        let Ok(chunk) = self.lines.read_chunk(waiting) else {
            return Ok(false);
        };
        let (bytes, _) = chunk.as_slices();
        if bytes.is_empty() {
            return Ok(false);
        }
        let done = match self.output.write(bytes) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                // The disk is full, or the terminal was hung up: this line is gone, the next may not be.
                self.shared.drop_line();
                self.output.give_up_line();
                bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| end + 1)
            }
            result => result?,
        };
        self.shared.written_bytes.fetch_add(done as u64, Relaxed);
        chunk.commit(done);
        Ok(true)
    }

    /// Says how many lines were dropped behind all that was written; `false` if none were, or if that
    /// cannot be written either.
    fn write_marker(&mut self) -> io::Result<bool> {
        let lines = self.shared.dropped.swap(0, Relaxed);
        if lines == 0 {
            return Ok(false);
        }
        if !self.lines.is_empty() {
            // Said meanwhile, and before the gap.
            self.shared.dropped.fetch_add(lines, Relaxed);
            return Ok(true);
        }
        self.marker.0.clear();
        let mut left = match (Line::OutputDropped { lines }).write(&mut self.marker, self.shared.style) {
            Ok(()) => self.marker.0.as_slice(),
            Err(fmt::Error) => &[],
        };
        while !left.is_empty() {
            match self.output.write(left) {
                Ok(written) => left = &left[written..],
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Err(error),
                Err(_) => {
                    self.shared.dropped.fetch_add(lines, Relaxed);
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Sleeps until there are lines, or until the reader has gone, which it need not wait for a line to
    /// learn.
    ///
    /// # Errors
    ///
    /// `BrokenPipe`.
    fn sleep(&mut self) -> io::Result<()> {
        let lines = &self.shared.lines;
        lines.arm();
        let mut rung = false;
        if self.lines.is_empty() && !self.shared.finish.load(Acquire) {
            let output = PollFd::new(self.output.as_fd(), PollFlags::empty());
            let mut fds = [PollFd::new(lines.as_fd(), PollFlags::POLLIN), output];
            // Without a reader to watch, poll(2) need not be told of the output.
            let polled = if self.watches_reader { &mut fds[..] } else { &mut fds[..1] };
            let _ = poll(polled, PollTimeout::NONE);
            rung = fds[0].any() == Some(true);
            match fds[1].revents() {
                // What the writing end of a pipe shows when the reading end was closed.
                Some(PollFlags::POLLERR) => return Err(ErrorKind::BrokenPipe.into()),
                None => {}
                // A terminal that was hung up would show that for ever.
                Some(gone) => self.watches_reader &= gone.is_empty(),
            }
        }
        lines.disarm(rung);
        Ok(())
    }
}
