//! A daemon that serves applications, on a path of its own.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::application::Application;
use crate::daemon::{Daemon, Output, watching_all};

/// A running daemon and where it listens.
pub struct Served {
    /// The daemon.
    pub daemon: Daemon,
    directory: TempDir,
}

/// A buffer that no storm of a test fills.
pub const LARGE: &str = "--ports 127 --max-stall-ms 60000 --port-device keyboard --json";

impl Served {
    /// Starts it for all subsystems with further arguments, and waits until it knows all devices.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(arguments: &str) -> Self {
        Self::start_with(|path| {
            let mut command = watching_all(arguments);
            command.arg("--socket").arg(path);
            command
        })
    }

    /// Starts what is made for the path of a socket, and waits until it knows all devices.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start_with(command: impl FnOnce(PathBuf) -> Command) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let daemon = Daemon::start(command(directory.path().join("events")));
        daemon.wait_until_scanned();
        Self { daemon, directory }
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("events")
    }

    /// Connects to it.
    ///
    /// # Panics
    ///
    /// If that is refused.
    #[must_use]
    pub fn connect(&self, request: &str) -> Application {
        Application::connect(&self.path(), request).expect("a daemon listens")
    }

    /// A figure of the daemon.
    ///
    /// # Panics
    ///
    /// If it has no such figure.
    #[must_use]
    pub fn figure(&self, key: &str) -> u64 {
        let answer = self.connect("STATUS").receive_all();
        answer.iter().find(|delivered| delivered.devpath == "/sureplug/daemon").expect("figures").number(key)
    }

    /// Ends it with `SIGTERM`.
    #[must_use]
    pub fn finish(self) -> Output {
        self.daemon.finish()
    }
}
