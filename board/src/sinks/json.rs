//! Lines for programs: one JSON object each, its `kind` first. The fields are documented in the
//! README of this crate.

use std::fmt::{self, Write};

use sureplug_core::rcvbuf::Effective;
use sureplug_core::uevent::Uevent;

use super::line::Line;
use super::text::DeviceName;
use crate::boot_time::BootTime;
use crate::json::{Object, string};

pub(super) fn write(out: &mut impl Write, line: &Line<'_>) -> fmt::Result {
    match *line {
        Line::Start(sizing, Effective(effective)) => Object::begin(out, "start")?
            .number("ports", sizing.topology.ports())?
            .boolean("ports_stated", sizing.profile.is_fixed())?
            .display("port_device", &DeviceName(&sizing.profile.port_device))?
            .number("max_stall_ms", sizing.profile.max_stall_ms)?
            .number("devpath_max_bytes", sizing.devpath_max)?
            .number("per_port_bytes", sizing.budget.per_port_bytes())?
            .number("cycles", sizing.budget.cycles())?
            .number("other_subsystems_bytes", sizing.budget.foreign_bytes())?
            .number("budget_bytes", sizing.budget.total_bytes())?
            .number("wanted_bytes", sizing.rcvbuf.effective().0)?
            .number("effective_bytes", effective)?
            .end(),
        Line::Undersized(undersized) => undersized.reasons().try_for_each(|reason| {
            Object::begin(out, "undersized")?
                .display("message", &reason)?
                .end()
        }),
        Line::Event { at, uevent } => event(out, at, &uevent),
        Line::Overrun {
            at,
            dropped,
            queued,
            effective,
        } => Object::begin(out, "overrun")?
            .number("boottime_us", at.since_boot().as_micros())?
            .number("dropped", dropped)?
            .number("queued_bytes", queued)?
            .number("effective_bytes", effective)?
            .end(),
        Line::Malformed { at, error, length } => Object::begin(out, "malformed")?
            .number("boottime_us", at.since_boot().as_micros())?
            .number("offset", error.offset())?
            .number("length_bytes", length)?
            .display("message", &error)?
            .end(),
        Line::Truncated { at } => Object::begin(out, "truncated")?
            .number("boottime_us", at.since_boot().as_micros())?
            .end(),
        Line::Foreign { at, sender } => {
            let object = Object::begin(out, "foreign")?
                .number("boottime_us", at.since_boot().as_micros())?
                .number("port", sender.port)?
                .number("groups", sender.groups)?;
            object.optional("uid", sender.uid)?.end()
        }
        Line::OutputDropped { lines } => Object::begin(out, "output_dropped")?
            .number("lines", lines)?
            .end(),
        Line::Totals(sum) => Object::begin(out, "totals")?
            .display("ended_by", &sum.ended_by)?
            .number("received", sum.received)?
            .number("lost", sum.lost)?
            .number("malformed", sum.malformed)?
            .number("foreign", sum.foreign)?
            .number("truncated", sum.truncated)?
            .number("peak_queued_bytes", sum.peak_queued)?
            .number("effective_bytes", sum.effective)?
            .number("longest_stall_us", sum.longest_stall.as_micros())?
            .number("max_stall_ms", sum.max_stall_ms)?
            .number("output_dropped_lines", sum.output_dropped)?
            .end(),
    }
}

fn event(out: &mut impl Write, at: BootTime, uevent: &Uevent<'_>) -> fmt::Result {
    let object = Object::begin(out, "event")?.number("boottime_us", at.since_boot().as_micros())?;
    let object = object
        .bytes("action", uevent.action().as_bytes())?
        .bytes("devpath", uevent.devpath())?;
    let object = match uevent.subsystem() {
        Some(subsystem) => object.bytes("subsystem", subsystem)?,
        None => object.optional::<u8>("subsystem", None)?,
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
    use crate::boot_time::BootTime;

    #[test]
    fn an_event_has_all_that_its_datagram_has() {
        let datagram =
            b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=usb\0K=\0K=2\0K=3\0SEQNUM=7\0";
        let mut out = String::new();
        event(
            &mut out,
            BootTime::from_nanos(18_618_473_000),
            &Uevent::parse(datagram).unwrap(),
        )
        .unwrap();
        assert_eq!(
            out,
            concat!(
                r#"{"kind":"event","boottime_us":18618473,"action":"add","devpath":"/devices/x","#,
                r#""subsystem":"usb","seqnum":7,"properties":{"ACTION":"add","DEVPATH":"/devices/x","#,
                r#""SUBSYSTEM":"usb","K":"","SEQNUM":"7"},"repeated":[["K","2"],["K","3"]]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn what_an_event_lacks_is_null() {
        let mut out = String::new();
        event(
            &mut out,
            BootTime::from_nanos(0),
            &Uevent::parse(b"add@/x\0").unwrap(),
        )
        .unwrap();
        assert!(
            out.contains(r#""subsystem":null,"seqnum":null,"properties":{}}"#),
            "{out}"
        );
    }
}
