#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]
// Without `internals`, only the program uses many of the items.
#![cfg_attr(not(feature = "internals"), allow(dead_code, unreachable_pub, unused_imports))]

mod cause;
pub mod client;
mod file;
pub mod profile;
mod signals;
pub mod socket;
mod thread;
mod watcher;

pub use watcher::{Item, WatchError, Watcher, WatcherBuilder};

// The modules that this project's tests use are public only with the feature `internals`.
#[cfg(not(feature = "internals"))]
mod cli;
#[cfg(feature = "internals")]
pub mod cli;
#[cfg(not(feature = "internals"))]
mod daemon;
#[cfg(feature = "internals")]
pub mod daemon;
#[cfg(not(feature = "internals"))]
mod diag;
#[cfg(feature = "internals")]
pub mod diag;
#[cfg(not(feature = "internals"))]
mod doorbell;
#[cfg(feature = "internals")]
pub mod doorbell;
#[cfg(not(feature = "internals"))]
mod engine;
#[cfg(feature = "internals")]
pub mod engine;
#[cfg(not(feature = "internals"))]
mod intake;
#[cfg(feature = "internals")]
pub mod intake;
#[cfg(not(feature = "internals"))]
mod process_policy;
#[cfg(feature = "internals")]
pub mod process_policy;
#[cfg(not(feature = "internals"))]
mod report;
#[cfg(feature = "internals")]
pub mod report;
#[cfg(not(feature = "internals"))]
mod service;
#[cfg(feature = "internals")]
pub mod service;
#[cfg(not(feature = "internals"))]
#[allow(unsafe_code)]
mod sys;
#[cfg(feature = "internals")]
#[allow(unsafe_code)]
pub mod sys;
#[cfg(not(feature = "internals"))]
mod sysfs;
#[cfg(feature = "internals")]
pub mod sysfs;
#[cfg(not(feature = "internals"))]
mod time;
#[cfg(feature = "internals")]
pub mod time;

/// Runs the program `sureplug` with the arguments after its name.
#[doc(hidden)]
pub fn main(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> std::process::ExitCode {
    cli::main(arguments)
}
