//! The running kernel as a test partner: uevents raised and injected, sockets of other programs, and a
//! network namespace for each test, so that none sees the events of another.

mod inject;
mod listener;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::Uid;
use sureplug_board::intake::{Intake, Record};

pub use inject::{Injector, without_seqnum};
pub use listener::{Listener, multicast};

/// How long a test waits for what must come.
const DEADLINE: Duration = Duration::from_secs(20);

/// Moves this thread, and those that it starts, into a network namespace of its own. Without the
/// privilege for that the test cannot run: it says so, and must not count as passed where everything has
/// to be tested.
///
/// # Panics
///
/// Under `CI=true` without privileges.
#[must_use]
pub fn own_network_namespace(test: &str) -> bool {
    if unshare(CloneFlags::CLONE_NEWNET).is_ok() {
        return true;
    }
    not_run(test, "it needs root, to raise uevents in a network namespace of its own")
}

/// Whether this is root, who can write to a device's `uevent` file; says it where not.
///
/// # Panics
///
/// Under `CI=true` without privileges.
#[must_use]
pub fn is_root(test: &str) -> bool {
    Uid::effective().is_root() || not_run(test, "it needs root, to make the kernel raise uevents")
}

fn not_run(test: &str, why: &str) -> bool {
    eprintln!("NOT RUN: {test}: {why}");
    assert_ne!(env::var("CI").as_deref(), Ok("true"), "{test} must run here, but {why}");
    false
}

/// A mark that no other test's events carry: a UUID, as `SYNTH_UUID` takes it.
#[must_use]
pub fn mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{:08x}-0000-4000-8000-{:012x}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Makes the kernel raise a real uevent of `/dev/null`, marked and with further properties
/// (`Documentation/ABI/testing/sysfs-uevent`).
///
/// # Panics
///
/// If the kernel refuses.
pub fn raise(action: &str, mark: &str, arguments: &str) {
    let text = format!("{action} {mark} {arguments}");
    fs::write("/sys/class/mem/null/uevent", text.trim_end()).expect("the kernel raises a uevent");
}

/// Hands each record of the intake to `take` until that says that it has seen enough.
///
/// # Panics
///
/// If that takes longer than anything here can.
pub fn take_until(intake: &mut Intake, mut take: impl FnMut(Record<'_>) -> bool) {
    let end = Instant::now() + DEADLINE;
    loop {
        while let Some(record) = intake.pop() {
            if take(record) {
                intake.made_room();
                return;
            }
        }
        intake.made_room();
        assert!(Instant::now() < end, "what was waited for did not come");
        std::thread::sleep(Duration::from_millis(1));
    }
}
