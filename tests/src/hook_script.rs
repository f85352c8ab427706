//! Hooks for the daemon under test.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::daemon::{Daemon, watching_all};
use crate::stand_in::StandIn;

/// A hook's script, and what it writes.
pub struct Script(TempDir);

impl Script {
    /// `$LOG` in the text is a file of its own.
    ///
    /// # Panics
    ///
    /// If no file can be written.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let script = Self(tempfile::tempdir().expect("a directory"));
        let log = script.log();
        fs::write(script.path(), format!("#!/bin/sh\nLOG={}\n{text}", log.display())).expect("a script");
        fs::set_permissions(script.path(), fs::Permissions::from_mode(0o755)).expect("its mode");
        script
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.0.path().join("hook")
    }

    /// What `$LOG` is.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.0.path().join("log")
    }

    /// The lines that it has written there.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let text = fs::read(self.log()).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
    }

    /// A daemon with that sysfs that runs it, not started yet.
    #[must_use]
    pub fn command(&self, sysfs: &Path, further: &str) -> Command {
        let mut command = watching_all(&format!("--json --ports 127 {further}"));
        command.arg("--sysfs").arg(sysfs).arg("--hook").arg(self.path());
        command.arg("--socket").arg(self.0.path().join("events"));
        command
    }

    /// The same, started.
    #[must_use]
    pub fn daemon(&self, sysfs: &Path, further: &str) -> Daemon {
        Daemon::start(self.command(sysfs, further))
    }

    /// Waits until it holds of the lines.
    ///
    /// # Panics
    ///
    /// If it does not in time.
    pub fn wait_until(&self, what: &str, holds: impl Fn(&[String]) -> bool) -> Vec<String> {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let lines = self.lines();
            if holds(&lines) {
                return lines;
            }
            assert!(Instant::now() < end, "waited in vain until {what}: {lines:#?}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A sysfs with a few devices, so that not each test runs a program for hundreds.
#[must_use]
pub fn few(count: usize) -> StandIn {
    let sysfs = StandIn::new();
    for number in 0..count {
        let name = format!("few{number}");
        sysfs.plug(
            &format!("class/net/{name}"),
            &format!("/devices/virtual/net/{name}"),
            &format!("INTERFACE={name}\nIFINDEX={}\n", 9_000 + number),
        );
    }
    sysfs
}
