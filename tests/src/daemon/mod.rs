//! The daemon as its user sees it: a program that starts, prints lines and ends.

mod binary;
mod capture;
mod events;
mod proc;

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::Value;

pub use binary::{
    PROFILE_VARIABLES, build, build_example, cargo, root, sureplug, unprivileged, unprivileged_program,
    watching_all,
};
use capture::capture;
pub use events::{marked, now_us, raise_number, stamp};
pub use proc::{Memory, Queue, memory};

use crate::transcript::Transcript;

/// How long a test waits for what must come.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// How often a test looks at what cannot be waited for.
const LOOK: Duration = Duration::from_millis(5);

/// A running daemon. It is killed when it goes out of scope.
pub struct Daemon {
    child: Child,
    stdout: Arc<Transcript>,
    stderr: Arc<Transcript>,
}

/// How a daemon ended, and its output.
#[derive(Debug)]
pub struct Output {
    /// The exit code; `None` if a signal killed it.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// Lines of standard output, if that was captured.
    pub stdout: Vec<String>,
    /// Lines of standard error.
    pub stderr: Vec<String>,
}

impl Daemon {
    /// Starts it with its standard output captured.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start(command: Command) -> Self {
        Self::start_into(command, Stdio::piped())
    }

    /// Starts it with another standard output, which is not captured.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start_into(mut command: Command, stdout: impl Into<Stdio>) -> Self {
        let command = command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the daemon starts");
        let stderr = child.stderr.take().expect("a pipe");
        let stdout = child.stdout.take().map_or_else(|| capture(std::io::empty()), capture);
        Self { child, stdout, stderr: capture(stderr) }
    }

    /// Begins to read what it was started with as standard output, from the other end.
    pub fn read_from(&mut self, pipe: impl Read + Send + 'static) {
        self.stdout = capture(pipe);
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The first line for which it holds; all before it are looked at as well, each once.
    ///
    /// # Panics
    ///
    /// If the line does not come.
    pub fn wait_for_line(&self, holds: impl FnMut(&str) -> bool) -> String {
        self.wait_for_line_from(0, holds).1
    }

    /// Waits for such a line from a line number on, and returns its number too.
    ///
    /// # Panics
    ///
    /// Panics if the line does not come.
    pub fn wait_for_line_from(&self, start: usize, holds: impl FnMut(&str) -> bool) -> (usize, String) {
        self.stdout.wait_for(start, DEADLINE, holds).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Waits until it holds of the running daemon.
    ///
    /// # Panics
    ///
    /// If the daemon ends first, or if that takes too long.
    pub fn wait_until(&mut self, what: &str, mut holds: impl FnMut(u32) -> bool) {
        let end = Instant::now() + DEADLINE;
        while !holds(self.pid()) {
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "it ended ({ended:?}): {:?}", self.stderr.take_all(DEADLINE));
            assert!(Instant::now() < end, "waited in vain until {what}");
            thread::sleep(LOOK);
        }
    }

    /// Waits until it reads the socket: its last thread is running.
    pub fn wait_until_it_reads(&mut self) {
        self.wait_until("it reads the socket", |pid| proc::thread(pid, "intake").is_some());
    }

    /// Waits until its first scan has ended.
    pub fn wait_until_scanned(&self) {
        self.wait_for_line(|line| line.contains("] scanned: ") || line.contains(r#"{"kind":"scanned","#));
    }

    /// Waits until nothing is queued in its socket, and returns the socket's figures.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub fn wait_until_drained(&mut self) -> Queue {
        let mut queue = None;
        self.wait_until("its socket is drained", |pid| {
            queue = proc::queue(pid);
            queue.is_some_and(|queue| queue.bytes == 0)
        });
        queue.expect("it was seen")
    }

    /// The figures of its socket; `None` if it has none that is bound.
    #[must_use]
    pub fn queue(&self) -> Option<Queue> {
        proc::queue(self.pid())
    }

    /// How often its threads have been switched to and from so far.
    #[must_use]
    pub fn context_switches(&self) -> u64 {
        proc::context_switches(self.pid())
    }

    /// Waits until the thread of that name sleeps, and has used no processor time for a while.
    pub fn wait_until_asleep(&mut self, thread: &str) {
        let mut before = None;
        self.wait_until("the thread sleeps", |pid| {
            let at = Instant::now();
            let now = proc::thread(pid, thread).filter(|now| now.sleeps);
            match (before, now) {
                (Some((since, ticks)), Some(now)) if ticks == now.ticks => {
                    at.duration_since(since) > 50 * LOOK
                }
                _ => {
                    before = now.map(|now| (at, now.ticks));
                    false
                }
            }
        });
    }

    /// Sends it a signal.
    ///
    /// # Panics
    ///
    /// If it has ended already.
    pub fn signal(&self, signal: Signal) {
        kill(pid(&self.child), signal).expect("it is running");
    }

    /// Stops all of its threads, until it is sent `SIGCONT`.
    ///
    /// # Panics
    ///
    /// If it has ended already.
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
        // Reported when the last thread has stopped: until then any of them may still read.
        let stopped = waitpid(pid(&self.child), Some(WaitPidFlag::WUNTRACED));
        assert_eq!(stopped, Ok(WaitStatus::Stopped(pid(&self.child), Signal::SIGSTOP)));
    }

    /// Sends it `SIGTERM`, if it has not ended already.
    pub fn end(&self) {
        let _ = kill(pid(&self.child), Signal::SIGTERM);
    }

    /// Ends it with `SIGTERM`.
    #[must_use]
    pub fn finish(self) -> Output {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// If it does not end.
    #[must_use]
    pub fn wait(mut self) -> Output {
        let end = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(Instant::now() < end, "it does not end");
            thread::sleep(LOOK);
        };
        Output {
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout.take_all(DEADLINE),
            stderr: self.stderr.take_all(DEADLINE),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only if it was waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process id"))
}

/// Runs a command that ends by itself.
///
/// # Panics
///
/// If it does not.
#[must_use]
pub fn run(command: Command) -> Output {
    Daemon::start(command).wait()
}

impl Output {
    /// It ended well and did not complain.
    ///
    /// # Panics
    ///
    /// If not.
    pub fn assert_fine(&self) {
        assert!(self.code == Some(0) && self.stderr.is_empty(), "{self:#?}");
    }

    /// Returns its only line as a JSON object.
    ///
    /// # Panics
    ///
    /// Panics if it is not one line with an object.
    #[must_use]
    pub fn object(&self) -> Value {
        assert_eq!(self.stdout.len(), 1, "{self:#?}");
        json(&self.stdout[0])
    }

    /// Its lines as JSON objects of that kind.
    #[must_use]
    pub fn objects(&self, kind: &str) -> Vec<Value> {
        let objects = self.stdout.iter().map(|line| json(line));
        objects.filter(|object| object["kind"] == kind).collect()
    }
}

/// Parses a line as a JSON object.
///
/// # Panics
///
/// Panics if it is not an object.
#[must_use]
pub fn json(line: &str) -> Value {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert!(value.is_object(), "{line}");
    value
}

/// A number of a JSON object.
///
/// # Panics
///
/// If it has no such number.
#[must_use]
pub fn number(object: &Value, key: &str) -> u64 {
    object[key].as_u64().unwrap_or_else(|| panic!("no number {key} in {object}"))
}
