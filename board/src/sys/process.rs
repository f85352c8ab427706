use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::Pid;

/// Takes a descriptor that this process was started with, and closes it on `execve`, so that no
/// child inherits it.
///
/// # Errors
///
/// Returns the error of `fcntl(2)`: `EBADF` if the descriptor is not open.
pub fn take_descriptor(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two numbers.
    let result = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    Errno::result(result)?;
    // SAFETY: it is open, and as the caller says nobody else's: it was handed over for this use.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Gives the calling thread a real-time priority (1 to 99, `SCHED_FIFO`), or the usual priority
/// with 0. It makes the system call itself, since musl's function of this name always fails.
///
/// # Errors
///
/// Returns the error of `sched_setscheduler(2)`.
pub fn set_realtime_priority(priority: u32) -> io::Result<()> {
    let policy = if priority > 0 { libc::SCHED_FIFO } else { libc::SCHED_OTHER };
    let priority = libc::c_int::try_from(priority).unwrap_or(libc::c_int::MAX);
    // SAFETY: the kernel reads a `struct sched_param`, which is one int (`include/uapi/linux/sched/types.h`), from an
    // int that outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) };
    Errno::result(result)?;
    Ok(())
}

/// Returns how many descriptors this process may have: the soft limit of `RLIMIT_NOFILE`.
#[must_use]
pub fn descriptor_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one `rlimit` (getrlimit(2)), for which `limit` is valid; it outlives the call.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    // The field has 32 bits in the C library of some 32-bit targets.
    #[allow(clippy::useless_conversion)]
    limit.rlim_cur.into()
}

/// Returns, once, how a child of this process ended; `None` while it runs. A child that was waited
/// for elsewhere counts as exited with 0, since its status is lost.
#[must_use]
pub fn ended(child: Pid) -> Option<ExitStatus> {
    let mut status = 0;
    // SAFETY: `status` is valid for writes.
    let result = unsafe { libc::waitpid(child.as_raw(), &raw mut status, libc::WNOHANG) };
    match Errno::result(result) {
        Err(Errno::ECHILD) => Some(ExitStatus::default()),
        Err(_) | Ok(0) => None,
        Ok(_) => Some(ExitStatus::from_raw(status)),
    }
}

/// Waits for any one ended child of this process; `None` if there is none. PID 1 and a subreaper
/// (`PR_SET_CHILD_SUBREAPER` of prctl(2)) also have the children of processes that ended before
/// them.
#[must_use]
pub fn reap() -> Option<(Pid, ExitStatus)> {
    let mut status = 0;
    // SAFETY: `status` is valid for writes.
    let child = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    (child > 0).then(|| (Pid::from_raw(child), ExitStatus::from_raw(status)))
}

/// Makes the kernel discard children when they end, and discards those that have ended. This is for
/// a process that starts none, but has some as PID 1, or from before its `execve(2)`.
///
/// # Errors
///
/// Returns the error of `sigaction(2)`.
pub fn discard_children() -> nix::Result<()> {
    // SAFETY: to ignore a signal is no function of ours.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }?;
    while reap().is_some() {}
    Ok(())
}

/// Enables this process to wait for its children, even if its parent ignored `SIGCHLD`, which is
/// inherited: the kernel then reports no end (`do_notify_parent` in `kernel/signal.c`).
///
/// # Errors
///
/// Returns the error of `sigaction(2)`.
pub fn enable_child_signals() -> nix::Result<()> {
    // SAFETY: the default action is no function of ours.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }.map(drop)
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{SigHandler, Signal, signal};

    use super::{enable_child_signals, set_realtime_priority};

    #[test]
    fn ignored_child_signals_are_enabled_again() {
        // SAFETY: neither action is a function of ours.
        let ignored = unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) };
        ignored.unwrap();
        enable_child_signals().unwrap();
        // SAFETY: as above.
        let before = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
        assert!(matches!(before, Ok(SigHandler::SigDfl)));
    }

    #[test]
    fn a_priority_that_no_thread_can_have_is_refused() {
        assert_eq!(set_realtime_priority(100).unwrap_err().raw_os_error(), Some(nix::libc::EINVAL));
        set_realtime_priority(0).unwrap();
    }
}
