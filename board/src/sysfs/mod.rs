//! What sysfs says about the board.

mod devices;
mod files;
mod forgeries;
mod listing;
mod lookup;
mod namespace;
mod path;
mod ports;
mod reading;
mod root;
mod subsystems;
mod suspects;
mod trouble;
pub mod uevent_file;

pub use devices::Devices;
pub(crate) use files::{open, read_to_end};
pub use forgeries::Forgery;
pub(crate) use listing::Listing;
pub use lookup::Subsystems;
pub use ports::BoardPorts;
pub use reading::Reading;
pub use trouble::{Clipped, Missing, Trouble};
