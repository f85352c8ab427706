use std::fmt::{self, Write};

use sureplug_core::uevent::Escaped;

use super::rates::Rates;
use crate::diag::audit::{Audit, Audited, Owner, Source, key};

/// What stands before a verdict, below its socket.
const INDENT: &str = "        ";

/// Characters of the column of groups; more of them than fit end with a `+`.
const GROUPS_WIDTH: usize = 6;

/// Everything, in lines.
pub(super) fn write(out: &mut String, audit: &Audit, rates: Option<&Rates>) -> fmt::Result {
    heading(out, audit, rates)?;
    for audited in &audit.sockets {
        socket(out, audit, audited, rates, true)?;
    }
    footing(out, audit)
}

/// The worst, in as many lines as a terminal has, each cut at its width.
pub(super) fn screen(
    out: &mut String,
    audit: &Audit,
    rates: &Rates,
    rows: usize,
    columns: usize,
) -> fmt::Result {
    let mut below = String::new();
    footing(&mut below, audit)?;
    // The last row stays empty: a line end in it would scroll.
    let room = rows.saturating_sub(1 + below.lines().count());
    let mut text = String::new();
    heading(&mut text, audit, Some(rates))?;
    for (index, audited) in audit.sockets.iter().enumerate() {
        let before = text.len();
        socket(&mut text, audit, audited, Some(rates), audited.verdict.is_finding())?;
        let is_last = index + 1 == audit.sockets.len();
        if text.lines().count() + usize::from(!is_last) > room {
            text.truncate(before);
            writeln!(text, "{INDENT}and {} more", audit.sockets.len() - index)?;
            break;
        }
    }
    text.push_str(&below);
    // Over what was there, so that it does not flicker; to the end of each line and of the screen.
    out.push_str("\x1b[H");
    for line in text.lines().take(rows.saturating_sub(1)) {
        // A terminal may wrap when its last column is written.
        out.extend(line.chars().take(columns - 1));
        out.push_str("\x1b[K\r\n");
    }
    out.push_str("\x1b[J");
    Ok(())
}

fn heading(out: &mut String, audit: &Audit, rates: Option<&Rates>) -> fmt::Result {
    writeln!(
        out,
        "{} uevent sockets, {} findings; this board's budget wants {} B",
        audit.sockets.len(),
        audit.findings(),
        audit.limits.wanted
    )?;
    out.push_str("    PID  FD COMMAND         GROUPS       PORT    BUFFER    QUEUED    DROPS");
    out.push_str(if rates.is_some() { "   /S\n" } else { "\n" });
    Ok(())
}

fn socket(
    out: &mut String,
    audit: &Audit,
    audited: &Audited,
    rates: Option<&Rates>,
    with_verdict: bool,
) -> fmt::Result {
    let Audited { socket, verdict } = audited;
    let owners = audit.owners.of(socket);
    match owners.first() {
        Some(owner) => self::owner(out, audit, owner)?,
        None if socket.is_the_kernels() => write!(out, "{:>7} {:>3} {:<15}", "-", "-", "(the kernel)")?,
        None => write!(out, "{:>7} {:>3} {:<15}", "?", "?", "(unknown)")?,
    }
    let mut groups = String::new();
    for group in socket.group_numbers() {
        write!(groups, "{}{group}", if groups.is_empty() { "" } else { "," })?;
    }
    if groups.is_empty() {
        groups.push('-');
    } else if groups.len() > GROUPS_WIDTH {
        groups.replace_range(GROUPS_WIDTH - 1.., "+");
    }
    write!(out, " {groups:>GROUPS_WIDTH$} {:>10}", socket.port)?;
    match socket.effective {
        Some(bytes) => write!(out, " {bytes:>9}")?,
        None => write!(out, " {:>9}", "?")?,
    }
    write!(out, " {:>9} {:>8}", socket.queued, socket.drops)?;
    if let Some(rates) = rates {
        write!(out, " {:>4}", rates.of(key(socket)))?;
    }
    out.push('\n');
    for owner in owners.iter().skip(1) {
        self::owner(out, audit, owner)?;
        out.push_str(" has it too\n");
    }
    if !with_verdict {
        return Ok(());
    }
    if socket.is_the_kernels() {
        return writeln!(out, "{INDENT}the kernel's own");
    }
    write!(out, "{INDENT}{verdict}")?;
    if let Some(unit) =
        owners.first().map(|owner| &audit.owners.process(owner).unit).filter(|u| !u.is_empty())
    {
        write!(out, " ({})", Escaped(unit))?;
    }
    out.push('\n');
    Ok(())
}

fn owner(out: &mut String, audit: &Audit, owner: &Owner) -> fmt::Result {
    // Escaped, it may be longer than its column.
    let command = Escaped(&audit.owners.process(owner).command).to_string();
    write!(out, "{:>7} {:>3} {command:<15.15}", owner.pid, owner.fd)
}

fn footing(out: &mut String, audit: &Audit) -> fmt::Result {
    let (ownerless, unreadable) = (audit.ownerless(), audit.owners.unreadable);
    if ownerless > 0 {
        write!(out, "the owners of {ownerless} sockets are unknown")?;
        if unreadable > 0 {
            write!(out, ": {unreadable} processes show theirs to root only")?;
        }
        out.push('\n');
    }
    if let Source::Proc { because } = &audit.source {
        writeln!(
            out,
            "no buffer sizes: they come from NETLINK_SOCK_DIAG, which says: {}\n\
             (CONFIG_NETLINK_DIAG, or modprobe netlink_diag)",
            because.desc()
        )?;
    }
    Ok(())
}
