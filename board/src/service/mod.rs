//! The services attached to the stream. Each implements [`Service`].

pub mod broker;
pub mod hook;
pub mod led;
pub mod log;
pub mod metrics;
pub mod supervisor;

pub use crate::engine::Service;
