//! Threads of the library's own.

use std::io;
use std::thread::{Builder, JoinHandle};

use nix::sys::signal::{SigSet, SigmaskHow};

/// Bytes of a thread's stack: what is large is on the heap, and nothing recurses.
const STACK_BYTES: usize = 64 * 1024;

/// Starts a thread that takes no signal: these are for the threads of the program. The body is boxed so that all of starting
/// one is compiled once.
///
/// # Errors
///
/// No thread is left.
pub(crate) fn spawn(
    name: &str,
    body: Box<dyn FnOnce() -> io::Result<()> + Send>,
) -> io::Result<JoinHandle<io::Result<()>>> {
    // A thread begins with the mask of the one that starts it.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let thread = Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(body);
    before.thread_set_mask()?;
    thread
}
