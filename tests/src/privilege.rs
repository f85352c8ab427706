//! Tests that need more than a usual user may do, or the machine for themselves.

use std::env;
use std::fs::File;
use std::io::{self, Write};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::Uid;

/// A test's turn to raise uevents, until it goes out of scope.
pub type Turn = Flock<File>;

/// Waits for this test's turn to raise uevents: all programs see the events of all, and a storm of one
/// must not be in the way of another. `None` without the privilege to raise any.
///
/// # Panics
///
/// Under `CI=true` without privileges.
#[must_use]
pub fn turn_to_raise(test: &str) -> Option<Turn> {
    if !Uid::effective().is_root() {
        not_run(test, "it needs root, to make the kernel raise uevents");
        return None;
    }
    // The lock works across processes, and ends with its holder.
    let file = File::open("/sys/class/mem/null/uevent").expect("what is written to raise events");
    Some(Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno).expect("a lock"))
}

/// Reports loudly that a test does not run here, and why.
///
/// # Panics
///
/// Panics under `CI=true`, where every test must run.
pub fn not_run(test: &str, why: &str) {
    // Not by `eprintln`, which the test harness keeps to itself when a test passes.
    let _ = writeln!(io::stderr(), "NOT RUN: {test}: {why}");
    assert_ne!(env::var("CI").as_deref(), Ok("true"), "{test} must run here, but {why}");
}
