//! Records the kernel's datagrams as they arrive, into a file that other tools can read.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::poll::PollTimeout;
use nix::sys::signalfd::SignalFd;
use nix::unistd::write;
use sureplug_core::time::{Instant, micros};

use super::pcap::{FILE_HEADER_BYTES, file_header, packet_header};
use crate::doorbell::poll_out;
use crate::file::{self, Usable};
use crate::intake::{Intake, Observation, Observed, RECORDS_A_TURN};
use crate::sys::retry;
use crate::time::monotonic_now;

/// The most bytes written at a time. One more packet can be waiting.
const BUFFER_BYTES: usize = 60 * 1024;

/// How long the reader of a FIFO may stop reading after a signal.
const LAST_WAIT_MS: u16 = 1_000;

/// Why a recording ended.
#[derive(Debug)]
pub(crate) enum RecordingEnd {
    Signal,
    Full,
    Failed(io::Error),
}

/// A capture being written.
#[derive(Debug)]
pub(crate) struct Recording {
    file: File,
    /// Packets not written yet.
    waiting: Vec<u8>,
    /// The end of each of these packets.
    ends: Vec<usize>,
    /// Bytes of whole packets in the file.
    pub(crate) written: u64,
    max_bytes: u64,
    /// The time of boot in microseconds since 1970. Read once, so that intervals stay correct when
    /// the clock is set.
    boot_us: u64,
    /// Events in the file.
    pub(crate) events: u64,
    pub(crate) lost: u64,
    is_full: bool,
}

impl Recording {
    /// Creates the file, or opens an existing FIFO or device.
    pub(crate) fn begin(path: &Path, max_bytes: u64) -> io::Result<Self> {
        let options = &mut OpenOptions::new();
        let options = options.write(true).create(true).truncate(true);
        let mut file = file::open(path, options, 0, Usable::Stream)?;
        file.write_all(&file_header())?;
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            file,
            waiting: Vec::with_capacity(2 * BUFFER_BYTES),
            ends: Vec::new(),
            written: FILE_HEADER_BYTES as u64,
            max_bytes,
            boot_us: micros(since_1970).saturating_sub(monotonic_now().as_micros()),
            events: 0,
            lost: 0,
            is_full: false,
        })
    }

    /// Records until a signal arrives or the file has its maximum size.
    pub(crate) fn run(&mut self, mut intake: Intake, signals: &SignalFd) -> io::Result<RecordingEnd> {
        let mut is_ending = false;
        loop {
            let taken = intake.take(RECORDS_A_TURN, |record| self.take(record));
            if self.is_full || self.waiting.len() >= BUFFER_BYTES || taken == 0 {
                if let Err(error) = self.flush(signals, is_ending) {
                    return Ok(RecordingEnd::Failed(error));
                }
            }
            if self.is_full {
                return Ok(RecordingEnd::Full);
            }
            if intake.has_ended() && intake.is_empty() {
                intake.join()?;
                return Ok(RecordingEnd::Signal);
            }
            // Waiting packets are written in the next turn, before sleeping.
            let timeout = if self.waiting.is_empty() { PollTimeout::NONE } else { PollTimeout::ZERO };
            if intake.wait_or(Some(signals.as_fd()), timeout)? && !is_ending {
                // Queued events still belong to the recording.
                signals.read_signal()?;
                is_ending = true;
                intake.request_stop();
            }
        }
    }

    fn take(&mut self, record: Observation<'_>) {
        match record.what {
            Observed::Event(datagram) => self.event(record.at, datagram),
            Observed::Overrun { dropped, .. } => self.lost += u64::from(dropped),
            Observed::Truncated => self.lost += 1,
            Observed::Foreign(_) => {}
        }
    }

    fn event(&mut self, at: Instant, datagram: &[u8]) {
        let header =
            packet_header(self.boot_us + at.as_micros(), u16::try_from(datagram.len()).unwrap_or(u16::MAX));
        let bytes = header.len() + datagram.len();
        self.is_full |= self.written + (self.waiting.len() + bytes) as u64 > self.max_bytes;
        if !self.is_full {
            self.waiting.extend_from_slice(&header);
            self.waiting.extend_from_slice(datagram);
            self.ends.push(self.waiting.len());
        }
    }

    /// Writes the waiting packets. After an error the file ends with its last whole packet.
    fn flush(&mut self, signals: &SignalFd, is_ending: bool) -> io::Result<()> {
        let mut done = 0;
        let mut result = Ok(());
        while done < self.waiting.len() {
            match retry(|| write(&self.file, &self.waiting[done..])) {
                Ok(0) => result = Err(ErrorKind::WriteZero.into()),
                Ok(bytes) => done += bytes,
                Err(Errno::EAGAIN) => result = self.wait_for_reader(signals, is_ending),
                Err(errno) => result = Err(errno.into()),
            }
            if result.is_err() {
                break;
            }
        }
        self.ends.retain(|end| *end <= done);
        self.events += self.ends.len() as u64;
        self.written += self.ends.last().map_or(0, |end| *end as u64);
        self.ends.clear();
        self.waiting.clear();
        if result.is_err() {
            // Only a regular file can be truncated.
            let _ = self.file.set_len(self.written);
        }
        result
    }

    /// Waits for the reader of a FIFO until a signal arrives, and then for one more second.
    fn wait_for_reader(&self, signals: &SignalFd, is_ending: bool) -> io::Result<()> {
        let file = self.file.as_fd();
        let takes = !is_ending && poll_out(file, Some(signals.as_fd()), PollTimeout::NONE)?
            || poll_out(file, None, LAST_WAIT_MS.into())?;
        if takes { Ok(()) } else { Err(io::Error::other("its reader takes no more")) }
    }
}
