//! `sureplug audit`: lists every uevent socket, its owners and a verdict on its buffer.

use std::fmt::{self, Write};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::Path;

use nix::poll::PollTimeout;
use nix::sys::signal::Signal;
use sureplug_core::uevent::Escaped;

use super::options::Options;
use super::{Command, Exit, Failure, Prepared, prepare, print};
use crate::cause::{Advice, Cause};
use crate::diag::audit::{Audit, Audited, Owner, Rates, key, limits};
use crate::doorbell::poll_in;
use crate::report::object::{self, Object};
use crate::{signals, sys};

pub(super) const COMMAND: Command = Command {
    usage: "audit",
    summary: "list every uevent socket of this network namespace, its owners, and a verdict on its buffer",
    help: "\
Finding the owners of all sockets needs root.

Exit codes: 0 no finding, 1 a buffer below the budget, or drops, 2 wrong usage, 3 refused by the system.",
    run,
};

/// The interval of `--watch`.
const INTERVAL_MS: u16 = 1_000;

/// The size assumed for a terminal that does not report one, such as a serial console.
const USUAL_ROWS: u16 = 24;
const USUAL_COLUMNS: u16 = 80;

/// The indentation of a verdict below its socket.
const INDENT: &str = "        ";

/// The width of the column of groups. A longer list ends with a `+`.
const GROUPS_WIDTH: usize = 6;

/// Audits once, or with `--watch` until a signal arrives or the reader of the output is gone.
fn run(options: &Options) -> Result<Exit, Failure> {
    // The socket used for sizing must be closed: it would be listed.
    let Prepared { sizing, .. } = prepare(options, options.selection())?;
    let limits = limits(sizing.rcvbuf, sizing.rmem_default);
    let signals = options.watch.then(|| signals::take(&[Signal::SIGTERM, Signal::SIGINT])).transpose()?;
    let mut rates = Rates::default();
    loop {
        let audit = Audit::take(Path::new("/proc"), None, limits)
            .map_err(|error| format!("cannot list the uevent sockets: {}", Cause(&error)))?;
        rates.update(&audit);
        let view = View { audit: &audit, rates: options.watch.then_some(&rates) };
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let _ = if options.json {
            view.json(&mut text)
        } else if options.watch && io::stdout().is_terminal() {
            let size = sys::window_size(io::stdout()).filter(|&(rows, columns)| rows > 0 && columns > 0);
            let (rows, columns) = size.unwrap_or((USUAL_ROWS, USUAL_COLUMNS));
            view.screen(&mut text, rows.into(), columns.into())
        } else {
            view.table(&mut text)
        };
        let is_read = print(&text)?;
        let exit = Exit::of(audit.findings() > 0);
        let Some(signals) = signals.as_ref().filter(|_| is_read) else { return Ok(exit) };
        if poll_in([signals.as_fd()], PollTimeout::from(INTERVAL_MS))? == [true] {
            return Ok(exit);
        }
    }
}

/// An audit to show, with rates if there was an earlier one.
struct View<'a> {
    audit: &'a Audit,
    rates: Option<&'a Rates>,
}

