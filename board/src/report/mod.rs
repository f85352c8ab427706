//! Notices and events as text or JSON, and the table of counters.

mod fixed_text;
mod json;
mod notice;
pub(crate) mod object;
mod text;
pub(crate) mod totals;

use std::fmt::{self, Write};

use sureplug_core::stream::DeviceEvent;

pub(crate) use fixed_text::FixedText;
pub(crate) use json::subsystems;
pub use notice::{HookRun, Loss, Notice, Resync, RunEnd, Start, Undersized};
pub(crate) use text::{DeviceName, OUT_OF_DATE};
pub use totals::Totals;

/// The format of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For people: one line per event.
    Text {
        /// Each property on a line of its own below the event.
        verbose: bool,
    },
    /// For programs: a JSON object per line.
    Json,
}

/// Writes a notice, its line end included.
pub(crate) fn write(out: &mut dyn Write, notice: &Notice<'_>, style: Style) -> fmt::Result {
    match style {
        Style::Text { verbose } => text::write(out, notice, verbose),
        Style::Json => json::write(out, notice),
    }
}

/// Writes a recorded event, whose stamp is in nanoseconds since 1970.
pub(crate) fn recorded_event(out: &mut dyn Write, entry: DeviceEvent<'_>, style: Style) -> fmt::Result {
    match style {
        Style::Json => json::event(out, &entry, "unix_us"),
        Style::Text { .. } => write(out, &Notice::Event(entry), style),
    }
}
