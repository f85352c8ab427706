//! Starts the library's own threads.

use std::io;
use std::thread::{Builder, JoinHandle};

use nix::sys::signal::{SigSet, SigmaskHow};

/// The stack size of a thread in bytes. Large values are on the heap, and nothing recurses.
const STACK_BYTES: usize = 64 * 1024;

/// Starts a thread that receives no signals, which are for the program's own threads.
///
/// `body` is boxed so that this is compiled once.
///
/// # Errors
///
/// Returns the system's error if the thread cannot be started.
pub(crate) fn spawn(
    name: &str,
    body: Box<dyn FnOnce() -> io::Result<()> + Send>,
) -> io::Result<JoinHandle<io::Result<()>>> {
    // A new thread inherits the signal mask.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let thread = Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(body);
    before.thread_set_mask()?;
    thread
}