impl View<'_> {
    /// Writes the whole audit.
    fn table(&self, out: &mut String) -> fmt::Result {
        self.heading(out)?;
        self.audit.sockets.iter().try_for_each(|audited| self.socket(out, audited, true))?;
        self.footing(out)
    }

    /// Writes the worst sockets, as many as fit into the terminal, each line cut at its width.
    fn screen(&self, out: &mut String, rows: usize, columns: usize) -> fmt::Result {
        let sockets = &self.audit.sockets;
        let mut below = String::new();
        self.footing(&mut below)?;
        // The last row stays empty: a line end there would scroll.
        let room = rows.saturating_sub(1 + below.lines().count());
        let mut text = String::new();
        self.heading(&mut text)?;
        for (index, audited) in sockets.iter().enumerate() {
            let before = text.len();
            self.socket(&mut text, audited, audited.is_finding())?;
            let is_last = index + 1 == sockets.len();
            if text.lines().count() + usize::from(!is_last) > room {
                text.truncate(before);
                writeln!(text, "{INDENT}and {} more", sockets.len() - index)?;
                break;
            }
        }
        text.push_str(&below);
        // Overwrites the previous screen, to avoid flicker, and clears the rest of each line and of
        // the screen.
        out.push_str("\x1b[H");
        for line in text.lines().take(rows.saturating_sub(1)) {
            // A terminal may wrap after its last column.
            out.extend(line.chars().take(columns - 1));
            out.push_str("\x1b[K\r\n");
        }
        out.push_str("\x1b[J");
        Ok(())
    }

    fn heading(&self, out: &mut String) -> fmt::Result {
        let (sockets, findings) = (self.audit.sockets.len(), self.audit.findings());
        let wanted = self.audit.limits.wanted;
        writeln!(out, "{sockets} uevent sockets, {findings} findings; this board needs {wanted} B")?;
        out.push_str("    PID  FD COMMAND         GROUPS       PORT    BUFFER    QUEUED    DROPS");
        out.push_str(if self.rates.is_some() { "   /S\n" } else { "\n" });
        Ok(())
    }

    fn socket(&self, out: &mut String, audited: &Audited, with_verdict: bool) -> fmt::Result {
        let socket = &audited.socket;
        let owners = self.audit.owners.of(socket);
        match owners.first() {
            Some(owner) => write_owner(out, owner)?,
            None if socket.is_the_kernels() => write!(out, "{:>7} {:>3} {:<15}", "-", "-", "(the kernel)")?,
            None => write!(out, "{:>7} {:>3} {:<15}", "?", "?", "(unknown)")?,
        }
        let groups: Vec<_> = socket.group_numbers().map(|group| group.to_string()).collect();
        let mut groups = if groups.is_empty() { String::from("-") } else { groups.join(",") };
        if groups.len() > GROUPS_WIDTH {
            groups.replace_range(GROUPS_WIDTH - 1.., "+");
        }
        let effective = socket.effective.map_or_else(|| String::from("?"), |bytes| bytes.to_string());
        write!(out, " {groups:>GROUPS_WIDTH$} {:>10} {effective:>9}", socket.port)?;
        write!(out, " {:>9} {:>8}", socket.queued, socket.drops)?;
        if let Some(rates) = self.rates {
            write!(out, " {:>4}", rates.of(key(socket)))?;
        }
        out.push('\n');
        for owner in owners.iter().skip(1) {
            write_owner(out, owner)?;
            out.push_str(" shares it\n");
        }
        if !with_verdict {
            return Ok(());
        }
        write!(out, "{INDENT}{audited}")?;
        match owners.first().filter(|owner| !owner.unit.is_empty()) {
            Some(owner) => writeln!(out, " ({})", Escaped(&owner.unit)),
            None => writeln!(out),
        }
    }

    fn footing(&self, out: &mut String) -> fmt::Result {
        let (ownerless, unreadable) = (self.audit.ownerless(), self.audit.owners.unreadable);
        if ownerless > 0 {
            write!(out, "the owners of {ownerless} sockets are unknown")?;
            if unreadable > 0 {
                write!(out, ": {unreadable} processes are readable by root only")?;
            }
            out.push('\n');
        }
        if let Some(refusal) = self.audit.refusal {
            writeln!(
                out,
                "buffer sizes are unknown: NETLINK_SOCK_DIAG: {}{}\n\
                 (needs CONFIG_NETLINK_DIAG, or modprobe netlink_diag)",
                refusal.desc(),
                Advice(refusal)
            )?;
        }
        Ok(())
    }

    /// Writes an object for each socket, and one for the audit.
    fn json(&self, out: &mut String) -> fmt::Result {
        let Audit { sockets, limits, refusal, owners } = self.audit;
        sockets.iter().try_for_each(|audited| self.socket_json(out, audited))?;
        let counts = [sockets.len(), self.audit.findings(), self.audit.ownerless(), owners.unreadable];
        let [sockets, findings, ownerless, unreadable] = counts.map(|count| count as u64);
        let figures = [
            ("sockets", sockets),
            ("findings", findings),
            ("unknown_owners", ownerless),
            ("unreadable_processes", unreadable),
            ("wanted_bytes", limits.wanted.into()),
            ("rmem_default_bytes", limits.default.into()),
            ("floor_bytes", limits.floor.into()),
        ];
        Object::begin(out, "audit").numbers(&figures).boolean("has_sizes", refusal.is_none()).end()
    }

    fn socket_json(&self, out: &mut String, audited: &Audited) -> fmt::Result {
        let socket = &audited.socket;
        Object::begin(out, "socket")
            .boolean("is_the_kernels", socket.is_the_kernels())
            .numbers(&[("port", socket.port), ("inode", socket.inode)])
            .optional("effective_bytes", socket.effective.map(u64::from))
            .numbers(&[("queued_bytes", socket.queued), ("drops", socket.drops)])
            .optional("drops_per_s", self.rates.map(|rates| rates.of(key(socket))))
            .boolean("is_finding", audited.is_finding())
            .display("verdict", audited)
            .list("groups", socket.group_numbers(), |out, group| write!(out, "{group}"))
            .list("owners", self.audit.owners.of(socket), |out, owner| {
                write!(out, "{{\"pid\":{},\"fd\":{},\"command\":", owner.pid, owner.fd)?;
                object::string(out, &owner.command)?;
                out.write_str(",\"unit\":")?;
                match &owner.unit[..] {
                    [] => out.write_str("null")?,
                    unit => object::string(out, unit)?,
                }
                out.write_char('}')
            })
            .end()
    }
}

fn write_owner(out: &mut String, owner: &Owner) -> fmt::Result {
    // The escaped text may exceed its column.
    let command = Escaped(&owner.command).to_string();
    write!(out, "{:>7} {:>3} {command:<15.15}", owner.pid, owner.fd)
}
