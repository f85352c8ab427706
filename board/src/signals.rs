//! Signals that are read from a descriptor, so that they interrupt no system call.

use std::io;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Blocks signals in this thread and in those that it starts.
pub(crate) fn block(signals: &[Signal]) -> io::Result<SigSet> {
    let set: SigSet = signals.iter().copied().collect();
    set.thread_block()?;
    Ok(set)
}

/// Blocks signals, and opens a descriptor to read them.
pub(crate) fn take(signals: &[Signal]) -> io::Result<SignalFd> {
    let set = block(signals)?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}
