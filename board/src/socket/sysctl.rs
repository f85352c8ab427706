//! The kernel's settings for sockets, read from `/proc/sys`.

use std::path::Path;

use sureplug_core::filter::SMALLEST_OPTMEM_MAX;

use crate::file;

/// Reads one number below `/proc/sys`; `None` where it is not there, as in a container's network
/// namespace, or no number.
fn read(name: &str) -> Option<u32> {
    file::read_text(&Path::new("/proc/sys").join(name)).ok()?.trim().parse().ok()
}

/// `net.core.rmem_max`: what `SO_RCVBUF` is clamped to, in bytes before the kernel doubles it.
#[must_use]
pub fn rmem_max() -> Option<u32> {
    read("net/core/rmem_max")
}

/// `net.core.rmem_default`: the effective buffer of a socket that nobody set one for, in bytes.
#[must_use]
pub fn rmem_default() -> Option<u32> {
    read("net/core/rmem_default")
}

/// `net.core.optmem_max`: what a socket's filter may take, in bytes. Where it cannot be read, the smallest that a
/// kernel has by itself.
#[must_use]
pub fn optmem_max() -> u32 {
    read("net/core/optmem_max").unwrap_or(SMALLEST_OPTMEM_MAX)
}
