//! Sizes the receive buffer so that no USB plug is lost.
//!
//! A queued uevent is charged its [`truesize`](SkbAbi::truesize), not its length. A device raises
//! the events of its [`PlugProfile`]. A board has a [`UsbTopology`]. These determine the [`Budget`]
//! and the [`RcvBuf`] to request. Everything is `const fn`: the build computes an image's buffer,
//! and rejects an impossible one.

mod budget;
#[rustfmt::skip]
mod classes;
mod custom;
mod device;
mod error;
mod parse;
mod profile;
mod size;
mod truesize;

pub use budget::{Budget, MAX_BUDGET_BYTES, MAX_DEVICES_PER_BUS, Others, Requirements, UsbTopology};
pub use custom::{CustomDevice, MAX_CUSTOM_GROUPS};
pub use device::{DeviceClass, PortDevice};
pub use error::{SizingError, or_panic};
pub use parse::{
    DEFAULT_DEVPATH_MAX_BYTES, DEVICES_PER_PORT, DEVPATH_MAX_BYTES, MAX_STALL_MS, USB_PORTS, parse_u32,
};
pub use profile::{
    BUDGET_COUNTER_GROWTH, BUDGET_PORT_NAME_LEN, BUDGET_SEQNUM_DIGITS, EventShape, EventShapes, LengthBasis,
    PlugProfile, VIRTUAL_SUBSYSTEMS,
};
pub use size::{Effective, RcvBuf, Requested};
pub use truesize::{PointerWidth, SkbAbi, SmallHead};
