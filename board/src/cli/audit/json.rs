use std::fmt::{self, Write};

use super::rates::Rates;
use crate::diag::audit::{Audit, Audited, Owner, Source, key};
use crate::report::object::{self, Object};

/// An object for each socket, and one about all of them.
pub(super) fn write(out: &mut String, audit: &Audit, rates: Option<&Rates>) -> fmt::Result {
    audit.sockets.iter().try_for_each(|audited| socket(out, audit, audited, rates))?;
    let limits = &audit.limits;
    let counts = [audit.sockets.len(), audit.findings(), audit.ownerless(), audit.owners.unreadable];
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
    let has_sizes = matches!(audit.source, Source::SockDiag);
    Object::begin(out, "audit")?.numbers(&figures)?.boolean("has_sizes", has_sizes)?.end()
}

fn socket(out: &mut String, audit: &Audit, audited: &Audited, rates: Option<&Rates>) -> fmt::Result {
    let Audited { socket, verdict } = audited;
    let object = Object::begin(out, "socket")?
        .boolean("is_the_kernels", socket.is_the_kernels())?
        .numbers(&[("port", socket.port.into()), ("inode", socket.inode.into())])?
        .optional("effective_bytes", socket.effective.map(u64::from))?
        .numbers(&[("queued_bytes", socket.queued.into()), ("drops", socket.drops.into())])?
        .optional("drops_per_s", rates.map(|rates| rates.of(key(socket))))?
        .boolean("is_finding", verdict.is_finding())?;
    let object = if socket.is_the_kernels() {
        object.display("verdict", &"the kernel's own")?
    } else {
        object.display("verdict", verdict)?
    };
    let out = object.into_inner();
    list(out, "groups", socket.group_numbers(), |out, group| write!(out, "{group}"))?;
    list(out, "owners", audit.owners.of(socket), |out, owner| self::owner(out, audit, owner))?;
    out.write_str("}\n")
}

fn owner(out: &mut dyn Write, audit: &Audit, owner: &Owner) -> fmt::Result {
    let process = audit.owners.process(owner);
    write!(out, "{{\"pid\":{},\"fd\":{},\"command\":", owner.pid, owner.fd)?;
    object::string(out, &process.command)?;
    out.write_str(",\"unit\":")?;
    if process.unit.is_empty() {
        out.write_str("null")?;
    } else {
        object::string(out, &process.unit)?;
    }
    out.write_char('}')
}

fn list<T>(
    out: &mut dyn Write,
    key: &str,
    items: impl IntoIterator<Item = T>,
    mut each: impl FnMut(&mut dyn Write, T) -> fmt::Result,
) -> fmt::Result {
    write!(out, ",\"{key}\":[")?;
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.write_char(',')?;
        }
        each(out, item)?;
    }
    out.write_char(']')
}
