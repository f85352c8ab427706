//! Notices and events as text or JSON.

mod json;
mod line;
pub(crate) mod object;
mod text;

pub(crate) use json::subsystems;
pub use line::{Line, Loss, Resync, Start, Style, Undersized};
pub(crate) use text::{DeviceName, OUT_OF_DATE};

use std::fmt::{self, Write};

use sureplug_core::stream::DeviceEvent;

/// Writes an event that was recorded; its stamp is in nanoseconds after 1970.
pub(crate) fn recorded_event(out: &mut dyn Write, entry: DeviceEvent<'_>, style: Style) -> fmt::Result {
    match style {
        Style::Json => json::event(out, &entry, "unix_us"),
        Style::Text { .. } => Line::Event(entry).write(out, style),
    }
}
