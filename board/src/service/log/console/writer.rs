//! The thread that writes to the output.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::fence;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rtrb::Consumer;
use rtrb::chunks::ReadChunk;

use super::super::output::Output;
use super::ConsoleState;
use crate::report::{self, FixedText, Notice};

/// Precedes, in the ring, the first line to write after a failure. No line contains this byte,
/// because control characters are escaped.
pub(super) const RESTART: u8 = 0x18;

/// The longest line, in bytes, that reports the number of dropped lines.
const MAX_MARKER_BYTES: usize = 256;

/// The most bytes of one `write`: a third of a second on a serial line of 115,200 baud.
const CHUNK_BYTES: usize = 4 * 1024;

/// The thread's state.
pub(super) struct Writer {
    lines: Consumer<u8>,
    output: Output,
    marker: FixedText,
    watches_reader: bool,
    /// Dropped lines that the output does not report yet.
    unreported: u64,
    shared: Arc<ConsoleState>,
}

impl Writer {
    pub(super) fn new(lines: Consumer<u8>, output: Output, shared: Arc<ConsoleState>) -> Self {
        let marker = FixedText::new(MAX_MARKER_BYTES);
        Self { lines, output, marker, watches_reader: true, unreported: 0, shared }
    }

    pub(super) fn run(mut self) -> io::Result<()> {
        let result = self.write_until_finished();
        self.shared.closed.store(result.is_err(), Relaxed);
        self.shared.has_ended.store(true, Release);
        self.shared.room.ring();
        result
    }

    /// Writes until the engine requests the end. Returns an error only if the reader is gone.
    fn write_until_finished(&mut self) -> io::Result<()> {
        loop {
            // Loaded before the ring is checked, so that lines put before the end are written.
            let finish = self.shared.finish.load(Acquire);
            let any = if self.shared.torn.load(Relaxed) { self.drop_chunk()? } else { self.write_chunk()? };
            if any {
                // The flag saves the doorbell's system call unless the engine waits for room.
                fence(SeqCst);
                if self.shared.waits_for_room.load(Relaxed) {
                    self.shared.room.ring();
                }
            } else if finish {
                return Ok(());
            } else {
                self.sleep()?;
            }
        }
    }

    /// Writes some of the waiting bytes. Returns `false` if the ring is empty.
    fn write_chunk(&mut self) -> io::Result<bool> {
        let Some(chunk) = waiting(&mut self.lines, CHUNK_BYTES) else { return Ok(false) };
        let (bytes, _) = chunk.as_slices();
        // A restart may arrive after the output has recovered. It is skipped.
        let end = bytes.iter().position(|&byte| byte == RESTART).unwrap_or(bytes.len());
        let done = match bytes.get(..end).filter(|bytes| !bytes.is_empty()) {
            None => 1,
            Some(bytes) => match self.output.write(bytes) {
                Ok(done) => done,
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Err(error),
                Err(_) => {
                    // For example, the disk is full or the terminal was hung up.
                    self.output.give_up_line();
                    self.shared.torn.store(true, Release);
                    0
                }
            },
        };
        self.shared.written_bytes.fetch_add(done as u64, Relaxed);
        chunk.commit(done);
        Ok(true)
    }

    /// Drops waiting lines up to a restart. Returns `false` if the ring is empty.
    fn drop_chunk(&mut self) -> io::Result<bool> {
        let Some(chunk) = waiting(&mut self.lines, usize::MAX) else { return Ok(false) };
        let (bytes, _) = chunk.as_slices();
        let restart = bytes.iter().position(|&byte| byte == RESTART);
        let dropped = &bytes[..restart.unwrap_or(bytes.len())];
        let lines = dropped.split(|&byte| byte == b'\n').count() as u64 - 1;
        self.unreported += lines;
        self.shared.dropped.fetch_add(lines, Relaxed);
        let done = dropped.len() + usize::from(restart.is_some());
        chunk.commit(done);
        if restart.is_some() && self.write_marker()? {
            self.shared.torn.store(false, Release);
        }
        Ok(true)
    }

    /// Reports the number of dropped lines. Returns `false` if that fails too.
    fn write_marker(&mut self) -> io::Result<bool> {
        self.marker.clear();
        let notice = Notice::OutputDropped { lines: self.unreported };
        let _ = report::write(&mut self.marker, &notice, self.shared.style);
        match self.output.write_all(self.marker.as_bytes()) {
            Ok(()) => self.unreported = 0,
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Err(error),
            Err(_) => self.output.give_up_line(),
        }
        Ok(self.unreported == 0)
    }

    /// Sleeps until lines arrive or the reader is gone, which is detected without a write.
    ///
    /// # Errors
    ///
    /// Returns `BrokenPipe` if the reader is gone.
    fn sleep(&mut self) -> io::Result<()> {
        let Self { lines, output, shared, watches_reader, .. } = self;
        let may_sleep = || lines.is_empty() && !shared.finish.load(Acquire);
        let ended = shared.lines.wait(may_sleep, |may_sleep| {
            if !may_sleep {
                return Ok((false, None));
            }
            let bell = shared.lines.as_fd();
            // Without a reader to watch, the doorbell fills its place and the result is ignored.
            let watched = output.descriptor().filter(|_| *watches_reader).unwrap_or(bell);
            let mut fds = [PollFd::new(bell, PollFlags::POLLIN), PollFd::new(watched, PollFlags::empty())];
            let _ = poll(&mut fds, PollTimeout::NONE);
            Ok((fds[0].any() == Some(true), fds[1].revents()))
        })?;
        match ended {
            None => {}
            Some(shown) if shown.is_empty() => {}
            // The device returns under the same name only if no process holds it open.
            Some(_) if !output.ends_with_its_reader() => {
                output.let_go();
                shared.torn.store(true, Release);
            }
            // The writing end of a pipe reports this once all readers closed theirs.
            Some(PollFlags::POLLERR) => return Err(ErrorKind::BrokenPipe.into()),
            // A terminal would report the hang-up for ever.
            Some(_) => *watches_reader = false,
        }
        Ok(())
    }
}

/// Returns up to `limit` bytes of the ring, or `None` if it is empty.
fn waiting(lines: &mut Consumer<u8>, limit: usize) -> Option<ReadChunk<'_, u8>> {
    let bytes = lines.slots().min(limit);
    lines.read_chunk(bytes).ok().filter(|_| bytes > 0)
}
