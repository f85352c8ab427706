//! What sysfs says about the board.

mod ports;

pub use ports::BoardPorts;
