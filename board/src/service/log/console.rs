//! Writes lines to standard output or a terminal from a separate thread.
//!
//! Any write may block: a terminal can be stopped, a serial line is slow, a pipe's reader sleeps,
//! a disk stalls. `O_NONBLOCK` would also affect every other process with the same open file
//! description, such as the caller's shell. The engine therefore only puts lines into a ring.
//! While the ring is full, the events wait in the journal.

mod writer;

use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::time::Duration;
use sureplug_core::time::Instant;

use nix::poll::PollTimeout;
use rtrb::{Producer, RingBuffer};
use sureplug_core::selection::Selection;
use sureplug_core::stream::{ConsumerId, Delivery, Lag};

use super::output::Output;
use crate::doorbell::Doorbell;
use crate::engine::capacity::BoardStream;
use crate::engine::{Context, NoticeReader, Service};
use crate::report::{self, FixedText, Notice, Style, Undersized};
use crate::thread;
use crate::time::monotonic_now;
use writer::{RESTART, Writer};

/// The size of the ring in bytes. A longer line passes through in pieces.
const RING_BYTES: usize = 16 * 1024;

/// The longest line in bytes: as JSON, six for each byte of a datagram, with its header written
/// twice.
const MAX_LINE_BYTES: usize = 48 * 1024;

/// Bytes reserved for the last lines.
const LAST_LINES_BYTES: usize = 2 * 1024;

/// How long the console waits at its end for a reader that makes no progress.
const PATIENCE: Duration = Duration::from_secs(1);

/// The interval at which an undersized daemon repeats its warning while events arrive.
const REMIND_AFTER: Duration = Duration::from_secs(60);

/// The interval at which a failed output is retried while events arrive. A disk may stay full for
/// a long time.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// The state that engine and writer share, besides the ring.
#[derive(Debug)]
struct ConsoleState {
    style: Style,
    /// Rung by the engine for new lines, or to end the writer.
    lines: Doorbell,
    /// Rung by the writer when it ends, or when the engine waits for room and there is some.
    room: Doorbell,
    waits_for_room: AtomicBool,
    finish: AtomicBool,
    has_ended: AtomicBool,
    /// Whether the reader closed its end.
    closed: AtomicBool,
    /// Whether a line could not be written. Lines before the next [`RESTART`] are dropped.
    torn: AtomicBool,
    /// The number of lines that could not be written.
    dropped: AtomicU64,
    written_bytes: AtomicU64,
}

/// The engine's end: a consumer of the stream and a reader of the notices.
#[derive(Debug)]
pub struct Console {
    ring: Producer<u8>,
    /// The next line, of which the first `put_bytes` are in the ring.
    line: FixedText,
    put_bytes: usize,
    unflushed: bool,
    shared: Arc<ConsoleState>,
    consumer: Option<ConsumerId>,
    notices: NoticeReader,
    /// The number of sysfs faults that were written.
    unreadable_read: usize,
    forged_read: usize,
    /// The number of missed events that were reported.
    missed: u64,
    /// The warning that is repeated.
    undersized: Undersized,
    reminded: Instant,
    /// The number of events received at the last warning.
    reminded_of: u64,
    /// The time at which a failed output was last retried.
    restarted: Instant,
}

impl Console {
    /// Allocates the ring and starts the writing thread. Lines for an absent terminal count as
    /// dropped.
    ///
    /// # Errors
    ///
    /// Returns the system's error if the thread or a descriptor cannot be created.
    pub fn start(style: Style, output: Output) -> io::Result<Self> {
        let (ring, lines) = RingBuffer::new(RING_BYTES);
        let shared = Arc::new(ConsoleState {
            style,
            lines: Doorbell::new()?,
            room: Doorbell::new()?,
            waits_for_room: AtomicBool::new(false),
            finish: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            torn: AtomicBool::new(output.descriptor().is_none()),
            dropped: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
        });
        let writer = Writer::new(lines, output, Arc::clone(&shared));
        thread::spawn("console", Box::new(move || writer.run()))?;
        let now = monotonic_now();
        Ok(Self {
            ring,
            line: FixedText::new(MAX_LINE_BYTES),
            put_bytes: 0,
            unflushed: false,
            shared,
            consumer: None,
            notices: NoticeReader::default(),
            unreadable_read: 0,
            forged_read: 0,
            missed: 0,
            undersized: Undersized::default(),
            reminded: now,
            reminded_of: 0,
            restarted: now,
        })
    }

