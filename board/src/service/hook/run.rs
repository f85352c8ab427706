//! A run of the program: start, output and end.

use std::ffi::{CStr, CString};
use std::mem;
use std::os::fd::OwnedFd;
use std::process::ExitStatus;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, pipe2, read};
use sureplug_core::limits::MAX_SUBSYSTEM_BYTES;
use sureplug_core::stream::DeviceEvent;
use sureplug_core::time::Instant;

use super::environment::{MAX_ENVIRONMENT_BYTES, environment};
use crate::engine::Context;
use crate::report::{HookRun, RunEnd};
use crate::sys::{self, STACK_BYTES, retry};
use crate::time::monotonic_now;

/// Bytes of one read of a run's output.
const READ_BYTES: usize = 1_024;

/// The capacity of a pipe in bytes (pipe(7)).
const PIPE_BYTES: usize = 64 * 1024;

/// Reads of a run's output in one turn, before the engine continues with other work.
const READS_A_TURN: usize = 16;

/// The program, and the data that all its runs share.
#[derive(Debug)]
pub(super) struct Program {
    path: CString,
    timeout: Duration,
    /// Polls for the end of children and for the output of runs.
    pub(super) epoll: Epoll,
    null: OwnedFd,
    /// Memory for starting a run, as is `stack`.
    environment: Box<[u8; MAX_ENVIRONMENT_BYTES]>,
    stack: Box<[u8; STACK_BYTES]>,
    /// Runs that ended without a report.
    unreported: u64,
}

/// A place for one run at a time.
#[derive(Debug)]
pub(super) struct Slot {
    run: Option<Run>,
    /// The report of the current run, or of the next one.
    report: HookRun,
}

/// A run in progress.
#[derive(Debug)]
struct Run {
    pid: Pid,
    /// The pipe of its output. Each run has its own, so that processes it left behind cannot write
    /// to the next run's report.
    output: OwnedFd,
    until: Instant,
    has_timed_out: bool,
    /// How it ended, if known.
    status: Option<ExitStatus>,
}

impl Program {
    pub(super) fn new(path: CString, timeout: Duration) -> nix::Result<Self> {
        Ok(Self {
            path,
            timeout,
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            null: open(c"/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?,
            environment: Box::new([0; MAX_ENVIRONMENT_BYTES]),
            stack: Box::new([0; STACK_BYTES]),
            unreported: 0,
        })
    }

    /// Returns a pipe whose reading end is polled and does not block.
    fn output_pipe(&self) -> nix::Result<(OwnedFd, OwnedFd)> {
        let (output, writer) = pipe2(OFlag::O_CLOEXEC)?;
        fcntl(&output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        self.epoll.add(&output, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        Ok((output, writer))
    }
}

impl Slot {
    pub(super) fn new() -> Self {
        Self { run: None, report: HookRun::new() }
    }

    pub(super) const fn is_free(&self) -> bool {
        self.run.is_none()
    }

    /// Returns the time at which the run exceeds the timeout.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.run.as_ref().filter(|run| !run.has_timed_out).map(|run| run.until)
    }

    /// Starts run `number` of the program for an event, after `missed` events were missed.
    pub(super) fn start(
        &mut self,
        program: &mut Program,
        entry: &DeviceEvent<'_>,
        number: u64,
        missed: u64,
    ) -> nix::Result<()> {
        self.report.begin(entry.uevent.datagram());
        let mut argument = [0; MAX_SUBSYSTEM_BYTES + 1];
        let name = entry.uevent.subsystem().unwrap_or_default();
        let length = name.len().min(MAX_SUBSYSTEM_BYTES);
        argument[..length].copy_from_slice(&name[..length]);
        let argument = CStr::from_bytes_until_nul(&argument).unwrap_or_default();
        let (output, writer) = program.output_pipe()?;
        let Program { path, null, environment: buffer, stack, .. } = program;
        let variables = environment(buffer, entry, number, missed);
        let pid = sys::spawn(path, argument, variables, null, &writer, stack)?;
        let until = monotonic_now().after(program.timeout);
        self.run = Some(Run { pid, output, until, has_timed_out: false, status: None });
        Ok(())
    }

    /// Records the exit status of a process if it is this run.
    pub(super) fn note_end(&mut self, pid: Pid, status: ExitStatus) {
        if let Some(run) = self.run.as_mut().filter(|run| run.pid == pid) {
            run.status = Some(status);
        }
    }

    /// Reads the run's output, reports its end, and kills a run that exceeds the timeout.
    pub(super) fn check(&mut self, program: &mut Program, context: &mut Context<'_>) {
        self.take_output(&program.epoll);
        let Some(run) = &mut self.run else { return };
        let end = match run.status.or_else(|| sys::ended(run.pid)) {
            Some(_) if run.has_timed_out => RunEnd::TimedOut(program.timeout),
            Some(status) => RunEnd::Ended(status),
            None => {
                if run.until <= context.now && !run.has_timed_out {
                    run.has_timed_out = true;
                    // Kills the process group, which the program leads. Processes that left the
                    // group remain.
                    let _ = killpg(run.pid, Signal::SIGKILL);
                    let _ = kill(run.pid, Signal::SIGKILL);
                }
                return;
            }
        };
        // At most a full pipe. Later output of processes left behind is discarded.
        (0..PIPE_BYTES / (READS_A_TURN * READ_BYTES)).for_each(|_| self.take_output(&program.epoll));
        self.run = None;
        self.report(end, program, context);
    }

    /// Reports the end of a run, unless it succeeded without output.
    pub(super) fn report(&mut self, end: RunEnd, program: &mut Program, context: &mut Context<'_>) {
        if end == RunEnd::Ended(ExitStatus::default()) && self.report.output.is_empty() {
            return;
        }
        if context.notices.run.is_some() {
            program.unreported += 1;
            return;
        }
        let mut report = mem::replace(&mut self.report, HookRun::new());
        (report.at, report.end) = (context.now, end);
        report.dropped_reports = mem::take(&mut program.unreported);
        context.notices.run = Some(report);
    }

    /// Reads some of the run's output, so that the program does not block on a full pipe.
    fn take_output(&mut self, epoll: &Epoll) {
        let Some(run) = &self.run else { return };
        let mut buffer = [0; READ_BYTES];
        for _ in 0..READS_A_TURN {
            match retry(|| read(&run.output, &mut buffer)) {
                Ok(0) => {
                    // All writers closed the pipe, which would stay readable for ever.
                    let _ = epoll.delete(&run.output);
                    return;
                }
                Ok(length) => self.report.write(&buffer[..length]),
                Err(_) => return,
            }
        }
    }
}
