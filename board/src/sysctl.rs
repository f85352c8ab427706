//! The kernel's settings for receive buffers, read from `/proc/sys`.

use std::fs;

/// Reads one number below `/proc/sys`; `None` where it is not there, as in a container's network
/// namespace, or no number.
fn read(name: &str) -> Option<u32> {
    fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().parse().ok()
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