    /// Warns that the buffer or the profile is too small, now and repeatedly while events arrive.
    pub(crate) fn report_undersized(&mut self, undersized: Undersized) {
        if undersized.is_any() {
            self.write(&Notice::Undersized(&undersized));
        }
        self.undersized = undersized;
    }

    /// Writes a line. Replaces an incomplete line, so the console must be [ready](Self::is_ready).
    pub(crate) fn write(&mut self, notice: &Notice<'_>) {
        self.begin(notice);
        self.push(LAST_LINES_BYTES);
    }

    /// Wakes the writer for new lines.
    pub(crate) fn flush(&mut self) {
        if std::mem::take(&mut self.unflushed) {
            self.shared.lines.ring();
        }
    }

    /// Returns `true` if there is room for another line. If not, the writer rings when there is.
    fn is_ready(&mut self) -> bool {
        let ready = !self.is_torn() && self.push(LAST_LINES_BYTES);
        if !ready {
            self.flush();
        }
        self.shared.waits_for_room.store(!ready, Relaxed);
        ready
    }

    /// Returns `true` if lines could not be written, so that the output no longer matches the
    /// devices.
    fn is_torn(&self) -> bool {
        self.shared.torn.load(Acquire)
    }

    /// Returns `true` if the reader closed its end.
    fn is_closed(&self) -> bool {
        self.shared.closed.load(Relaxed)
    }

    /// Makes the writer retry with the lines that follow, after a report of the dropped ones.
    fn restart(&mut self) {
        self.forget();
        let _ = self.line.write_char(RESTART.into());
        self.push(0);
    }

    fn begin(&mut self, notice: &Notice<'_>) {
        self.forget();
        if report::write(&mut self.line, notice, self.shared.style).is_err() || self.line.is_cut() {
            // Longer than the longest expected line.
            self.forget();
            self.shared.dropped.fetch_add(1, Relaxed);
        }
    }

    fn forget(&mut self) {
        self.line.clear();
        self.put_bytes = 0;
    }

    /// Writes lines while there is room. Returns `true` if no more wait.
    fn write_lines(&mut self, context: &mut Context<'_>) -> bool {
        let Some(consumer) = self.consumer else { return true };
        if self.is_torn() && context.now.since(self.restarted) >= RESTART_AFTER {
            // It is unknown which lines were read, so the consumer starts again with a reset.
            self.restarted = context.now;
            context.stream.reset(consumer);
            self.restart();
        }
        let mut is_all = false;
        while !is_all && self.is_ready() {
            is_all = !self.write_next(consumer, context);
        }
        self.flush();
        is_all
    }

    /// Writes the next line. Returns `false` if no line waits.
    fn write_next(&mut self, consumer: ConsumerId, context: &mut Context<'_>) -> bool {
        let read_steps = context.stream.read_steps(consumer);
        if let Some(notice) = context.notices.next(&mut self.notices, read_steps) {
            self.write(&notice);
        } else if let Some(fault) = context.devices.next_unreadable(&mut self.unreadable_read) {
            self.write(&Notice::Unreadable(fault));
        } else if let Some(fault) = context.devices.next_forged(&mut self.forged_read) {
            self.write(&Notice::Forged(fault));
        } else if let Some(run) = context.notices.run.take() {
            self.write(&Notice::Hook(&run));
        } else {
            match context.stream.next(consumer, context.now, context.packet) {
                Some(Delivery::Event(entry)) => {
                    context.has_delivered = true;
                    self.write(&Notice::Event(entry));
                }
                Some(Delivery::Missed { steps }) => {
                    self.missed += steps;
                    self.write(&Notice::Missed { events: steps, is_ending: false });
                }
                // Delivered only to consumers that request it.
                Some(Delivery::SnapshotEnd) => {}
                Some(Delivery::Reset) => self.write(&Notice::Reset),
                None => return false,
            }
        }
        true
    }

    /// Repeats the warning that events can be lost, if it is due.
    fn remind(&mut self, context: &Context<'_>) {
        let is_due = self.undersized.is_any() && context.now.since(self.reminded) >= REMIND_AFTER;
        if is_due && context.totals.received != self.reminded_of && self.is_ready() {
            (self.reminded, self.reminded_of) = (context.now, context.totals.received);
            let undersized = self.undersized;
            self.write(&Notice::Undersized(&undersized));
        }
    }

    /// Adds the losses of this output to the totals.
    fn count(&self, context: &mut Context<'_>) {
        context.totals.output_missed = self.missed + self.unreported(context.stream);
        context.totals.output_dropped = self.notices.missed
            + context.notices.overwritten(&self.notices)
            + self.shared.dropped.load(Relaxed);
    }

