//! A program that is run for each event, one at a time, as the kernel's old hotplug helper was.
//!
//! It is a consumer like any other: one that is slow falls behind, and gets the delta, lost removals included.
//! Nothing waits for it, and nothing is allocated to start it.

mod environment;
mod names;

use std::ffi::{CStr, CString, NulError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::Mode;
use nix::unistd::{AccessFlags, Pid, access, pipe2, read};
use sureplug_core::limits::MAX_SUBSYSTEM_BYTES;
use sureplug_core::selection::Selection;
use sureplug_core::stream::{ConsumerId, Delivery, DeviceEvent, Lag};
use sureplug_core::uevent::Uevent;

pub use environment::{MAX_ENVIRONMENT_BYTES, environment};
pub use names::is_allowed;

use crate::engine::capacity::BoardStream;
use crate::engine::{Context, Service};
use crate::report::{HookRun, Notice, RunEnd};
use crate::sys::{self, STACK_BYTES, retry};
use crate::time::monotonic_now;
use sureplug_core::time::Instant;

/// Milliseconds that a run may take if nobody says otherwise.
pub const DEFAULT_TIMEOUT_MS: u32 = 10_000;

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
    /// None before it joined the stream.
    consumer: Option<ConsumerId>,
    run: Option<Run>,
    wants: Wants,
    /// Events that it missed and the program does not know of yet.
    unpassed: u64,
    /// Polls the children's end, and what the run writes.
    epoll: Epoll,
    children: SignalFd,
    null: OwnedFd,
    /// The report of the run that goes on, or of the next one.
    report: HookRun,
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

/// Reads of a run's output before the engine goes on with something else.
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
    pub fn open(program: &Path, timeout_ms: u32, wants: Wants) -> io::Result<Self> {
        // It is started in `/`.
        let program = std::path::absolute(program)?;
        access(&program, AccessFlags::X_OK)?;
        if !program.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        sys::enable_child_signals()?;
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
            wants,
            unpassed: 0,
            epoll,
            children,
            null: open(c"/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?,
            report: HookRun::new(),
            memory: Box::new(Memory { environment: [0; MAX_ENVIRONMENT_BYTES], stack: [0; STACK_BYTES] }),
        })
    }

    /// Runs the program for an event.
    fn start(&mut self, entry: &DeviceEvent<'_>, runs: u64) -> nix::Result<Run> {
        let mut argument = [0; MAX_SUBSYSTEM_BYTES + 1];
        let name = entry.uevent.subsystem().unwrap_or_default();
        let length = name.len().min(MAX_SUBSYSTEM_BYTES);
        argument[..length].copy_from_slice(&name[..length]);
        let argument = CStr::from_bytes_until_nul(&argument).unwrap_or_default();
        let Memory { environment: buffer, stack } = &mut *self.memory;
        let variables = environment(buffer, entry, runs, self.unpassed);
        let (output, writer) = output_pipe(&self.epoll)?;
        let pid = sys::spawn(&self.program, argument, variables, &self.null, &writer, stack)?;
        self.unpassed = 0;
        Ok(Run { pid, output, until: monotonic_now().after(self.timeout), has_timed_out: false })
    }

    /// Reports how a run ended, unless it ended well and wrote nothing.
    fn report(&mut self, end: RunEnd, context: &mut Context<'_>) {
        if end == RunEnd::Ended(ExitStatus::default()) && self.report.output.is_empty() {
            return;
        }
        if context.notices.run.is_some() {
            self.report.dropped_reports += 1;
            return;
        }
        (self.report.at, self.report.end) = (context.now, end);
        context.notices.run = Some(std::mem::replace(&mut self.report, HookRun::new()));
    }

    /// Takes some of what the program has written, so that it does not wait for that.
    fn take_output(&mut self) {
        let Some(run) = &self.run else { return };
        let mut buffer = [0; READ_BYTES];
        for _ in 0..READS_A_TURN {
            match retry(|| read(&run.output, &mut buffer)) {
                Ok(0) => {
                    // All have closed it: that would be something to read for ever.
                    let _ = self.epoll.delete(&run.output);
                    return;
                }
                Ok(length) => self.report.write(&buffer[..length]),
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

impl Service for Hook {
    fn join(&mut self, stream: &mut BoardStream) {
        self.consumer = stream.join(self.wants.selection.clone(), Lag::Hold);
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.epoll.0.as_fd())
    }

    fn deadline(&self) -> Option<Instant> {
        self.run.as_ref().filter(|run| !run.has_timed_out).map(|run| run.until)
    }

    fn runs_programs(&self) -> bool {
        true
    }

    /// Notes a run that has ended, takes what it writes, and ends one that takes too long.
    fn ready(&mut self, context: &mut Context<'_>) {
        self.take_output();
        while let Ok(Some(_)) = self.children.read_signal() {}
        let mut ended = None;
        // Also what earlier runs have left behind, if this process is PID 1.
        while let Some((pid, how)) = sys::reap() {
            if self.run.as_ref().is_some_and(|run| run.pid == pid) {
                ended = Some(how);
            }
        }
        let Some(run) = &mut self.run else { return };
        let end = match ended.or_else(|| sys::ended(run.pid)) {
            Some(_) if run.has_timed_out => RunEnd::TimedOut(self.timeout),
            Some(status) => RunEnd::Ended(status),
            None => {
                if run.until <= context.now && !run.has_timed_out {
                    run.has_timed_out = true;
                    // Its own group, of which it is the first: what it has started goes with it. It may have left that.
                    let _ = killpg(run.pid, Signal::SIGKILL);
                    let _ = kill(run.pid, Signal::SIGKILL);
                }
                return;
            }
        };
        // As much as a pipe holds; what is written from here on is lost.
        (0..PIPE_BYTES / (READS_A_TURN * READ_BYTES)).for_each(|_| self.take_output());
        self.run = None;
        self.report(end, context);
    }

    /// Runs the program for the next event if it does not run already.
    fn deliver(&mut self, context: &mut Context<'_>) {
        let Some(consumer) = self.consumer else { return };
        while self.run.is_none() {
            match context.stream.next(consumer, context.now, context.packet) {
                None => break,
                Some(Delivery::Missed { steps }) => {
                    context.totals.hook_missed += steps;
                    self.unpassed += steps;
                    context.note(Notice::HookMissed { at: context.now, events: steps });
                }
                Some(Delivery::SnapshotEnd | Delivery::Reset) => {}
                Some(Delivery::Event(entry)) if !self.wants.admit(&entry.uevent) => {
                    context.has_delivered = true;
                }
                Some(Delivery::Event(entry)) => {
                    context.has_delivered = true;
                    context.totals.hook_runs += 1;
                    self.report.begin(entry.uevent.datagram());
                    match self.start(&entry, context.totals.hook_runs) {
                        Ok(run) => self.run = Some(run),
                        Err(errno) => self.report(RunEnd::NotStarted(errno), context),
                    }
                }
            }
        }
    }
}
