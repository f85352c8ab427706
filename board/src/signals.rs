//! Blocks signals, so that they are read from a descriptor and interrupt nothing.

use std::io;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Blocks signals in this thread and in the threads that it starts.
pub(crate) fn block(signals: &[Signal]) -> io::Result<SigSet> {
    let set: SigSet = signals.iter().copied().collect();
    set.thread_block()?;
    Ok(set)
}

/// Blocks signals likewise, and returns a descriptor to read them from.
pub(crate) fn take(signals: &[Signal]) -> io::Result<SignalFd> {
    let set = block(signals)?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}
