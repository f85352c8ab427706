//! `sureplug audit`: who listens to uevents, and with how much.

mod json;
mod rates;
mod table;

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::Path;

use nix::poll::PollTimeout;
use nix::sys::signal::Signal;

use super::options::Options;
use super::output::{complain, print};
use super::{Exit, Prepared, prepare};
use crate::diag::audit::{Audit, limits};
use crate::doorbell::poll_in;
use crate::{signals, sys};
use rates::Rates;

/// How often `--watch` looks.
const INTERVAL_MS: u16 = 1_000;

/// What a serial console has that does not say it.
const USUAL_ROWS: u16 = 24;
const USUAL_COLUMNS: u16 = 80;

/// Looks once, or again and again.
pub(super) fn audit(options: &Options) -> Exit {
    // What it was sized with is closed again: it would be in the list.
    let sizing = match prepare(&options.board) {
        Ok(Prepared { sizing, .. }) => sizing,
        Err(exit) => return exit,
    };
    let limits = limits(sizing.rcvbuf, sizing.rmem_default);
    let take = || Audit::take(Path::new("/proc"), None, limits);
    let result = if options.watch { watch(take, options.board.json) } else { once(take, options.board.json) };
    result.unwrap_or_else(|error| {
        complain(&format_args!("the uevent sockets cannot be listed: {error}"));
        Exit::Refused
    })
}

fn once(take: impl Fn() -> io::Result<Audit>, is_json: bool) -> io::Result<Exit> {
    let audit = take()?;
    let mut text = String::new();
    // A String takes whatever is written.
    let _ =
        if is_json { json::write(&mut text, &audit, None) } else { table::write(&mut text, &audit, None) };
    Ok(print(&text).and(exit(&audit)))
}

/// Until a signal comes, or the reader of the output has gone.
fn watch(take: impl Fn() -> io::Result<Audit>, is_json: bool) -> io::Result<Exit> {
    let signals = signals::take(&[Signal::SIGTERM, Signal::SIGINT])?;
    let is_screen = !is_json && io::stdout().is_terminal();
    let mut rates = Rates::default();
    let mut text = String::new();
    loop {
        let audit = take()?;
        rates.look(&audit);
        text.clear();
        // A String takes whatever is written.
        let _ = if is_json {
            json::write(&mut text, &audit, Some(&rates))
        } else if is_screen {
            let (rows, columns) = sys::window_size(io::stdout())
                .filter(|&(rows, columns)| rows > 0 && columns > 0)
                .unwrap_or((USUAL_ROWS, USUAL_COLUMNS));
            table::screen(&mut text, &audit, &rates, rows.into(), columns.into())
        } else {
            table::write(&mut text, &audit, Some(&rates))
        };
        if let Some(failed) = super::output::keep_printing(&text) {
            return Ok(failed.and(exit(&audit)));
        }
        let [signalled] = poll_in([signals.as_fd()], PollTimeout::from(INTERVAL_MS))?;
        if signalled {
            return Ok(exit(&audit));
        }
    }
}

fn exit(audit: &Audit) -> Exit {
    if audit.findings() > 0 { Exit::Finding } else { Exit::Fine }
}
