//! Where the stream goes.

mod console;
mod json;
mod line;
mod output;
mod text;

pub use console::Console;
pub(crate) use json::subsystems;
pub use line::{Line, Shortage, Start, Style, Undersized};
pub(crate) use output::Output;
pub(crate) use text::DeviceName;
