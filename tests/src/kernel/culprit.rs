use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// The application that this project exists for, compiled from `culprit/culprit.c` and running. It is killed when it
/// goes out of scope.
pub struct Culprit {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// Of the program; removed after the process has ended.
    _directory: TempDir,
}

impl Culprit {
    /// Its name, as `ps` shows it.
    pub const COMMAND: &str = "culprit";

    /// Starts it in this thread's network namespace; it listens then.
    ///
    /// # Panics
    ///
    /// If there is no C compiler, or if it cannot listen.
    #[must_use]
    pub fn start() -> Self {
        let directory = compile();
        let program = directory.path().join(Self::COMMAND);
        let mut child = Command::new(program).stdout(Stdio::piped()).spawn().expect("the culprit starts");
        let stdout = child.stdout.take().expect("a pipe");
        let mut culprit = Self { child, stdout: BufReader::new(stdout), _directory: directory };
        assert_eq!(culprit.line(), "listening");
        culprit
    }

    /// Its process id, and its port.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns its next line: the header of an event, or `recv: errno 105`.
    ///
    /// # Panics
    ///
    /// Panics if it has ended.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.stdout.read_line(&mut line).expect("a line") > 0, "the culprit has ended");
        line.trim_end().to_owned()
    }

    /// Stops it, as if it had something else to do.
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).expect("a process id"));
        kill(pid, signal).expect("it is running");
    }
}

impl Drop for Culprit {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Compiles the program into a temporary directory. A static would never be dropped, and would
/// leave the directory.
fn compile() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/culprit/culprit.c");
    let program = directory.path().join(Culprit::COMMAND);
    let built = Command::new("cc").args(["-Wall", "-Werror", "-O2", "-o"]).arg(program).arg(source).status();
    assert!(built.expect("a C compiler").success(), "{source} does not compile");
    directory
}
