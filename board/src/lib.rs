#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod cause;
pub mod cli;
pub mod client;
pub mod daemon;
pub mod diag;
pub mod doorbell;
pub mod engine;
mod file;
pub mod intake;
pub mod process_policy;
pub mod profile;
pub mod report;
pub mod service;
mod signals;
pub mod socket;
#[allow(unsafe_code)]
pub mod sys;
pub mod sysfs;
mod thread;
pub mod time;
