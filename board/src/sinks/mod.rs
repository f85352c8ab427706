//! Where the stream goes.

mod console;
mod json;
mod line;
mod metrics;
mod output;
mod system_log;
mod text;

pub use console::Console;
pub(crate) use json::subsystems;
pub use line::{Line, Resync, Shortage, Start, Style, Undersized};
pub use metrics::Metrics;
pub(crate) use output::Output;
pub(crate) use system_log::Text;
pub use system_log::{LogKind, SystemLog};
pub(crate) use text::{DeviceName, OUT_OF_DATE};

use std::fmt::{self, Write};

use sureplug_core::journal::Entry;

/// Writes an event that was recorded; its stamp is in nanoseconds after 1970.
pub(crate) fn recorded_event(out: &mut dyn Write, entry: Entry<'_>, style: Style) -> fmt::Result {
    match style {
        Style::Json => json::event(out, &entry, "unix_us"),
        Style::Text { .. } => Line::Event(entry).write(out, style),
    }
}
