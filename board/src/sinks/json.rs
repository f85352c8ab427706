//! Lines for programs: one JSON object each, its `kind` first. The fields are documented in the
//! README of this crate.

use std::fmt::{self, Write};

use sureplug_core::rcvbuf::Effective;
use sureplug_core::uevent::Uevent;

use super::line::Line;
use super::text::DeviceName;
use crate::json::{Object, string};
use crate::monotonic::Monotonic;
use crate::profile::Sizing;

pub(super) fn write(out: &mut dyn Write, line: &Line<'_>) -> fmt::Result {
    let time = |at: Monotonic| ("monotonic_us", at.as_micros());
    match *line {
        Line::Start(sizing, Effective(effective)) => start(out, sizing, effective),
        Line::Undersized(undersized) => undersized
            .reasons()
            .try_for_each(|reason| Object::begin(out, "undersized")?.display("message", &reason)?.end()),
        Line::Event { at, uevent } => event(out, at, &uevent),
        Line::Overrun { at, dropped, queued, effective } => {
            let figures = [
                time(at),
                ("dropped", dropped.into()),
                ("queued_bytes", queued.into()),
                ("effective_bytes", effective.into()),
            ];
            Object::begin(out, "overrun")?.numbers(&figures)?.end()
        }
        Line::Malformed { at, error, length } => {
            let figures = [time(at), ("offset", error.offset() as u64), ("length_bytes", length as u64)];
            Object::begin(out, "malformed")?.numbers(&figures)?.display("message", &error)?.end()
        }
        Line::Truncated { at } => Object::begin(out, "truncated")?.numbers(&[time(at)])?.end(),
        Line::Foreign { at, sender } => {
            let figures = [time(at), ("port", sender.port.into()), ("groups", sender.groups.into())];
            let object = Object::begin(out, "foreign")?.numbers(&figures)?;
            object.optional("uid", sender.uid.map(u64::from))?.end()
        }
        Line::OutputDropped { lines } => {
            Object::begin(out, "output_dropped")?.numbers(&[("lines", lines)])?.end()
        }
        Line::Totals(sum) => {
            let figures = [
                ("received", sum.received),
                ("lost", sum.lost),
                ("malformed", sum.malformed),
                ("foreign", sum.foreign),
                ("truncated", sum.truncated),
                ("peak_queued_bytes", sum.peak_queued),
                ("effective_bytes", sum.effective.into()),
                ("longest_stall_us", sum.longest_stall_us),
                ("max_stall_ms", sum.max_stall_ms.into()),
                ("output_dropped_lines", sum.output_dropped),
            ];
            Object::begin(out, "totals")?.display("ended_by", &sum.ended_by)?.numbers(&figures)?.end()
        }
    }
}

fn start(out: &mut dyn Write, sizing: &Sizing, effective: u32) -> fmt::Result {
    let Sizing { profile, topology, devpath_max, budget, rcvbuf, .. } = sizing;
    let figures = [
        ("ports", topology.ports()),
        ("max_stall_ms", profile.max_stall_ms),
        ("devpath_max_bytes", *devpath_max),
        ("per_port_bytes", budget.per_port_bytes()),
        ("cycles", budget.cycles()),
        ("other_subsystems_bytes", budget.others_bytes()),
        ("budget_bytes", budget.total_bytes()),
        ("wanted_bytes", rcvbuf.effective().0),
        ("effective_bytes", effective),
    ];
    Object::begin(out, "start")?
        .boolean("ports_stated", profile.is_fixed())?
        .display("port_device", &DeviceName(&profile.port_device))?
        .figures(&figures)?
        .end()
}

fn event(out: &mut dyn Write, at: Monotonic, uevent: &Uevent<'_>) -> fmt::Result {
    let object = Object::begin(out, "event")?.numbers(&[("monotonic_us", at.as_micros())])?;
    let object = object.bytes("action", uevent.action().as_bytes())?.bytes("devpath", uevent.devpath())?;
    let object = match uevent.subsystem() {
        Some(subsystem) => object.bytes("subsystem", subsystem)?,
        None => object.optional("subsystem", None)?,
    };
    let out = object.optional("seqnum", uevent.seqnum())?.into_inner();
    // Keys of an object are unique: what comes again stands behind it, in order.
    out.write_str(",\"properties\":{")?;
    let mut comma = "";
    let mut repeats = 0;
    for (index, property) in uevent.properties().enumerate() {
        if is_repeated(uevent, index, property.key) {
            repeats += 1;
            continue;
        }
        out.write_str(comma)?;
        string(out, property.key)?;
        out.write_char(':')?;
        string(out, property.value)?;
        comma = ",";
    }
    out.write_char('}')?;
    if repeats > 0 {
        let mut comma = ",\"repeated\":[[";
        for (index, property) in uevent.properties().enumerate() {
            if is_repeated(uevent, index, property.key) {
                out.write_str(comma)?;
                string(out, property.key)?;
                out.write_char(',')?;
                string(out, property.value)?;
                comma = "],[";
            }
        }
        out.write_str("]]")?;
    }
    out.write_str("}\n")
}

/// At most 64 properties: looking at all before is cheaper than remembering.
fn is_repeated(uevent: &Uevent<'_>, index: usize, key: &[u8]) -> bool {
    uevent.properties().take(index).any(|before| before.key == key)
}

#[cfg(test)]
mod tests {
    use sureplug_core::uevent::Uevent;

    use super::event;
    use crate::monotonic::Monotonic;

    #[test]
    fn an_event_has_all_that_its_datagram_has() {
        let datagram =
            b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=usb\0K=\0K=2\0K=3\0SEQNUM=7\0";
        let mut out = String::new();
        event(&mut out, Monotonic::from_nanos(18_618_473_000), &Uevent::parse(datagram).unwrap()).unwrap();
        assert_eq!(
            out,
            concat!(
                r#"{"kind":"event","monotonic_us":18618473,"action":"add","devpath":"/devices/x","#,
                r#""subsystem":"usb","seqnum":7,"properties":{"ACTION":"add","DEVPATH":"/devices/x","#,
                r#""SUBSYSTEM":"usb","K":"","SEQNUM":"7"},"repeated":[["K","2"],["K","3"]]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn what_an_event_lacks_is_null() {
        let mut out = String::new();
        event(&mut out, Monotonic::from_nanos(0), &Uevent::parse(b"add@/x\0").unwrap()).unwrap();
        assert!(out.contains(r#""subsystem":null,"seqnum":null,"properties":{}}"#), "{out}");
    }
}
