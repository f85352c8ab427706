//! Verification of a message's sender, and arithmetic on the kernel's drop counter.

pub mod loss;
pub mod sender;
