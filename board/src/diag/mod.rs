//! Diagnostics: other listeners' buffers, the cost of a device, and captures of uevents.

pub mod audit;
pub mod charge;
pub mod measure;
pub mod pcap;
pub(crate) mod record;
pub(crate) mod session;
