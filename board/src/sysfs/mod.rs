//! Reads the board's devices and ports in sysfs.

mod devices;
mod faults;
mod files;
mod listing;
mod lookup;
mod namespace;
mod path;
mod ports;
mod reading;
mod root;
pub mod uevent_file;

pub use devices::Devices;
pub use faults::{Clipped, Fault, Missing};
pub(crate) use files::{open, read_to_end};
pub(crate) use listing::Listing;
pub use lookup::Subsystems;
pub use ports::BoardPorts;
pub use reading::Reading;
