//! Lines for the operator, on the program's output and in the system's log.

mod console;
mod output;
mod system_log;

pub use console::Console;
pub use output::Output;
pub use system_log::{LogKind, SystemLog};
