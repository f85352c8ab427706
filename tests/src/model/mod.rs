//! A naive kernel with a tree of devices, a daemon that loses events and scans, and consumers that
//! fold what they receive: the stream of `sureplug-core` is compared with this model.

mod calls;
mod datagram;
mod device;
mod kernel;
mod reader;
mod scan;
mod script;
mod world;

pub use calls::call_stream;
pub use datagram::{Sent, uevent};
pub use device::{Device, Identity};
pub use kernel::{Kernel, Operation, PLACES, Saying};
pub use reader::{MADE, Reader, Rule};
pub use script::{Found, Says, Script};
pub use world::{Choice, World};
