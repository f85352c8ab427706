//! A program that is run for each event, one at a time, as the kernel's old hotplug helper was.
//!
//! It is a consumer like any other: one that is slow falls behind, and gets the difference, lost removals included.
//! Nothing waits for it, and nothing is allocated to start it.

mod environment;
mod names;
mod report;

use std::ffi::{CString, NulError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::Mode;
use nix::unistd::{AccessFlags, Pid, access, pipe2, read};
use sureplug_core::selection::Selection;
use sureplug_core::stream::{ConsumerId, Delivery, DeliveryBuffer, Lag};
use sureplug_core::time::Instant;
use sureplug_core::uevent::Uevent;

use crate::engine::capacity::BoardStream;
use crate::sys::{self, Ended, STACK_BYTES};
use crate::time::monotonic_now;
pub use environment::{MAX_ENVIRONMENT_BYTES, environment, environment_after, is_allowed};
use report::Draft;
pub use report::{Ending, Report};

/// Milliseconds that a run may take if nobody says otherwise.
pub const DEFAULT_TIMEOUT_MS: u32 = 10_000;

/// Bytes of a subsystem's name at most that is handed over, with its NUL.
const ARGUMENT_BYTES: usize = 64;

/// Which events a program is run for.
#[derive(Clone, Debug)]
pub struct Wants {
    /// Those of these subsystems.
    pub selection: Selection,
    /// And only those with this property.
    pub property: Option<Box<[u8]>>,
}

impl Wants {
    /// All of them.
    pub const EVERYTHING: Self = Self { selection: Selection::ALL, property: None };

    fn admit(&self, uevent: &Uevent<'_>) -> bool {
        self.property.as_deref().is_none_or(|key| uevent.property(key).is_some())
    }
}

/// A program and its run.
#[derive(Debug)]
pub struct Hook {
    program: CString,
    timeout: Duration,
    /// What it reads the journal as; none before it was let in.
    consumer: Option<ConsumerId>,
    run: Option<Run>,
    /// Events that it was run for.
    runs: u64,
    wants: Wants,
    /// Events that it missed, before it was told the difference.
    missed: u64,
    /// Those of them that the program was not told of yet.
    unpassed: u64,
    /// Those of them that were not reported yet.
    unreported: u64,
    /// Polls the children's end, and what the run writes.
    epoll: Epoll,
    children: SignalFd,
    null: OwnedFd,
    draft: Box<Draft>,
    memory: Box<Memory>,
}

/// What is needed while a program is started.
#[derive(Debug)]
struct Memory {
    environment: [u8; MAX_ENVIRONMENT_BYTES],
    stack: [u8; STACK_BYTES],
}

/// Bytes of one read of a run's output.
const READ_BYTES: usize = 1_024;

/// Bytes that a pipe holds (pipe(7)).
const PIPE_BYTES: usize = 64 * 1024;

/// Reads of a run's output before the worker goes on with something else.
const READS_A_TURN: usize = 16;

/// A run that goes on.
#[derive(Debug)]
struct Run {
    pid: Pid,
    /// What it writes. A pipe of its own: what it leaves behind cannot write any more when it has ended.
    output: OwnedFd,
    until: Instant,
    has_timed_out: bool,
}

impl Hook {
    /// Prepares everything. Blocks `SIGCHLD` in this thread: this is for the time before there are others.
    ///
    /// # Errors
    ///
    /// What the system says of the program, if it cannot be run, or when no descriptor is left.
    pub fn open(program: &Path, timeout_ms: u32) -> io::Result<Self> {
        // It is started in `/`.
        let program = std::path::absolute(program)?;
        access(&program, AccessFlags::X_OK)?;
        if program.is_dir() {
            return Err(Errno::EISDIR.into());
        }
        sys::hear_of_children()?;
        let children = SigSet::from_iter([Signal::SIGCHLD]);
        children.thread_block()?;
        let children = SignalFd::with_flags(&children, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&children, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        Ok(Self {
            program: CString::new(program.as_os_str().as_bytes()).map_err(|_: NulError| Errno::EINVAL)?,
            timeout: Duration::from_millis(timeout_ms.into()),
            consumer: None,
            run: None,
            runs: 0,
            wants: Wants::EVERYTHING,
            missed: 0,
            unpassed: 0,
            unreported: 0,
            epoll,
            children,
            null: open(c"/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?,
            draft: Box::new(Draft::new()),
            memory: Box::new(Memory { environment: [0; MAX_ENVIRONMENT_BYTES], stack: [0; STACK_BYTES] }),
        })
    }

    /// Limits what it is run for, if it has not joined a stream yet.
    #[must_use]
    pub fn wanting(mut self, wants: Wants) -> Self {
        self.wants = wants;
        self
    }

    /// Lets it hear the stream, from what is present on.
    pub fn join(&mut self, stream: &mut BoardStream) {
        self.consumer = stream.join(self.wants.selection.clone(), Lag::Hold);
    }

    /// When something is due if nothing happens.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        self.run.as_ref().filter(|run| !run.has_timed_out).map(|run| run.until)
    }

    /// Events that it was run for, and those that it missed.
    #[must_use]
    pub const fn counts(&self) -> [u64; 2] {
        [self.runs, self.missed]
    }

    /// Takes the number of events that it missed and that were not reported yet.
    pub fn take_missed(&mut self) -> u64 {
        std::mem::take(&mut self.unreported)
    }

    /// What there is to say of runs that have ended; each is said once.
    pub fn take_report(&mut self) -> Option<Report<'_>> {
        self.draft.take()
    }

    /// Hears of a run that has ended, takes what it writes, and ends one that takes too long: to be called when there [is
    /// something to read](AsFd::as_fd), or when something [is due](Self::wake_at).
    pub fn listen(&mut self, now: Instant) {
        self.take_output();
        while let Ok(Some(_)) = self.children.read_signal() {}
        let Some(run) = &mut self.run else { return };
        let ending = match sys::ended(run.pid) {
            Some(Ended::Exited(code)) => Ending::Exited(code),
            Some(Ended::Killed(signal)) => Ending::Killed(signal),
            None => {
                if run.until <= now && !run.has_timed_out {
                    run.has_timed_out = true;
                    // Its own group, of which it is the first: what it has started goes with it. It may have left that.
                    let _ = killpg(run.pid, Signal::SIGKILL);
                    let _ = kill(run.pid, Signal::SIGKILL);
                }
                return;
            }
        };
        let ending = if run.has_timed_out { Ending::TimedOut(self.timeout) } else { ending };
        // As much as a pipe holds; what is written from here on is nobody's.
        (0..PIPE_BYTES / (READS_A_TURN * READ_BYTES)).for_each(|_| self.take_output());
        self.run = None;
        self.draft.finish(now, ending);
    }

    /// Runs the program for the next event if it does not run already; whether the stream has told anything.
    pub fn tell(&mut self, stream: &mut BoardStream, now: Instant, packet: &mut DeliveryBuffer) -> bool {
        let Some(consumer) = self.consumer else { return false };
        let mut has_told = false;
        while self.run.is_none() {
            match stream.next(consumer, now, packet) {
                None => break,
                Some(Delivery::Missed { steps }) => {
                    self.missed += steps;
                    self.unpassed += steps;
                    self.unreported += steps;
                }
                Some(Delivery::SnapshotEnd | Delivery::Reset) => {}
                Some(Delivery::Event(entry)) if !self.wants.admit(&entry.uevent) => has_told = true,
                Some(Delivery::Event(entry)) => {
                    has_told = true;
                    self.runs += 1;
                    let mut argument = [0; ARGUMENT_BYTES];
                    let name = entry.uevent.subsystem().unwrap_or_default();
                    let length = name.len().min(ARGUMENT_BYTES - 1);
                    argument[..length].copy_from_slice(&name[..length]);
                    let Memory { environment: buffer, stack } = &mut *self.memory;
                    let variables = environment_after(buffer, &entry, self.runs, self.unpassed);
                    self.draft.begin(&entry.uevent);
                    let argument = std::ffi::CStr::from_bytes_until_nul(&argument).unwrap_or_default();
                    let started = output_pipe(&self.epoll).and_then(|(output, writer)| {
                        let pid = sys::spawn(&self.program, argument, variables, &self.null, &writer, stack)?;
                        Ok((pid, output))
                    });
                    match started {
                        Ok((pid, output)) => {
                            self.unpassed = 0;
                            let until = monotonic_now().after(self.timeout);
                            self.run = Some(Run { pid, output, until, has_timed_out: false });
                        }
                        Err(errno) => self.draft.finish(now, Ending::NotStarted(errno)),
                    }
                }
            }
        }
        has_told
    }

    /// Takes some of what the program has written, so that it does not wait for that.
    fn take_output(&mut self) {
        let Some(run) = &self.run else { return };
        let mut buffer = [0; READ_BYTES];
        for _ in 0..READS_A_TURN {
            match read(&run.output, &mut buffer) {
                Ok(0) => {
                    // All have closed it: that would be something to read for ever.
                    let _ = self.epoll.delete(&run.output);
                    return;
                }
                Ok(length) => self.draft.write(&buffer[..length]),
                Err(Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }
}

/// A pipe whose reading end is polled, and does not block.
fn output_pipe(epoll: &Epoll) -> nix::Result<(OwnedFd, OwnedFd)> {
    let (output, writer) = pipe2(OFlag::O_CLOEXEC)?;
    fcntl(&output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    epoll.add(&output, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
    Ok((output, writer))
}

impl AsFd for Hook {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}
