//! The daemon's threads.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Bytes of a thread's stack: what is large is on the heap, and nothing recurses.
const STACK_BYTES: usize = 64 * 1024;

/// Starts a thread. The body is boxed so that all of starting one is compiled once.
///
/// # Errors
///
/// No thread is left.
pub(crate) fn spawn(
    name: &str,
    body: Box<dyn FnOnce() -> io::Result<()> + Send>,
) -> io::Result<JoinHandle<io::Result<()>>> {
    Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(body)
}
