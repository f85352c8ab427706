//! The running kernel as a test partner: uevents raised and injected, sockets of other programs, and a
//! network namespace for each test, so that none sees the events of another.

mod culprit;
pub mod devices;
mod inject;
mod listener;
pub mod namespace;
mod receive_limit;
mod small_disk;
mod socket_filter;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, process};

use nix::sched::{CloneFlags, unshare};
use sureplug_board::intake::{Intake, Observation};

use crate::privilege::{Turn, not_run, turn_to_raise};

pub use culprit::Culprit;
pub use inject::{Injector, without_seqnum};
pub use listener::{Listener, multicast};
pub use namespace::own_sysfs;
pub use receive_limit::{Clamped, ReceiveLimit};
pub use small_disk::SmallDisk;
pub use socket_filter::KernelFilter;

/// How long a test waits for what must come.
const DEADLINE: Duration = Duration::from_secs(20);

/// Moves this thread, and those that it starts, into a network namespace of its own, and waits for its
/// turn: the events of devices reach every namespace. `None` without the privilege for that.
///
/// # Panics
///
/// Under `CI=true` without privileges.
#[must_use]
pub fn own_network_namespace(test: &str) -> Option<Turn> {
    let turn = turn_to_raise(test)?;
    if let Err(errno) = unshare(CloneFlags::CLONE_NEWNET) {
        not_run(test, &format!("it needs a network namespace of its own: {errno}"));
        return None;
    }
    Some(turn)
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

/// Passes each record of the intake to `take` until that returns `true`.
///
/// # Panics
///
/// Panics if this takes unreasonably long.
pub fn take_until(intake: &mut Intake, mut take: impl FnMut(Observation<'_>) -> bool) {
    let end = Instant::now() + DEADLINE;
    let mut done = false;
    while !done {
        if intake.take(1, |record| done = take(record)) == 0 {
            assert!(Instant::now() < end, "what was waited for did not come");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
