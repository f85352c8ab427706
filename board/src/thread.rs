//! The library's own threads.

use std::io;
use std::thread::{Builder, JoinHandle};

use nix::sys::signal::{SigSet, SigmaskHow};

/// Bytes of a thread's stack: large data is on the heap, and nothing recurses.
const STACK_BYTES: usize = 64 * 1024;

/// Starts a thread that receives no signal: signals are for the program's threads. The body is
/// boxed so that the code that starts a thread is compiled once.
///
/// # Errors
///
/// Returns an error if no thread is left.
pub(crate) fn spawn(
    name: &str,
    body: Box<dyn FnOnce() -> io::Result<()> + Send>,
) -> io::Result<JoinHandle<io::Result<()>>> {
    // A thread inherits the signal mask of its creator.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let thread = Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(body);
    before.thread_set_mask()?;
    thread
}
