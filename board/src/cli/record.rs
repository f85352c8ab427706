//! `sureplug record`: the kernel's datagrams as they come, into a file that other tools read too.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::diag::pcap::{FILE_HEADER_BYTES, PACKET_HEADER_BYTES, file_header, packet_header};
use nix::poll::PollTimeout;
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use sureplug_core::time::{Instant, micros};

use super::options::Options;
use super::output::complain;
use super::{Exit, Prepared, prepare};
use crate::intake::{Intake, Observation, Observed};
use crate::signals;
use crate::socket::Shortfall;
use crate::time::monotonic_now;

/// Bytes that are written at a time at most; a packet more can be waiting.
const BUFFER_BYTES: usize = 60 * 1024;

/// Records that are taken before the signals are looked at again.
const RECORDS_A_TURN: usize = 256;

/// Records until a signal comes, or the file is as large as it may be.
pub(super) fn record(options: &Options) -> Exit {
    let Prepared { socket, sizing, .. } = match prepare(&options.board) {
        Ok(prepared) => prepared,
        Err(exit) => return exit,
    };
    let path = options.file.as_path();
    let result = take_signals().and_then(|signals| {
        let socket = socket.bind(sizing.rcvbuf).map_err(io::Error::other)?;
        if let Some(shortfall) = Shortfall::of(socket.effective(), sizing.rcvbuf) {
            complain(&format_args!("warning: {shortfall}; events can be lost"));
        }
        let failed =
            |error: &dyn Display| io::Error::other(format!("cannot write {}: {error}", path.display()));
        let mut recording =
            Recording::begin(path, options.max_bytes.into()).map_err(|error| failed(&error))?;
        let end = recording.run(Intake::start(socket)?, &signals)?;
        let Recording { events, lost, written, .. } = recording;
        complain(&format_args!("recorded {events} events in {written} bytes; {lost} lost"));
        match end {
            End::Failed(error) => Err(failed(&format_args!("{error}; what it has up to there is whole"))),
            End::Full => {
                complain(&format_args!("ended by --max-bytes {}", options.max_bytes));
                Ok(lost)
            }
            End::Signal => Ok(lost),
        }
    });
    match result {
        Ok(0) => Exit::Fine,
        Ok(_) => Exit::Finding,
        Err(error) => {
            complain(&error);
            Exit::Refused
        }
    }
}

/// Blocks the signals that end it, and that of a file that may not grow any more.
fn take_signals() -> io::Result<SignalFd> {
    signals::block(&[Signal::SIGXFSZ])?;
    signals::take(&[Signal::SIGTERM, Signal::SIGINT])
}

enum End {
    Signal,
    Full,
    Failed(io::Error),
}

struct Recording {
    file: File,
    /// Packets that are not written yet.
    waiting: Vec<u8>,
    /// Bytes of the file: whole packets.
    written: u64,
    max_bytes: u64,
    /// The microseconds from 1970 to the machine's boot. Once: a clock that is set meanwhile leaves the intervals true.
    boot_us: u64,
    events: u64,
    lost: u64,
    is_full: bool,
}

impl Recording {
    fn begin(path: &Path, max_bytes: u64) -> io::Result<Self> {
        let mut file = File::create(path)?;
        file.write_all(&file_header())?;
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            file,
            waiting: Vec::with_capacity(2 * BUFFER_BYTES),
            written: FILE_HEADER_BYTES as u64,
            max_bytes,
            boot_us: micros(since_1970).saturating_sub(monotonic_now().as_micros()),
            events: 0,
            lost: 0,
            is_full: false,
        })
    }

    fn run(&mut self, mut intake: Intake, signals: &SignalFd) -> io::Result<End> {
        let mut end = None;
        loop {
            let taken = intake.take(RECORDS_A_TURN, |record| self.take(record));
            if self.is_full || self.waiting.len() >= BUFFER_BYTES || taken == 0 {
                if let Err(error) = self.flush() {
                    return Ok(End::Failed(error));
                }
            }
            if self.is_full {
                return Ok(End::Full);
            }
            if intake.has_ended() && intake.is_empty() {
                intake.join()?;
                return Ok(end.unwrap_or(End::Signal));
            }
            if intake.wait_or(Some(signals.as_fd()), PollTimeout::NONE)? && end.is_none() {
                // What is queued belongs to it.
                signals.read_signal()?;
                end = Some(End::Signal);
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
            self.events += 1;
        }
    }

    /// Writes what waits. After an error the file ends with the last packet that it has whole.
    fn flush(&mut self) -> io::Result<()> {
        let mut done = 0;
        let mut result = Ok(());
        while done < self.waiting.len() {
            match self.file.write(&self.waiting[done..]) {
                Ok(0) => result = Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => done += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => result = Err(error),
            }
            if result.is_err() {
                break;
            }
        }
        let whole = self.forget(done);
        self.written += whole as u64;
        if result.is_err() {
            // Where that is no regular file, nothing can be taken back.
            let _ = self.file.set_len(self.written);
        }
        result
    }

    /// Bytes of the packets that are written whole; those that are not are no events of the file.
    fn forget(&mut self, written: usize) -> usize {
        let (mut seen, mut whole) = (0, 0);
        let mut rest = &self.waiting[..];
        while let Some(header) = rest.first_chunk::<PACKET_HEADER_BYTES>() {
            let captured = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
            let length = PACKET_HEADER_BYTES + captured as usize;
            if seen + length <= written {
                whole += length;
            } else {
                self.events -= 1;
            }
            seen += length;
            rest = rest.get(length..).unwrap_or_default();
        }
        self.waiting.clear();
        whole
    }
}
