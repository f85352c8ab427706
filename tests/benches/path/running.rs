use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, mem, thread};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use sureplug_tests::kernel::Injector;

use crate::BURSTS;
use crate::contestant::CONTESTANTS;

/// A contestant still busy this long after the last event never ends.
const DEADLINE: Duration = Duration::from_secs(20);

/// A contestant's process.
pub(crate) struct Running {
    child: Child,
    pid: Pid,
    said: BufReader<ChildStdout>,
    injector: Injector,
}

impl Running {
    pub(crate) fn start(contestant: usize) -> Self {
        let mut child = Command::new(env::current_exe().expect("the bench's own path"))
            .arg(CONTESTANTS[contestant])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a contestant");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
        let said = BufReader::new(child.stdout.take().expect("it was piped"));
        let mut running = Self { child, pid, said, injector: Injector::new() };
        assert_eq!(running.line(), "ready");
        running
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("the contestant's output");
        line.trim_end().to_owned()
    }

    /// The processor time that `feed` and its consequences make it take.
    pub(crate) fn spends(&self, feed: impl FnOnce(&Self)) -> Duration {
        let before = self.settled();
        feed(self);
        self.settled().saturating_sub(before)
    }

    /// Waits until it does nothing any more; returns the processor time that it has taken.
    fn settled(&self) -> Duration {
        let clock = clock_getcpuclockid(self.pid).expect("a running process has a clock");
        let taken = || Duration::from(clock.now().expect("its time"));
        let mut last = taken();
        let end = Instant::now() + DEADLINE;
        loop {
            assert!(Instant::now() < end, "the contestant is busy without an event");
            thread::sleep(Duration::from_millis(2));
            let now = taken();
            // On a busy machine it may only be waiting for its turn.
            if mem::replace(&mut last, now) == now && self.sleeps() {
                return now;
            }
        }
    }

    /// Returns `true` if all its threads sleep, by the state after the name in `proc_pid_stat(5)`.
    fn sleeps(&self) -> bool {
        fs::read_dir(format!("/proc/{}/task", self.pid)).expect("its threads").all(|thread| {
            let stat = fs::read_to_string(thread.expect("a thread").path().join("stat")).expect("its state");
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'))
        })
    }

    pub(crate) fn inject(&self, burst: &[Vec<u8>]) {
        for event in burst {
            self.injector.send(event);
        }
    }

    /// Each burst is queued while it is stopped, and taken before the next.
    pub(crate) fn take_stopped(&self, burst: &[Vec<u8>]) {
        for _ in 0..BURSTS {
            kill(self.pid, Signal::SIGSTOP).expect("the contestant stops");
            let stopped = waitpid(self.pid, Some(WaitPidFlag::WUNTRACED));
            assert_eq!(stopped, Ok(WaitStatus::Stopped(self.pid, Signal::SIGSTOP)));
            self.inject(burst);
            kill(self.pid, Signal::SIGCONT).expect("the contestant continues");
            self.settled();
        }
    }

    /// Ends it; returns how many events it received.
    pub(crate) fn end(&mut self) -> u32 {
        kill(self.pid, Signal::SIGTERM).expect("the contestant ends");
        let received = self.line().parse().expect("how many it received");
        assert!(self.child.wait().expect("an exit code").success());
        received
    }
}

impl Drop for Running {
    /// It must not outlive a bench that fails.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