    /// Returns the number of events that are lost to this output and not reported yet. They were
    /// overwritten in the journal, or arrived while lines could not be written.
    fn unreported(&self, stream: &BoardStream) -> u64 {
        let Some(consumer) = self.consumer else { return 0 };
        let waiting = stream.steps() - stream.read_steps(consumer);
        let is_cut = self.is_torn() || stream.is_overrun(consumer);
        stream.missed(consumer) + if is_cut { waiting } else { 0 }
    }

    /// Waits for the reader, and returns `true` on progress. Returns `false` after [`PATIENCE`], or
    /// if `signals` has a signal: a second request to end does not wait.
    fn wait_for_reader(&mut self, signals: BorrowedFd<'_>) -> bool {
        self.flush();
        let ConsoleState { written_bytes, room, waits_for_room, has_ended, .. } = &*self.shared;
        let before = written_bytes.load(Relaxed);
        let give_up_at = monotonic_now().after(PATIENCE);
        waits_for_room.store(true, Relaxed);
        loop {
            let is_waiting = || written_bytes.load(Relaxed) == before && !has_ended.load(Acquire);
            let timeout =
                PollTimeout::try_from(give_up_at.since(monotonic_now())).unwrap_or(PollTimeout::MAX);
            let has_signal = room.wait_or(Some(signals), timeout, is_waiting);
            if written_bytes.load(Relaxed) != before {
                return true;
            }
            if has_ended.load(Acquire) || monotonic_now() >= give_up_at || !matches!(has_signal, Ok(false)) {
                return false;
            }
        }
    }

    /// Puts as much of the line into the ring as leaves `reserve` bytes free. Returns `true` if all
    /// of it fits and room is left.
    fn push(&mut self, reserve: usize) -> bool {
        let left = &self.line.as_bytes()[self.put_bytes..];
        let length = left.len().min(self.ring.slots().saturating_sub(reserve));
        if self.ring.push_entire_slice(&left[..length]).is_ok() {
            self.put_bytes += length;
            self.unflushed |= length > 0;
        }
        let is_in = self.put_bytes == self.line.len();
        if is_in {
            self.forget();
        }
        is_in && self.ring.slots() > reserve
    }
}

impl Service for Console {
    fn join(&mut self, stream: &mut BoardStream) {
        self.consumer = stream.join(Selection::ALL, Lag::Hold);
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.shared.room.as_fd())
    }

    fn is_busy(&mut self) -> bool {
        self.shared.room.arm();
        self.is_closed() || self.shared.waits_for_room.load(Relaxed) && self.is_ready()
    }

    fn ready(&mut self, _context: &mut Context<'_>) {
        self.shared.room.disarm(true);
    }

    fn deliver(&mut self, context: &mut Context<'_>) {
        if self.is_closed() {
            context.ended_by.get_or_insert("the closed output");
        }
        self.remind(context);
        self.write_lines(context);
        self.count(context);
    }

    /// Writes the remaining lines while the reader makes progress, then the last lines, for which
    /// room is reserved.
    fn finish(mut self: Box<Self>, context: &mut Context<'_>) {
        while !self.write_lines(context) {
            // Checked before waiting: there may be room by now.
            if !self.is_ready() && !self.wait_for_reader(context.signals) {
                break;
            }
            context.now = monotonic_now();
        }
        self.count(context);
        let missed = self.unreported(context.stream);
        let unread = |consumer| context.stream.unread(consumer);
        let left = self.consumer.map_or(0, unread) - missed
            + context.notices.waiting(&self.notices)
            // The line of which only the beginning is in the ring.
            + u64::from(!self.line.is_empty());
        let dropped = left + context.notices.overwritten(&self.notices);
        context.totals.output_dropped += left;
        if self.is_torn() {
            self.restart();
        }
        let last = [
            (missed > 0).then_some(Notice::Missed { events: missed, is_ending: true }),
            (dropped > 0).then_some(Notice::OutputDropped { lines: dropped }),
            Some(Notice::Totals(context.totals)),
        ];
        // A line that is partly in the ring stays incomplete. The next one begins on a new line.
        let mut is_torn = self.put_bytes > 0;
        for notice in last.iter().flatten() {
            if std::mem::take(&mut is_torn) {
                self.forget();
                let _ = self.line.write_char('\n');
                self.push(0);
            }
            self.begin(notice);
            self.push(0);
        }
        self.shared.finish.store(true, Release);
        self.unflushed = true;
        loop {
            if self.shared.has_ended.load(Acquire) || !self.wait_for_reader(context.signals) {
                break;
            }
        }
    }
}
