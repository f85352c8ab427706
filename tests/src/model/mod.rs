//! A naive kernel with a tree of devices, a daemon that loses events and scans, and consumers that believe
//! what they are told: what the stream of `sureplug-core` is held against.

mod datagram;
mod kernel;
mod reader;
mod scan;
mod script;
mod world;

pub use datagram::{Sent, uevent};
pub use kernel::{Identity, Kernel, Operation, PLACES, Saying};
pub use reader::{MADE, Reader, Rule};
pub use script::{Found, Says, Script};
pub use world::{Choice, World};
