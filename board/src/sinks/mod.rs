//! Where the stream goes.

mod console;
mod json;
mod line;
mod text;

pub use console::Console;
pub use line::{Line, Style, Undersized};
pub(crate) use text::DeviceName;
