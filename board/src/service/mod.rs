//! What is attached to the stream.

pub mod broker;
pub mod hook;
pub mod led;
pub mod log;
pub mod metrics;
pub mod supervisor;
