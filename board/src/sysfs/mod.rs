//! What sysfs says about the board.

mod devices;
mod files;
mod listing;
mod lookup;
mod path;
mod ports;
mod reading;
mod root;
mod subsystems;
mod trouble;

pub use devices::Devices;
pub(crate) use files::{again, open, read_to_end};
pub(crate) use listing::Listing;
pub use lookup::Subsystems;
pub use ports::BoardPorts;
pub use reading::Reading;
pub use trouble::{Missing, Trouble};
