//! Namespaces for the threads of a test.

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::privilege::{Turn, not_run, turn_to_raise};

/// As [`own_network_namespace`](super::own_network_namespace), and with a sysfs of its own at `/sys`:
/// `/sys/class/net` is that namespace's. Threads and processes that this thread starts see the same; those
/// that were there before do not.
///
/// Events of net devices stay in their network namespace; those of all others reach every namespace.
///
/// # Panics
///
/// Under `CI=true` without privileges.
#[must_use]
pub fn own_sysfs(test: &str) -> Option<Turn> {
    // The turn is a lock in the sysfs that all tests share: not in the new one.
    let turn = turn_to_raise(test)?;
    if let Err(errno) = enter() {
        not_run(test, &format!("it needs a network namespace and a sysfs of its own: {errno}"));
        return None;
    }
    Some(turn)
}

/// Enters a namespace from another thread of a test whose turn it already is.
///
/// # Errors
///
/// Returns the kernel's error.
pub fn enter() -> Result<(), Errno> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    own_mounts()?;
    // A sysfs shows the network namespace of the process that mounts it.
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("sysfs"), "/sys", Some("sysfs"), flags, None::<&str>)
}

/// Gives this thread, and the processes that it starts, a mount namespace.
///
/// # Errors
///
/// Returns the kernel's error.
pub fn own_mounts() -> Result<(), Errno> {
    // Of one thread: CLONE_NEWNS gives it a root and a working directory of its own, too.
    unshare(CloneFlags::CLONE_NEWNS)?;
    let nothing = None::<&str>;
    // Else what is mounted here would be mounted everywhere.
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)
}
