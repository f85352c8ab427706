//! Diagnostics: what other listeners have, what a device costs, and captures of uevents.

pub mod audit;
pub mod charge;
pub mod measure;
pub mod pcap;
pub(crate) mod record;
pub(crate) mod session;
