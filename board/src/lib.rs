#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

pub mod audit;
pub mod broker;
pub mod capacity;
pub mod charge;
pub mod cli;
pub mod client;
pub mod doorbell;
pub mod hooks;
pub mod indicator;
pub mod intake;
mod json;
pub mod monotonic;
pub mod netlink;
mod order;
pub mod profile;
mod reach;
mod signals;
pub mod sinks;
pub mod standing;
pub mod supervisor;
#[allow(unsafe_code)]
pub mod sys;
pub mod sysctl;
pub mod sysfs;
mod thread;
pub mod totals;
pub mod worker;
