//! Lines for programs: one JSON object each, its `kind` first. The fields are documented in
//! `board/JSON.md`.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use sureplug_core::selection::Selection;
use sureplug_core::stream::{DeviceEvent, ScanOutcome};
use sureplug_core::time::{Instant, micros};
use sureplug_core::uevent::Property;

use super::notice::{HookRun, Notice, Resync, Start};
use super::object::{Object, string};
use super::text::{DeviceName, FOREIGN, HelperWarning, RESTRICTED};
use super::totals::TABLE;
use crate::cause::Cause;
use crate::profile::Sizing;
use crate::socket::Filtering;
use crate::sysfs::{Fault, Missing};

pub(super) fn write(out: &mut dyn Write, notice: &Notice<'_>) -> fmt::Result {
    let time = |at: Instant| ("monotonic_us", at.as_micros());
    match *notice {
        Notice::Start(how) => start(out, how),
        Notice::Undersized(undersized) => {
            undersized.reasons().try_for_each(|reason| message(out, "undersized", reason))
        }
        Notice::Unserved(reason) => message(out, "unserved", reason),
        Notice::Restricted => message(out, "restricted", &RESTRICTED),
        Notice::UeventHelper { helper, has_hook } => Object::begin(out, "uevent_helper")
            .bytes("helper", helper.as_bytes())
            .display("message", &HelperWarning(&helper, has_hook))
            .end(),
        Notice::LedFailed(error) => message(out, "led_failed", &Cause(error)),
        Notice::Hook(HookRun { at, end, header, output, dropped_bytes, dropped_reports }) => {
            Object::begin(out, "hook")
                .numbers(&[
                    time(*at),
                    ("dropped_bytes", *dropped_bytes),
                    ("dropped_reports", *dropped_reports),
                ])
                .display("ending", end)
                .bytes("event", header)
                .bytes("output", output)
                .end()
        }
        Notice::HookMissed { at, events } => numbers(out, "hook_missed", &[time(at), ("events", events)]),
        Notice::Event(entry) => event(out, &entry, "monotonic_us"),
        Notice::Missed { events, .. } => numbers(out, "missed", &[("events", events)]),
        Notice::Reset => numbers(out, "reset", &[]),
        Notice::Current { is_out_of_date } => {
            Object::begin(out, "current").boolean("out_of_date", is_out_of_date).end()
        }
        Notice::Scanned { at, devices, took } => {
            numbers(out, "scanned", &[time(at), ("devices", devices as u64), ("took_us", micros(took))])
        }
        Notice::Loss { at, loss, resync } => {
            let kind = if loss.dropped > 0 { "overrun" } else { "damaged" };
            let figures = [
                time(at),
                ("dropped", loss.dropped.into()),
                ("damaged", loss.damaged.into()),
                ("queued_bytes", loss.queued.into()),
                ("effective_bytes", loss.effective.into()),
            ];
            let mut object = Object::begin(out, kind);
            object.numbers(&figures).boolean("repaired", matches!(resync, Resync::Done(..)));
            match resync {
                Resync::Done(outcome, took) => object.numbers(&counts(&outcome, took)),
                Resync::Incomplete(missing) => unread(&mut object, &missing),
                Resync::Ending => &mut object,
            }
            .end()
        }
        Notice::Incomplete { at, missing, retry } => {
            let mut object = Object::begin(out, "incomplete");
            unread(object.numbers(&[time(at), ("retry_us", micros(retry))]), &missing).end()
        }
        Notice::Completed { at, outcome, took } => {
            Object::begin(out, "completed").numbers(&[time(at)]).numbers(&counts(&outcome, took)).end()
        }
        Notice::ForeignSysfs => message(out, "foreign_sysfs", &FOREIGN),
        Notice::NoSysfs { at } => numbers(out, "no_sysfs", &[time(at)]),
        Notice::Unreported { at, outcome, took } => {
            Object::begin(out, "unreported").numbers(&[time(at)]).numbers(&counts(&outcome, took)).end()
        }
        Notice::TableFull { at, slots, bytes, subsystem, devices } => {
            let figures =
                [time(at), ("slots", slots), ("table_bytes", bytes), ("subsystem_devices", devices)];
            Object::begin(out, "table_full").numbers(&figures).bytes("subsystem", subsystem.as_bytes()).end()
        }
        Notice::Unreadable(Fault { path, what }) => {
            Object::begin(out, "unreadable").bytes("path", path).display("message", &Cause(*what)).end()
        }
        Notice::Forged(Fault { path, what }) => {
            Object::begin(out, "forged").bytes("devpath", path).bytes("line", what.as_bytes()).end()
        }
        Notice::Malformed { at, error, length } => Object::begin(out, "malformed")
            .numbers(&[time(at), ("offset", error.offset as u64), ("length_bytes", length as u64)])
            .display("message", &error)
            .end(),
        Notice::Truncated { at } => numbers(out, "truncated", &[time(at)]),
        Notice::Foreign { at, sender } => Object::begin(out, "foreign")
            .numbers(&[time(at), ("port", sender.port.into()), ("groups", sender.groups.into())])
            .optional("uid", sender.uid.map(u64::from))
            .end(),
        Notice::OutputDropped { lines } => numbers(out, "output_dropped", &[("lines", lines)]),
        Notice::Totals(sum) => {
            let mut object = Object::begin(out, "totals");
            object.display("ended_by", &sum.ended_by);
            for figure in &TABLE {
                object.numbers(&[(figure.key, figure.of(sum))]);
            }
            object.end()
        }
    }
}

fn message(out: &mut dyn Write, kind: &str, message: &dyn Display) -> fmt::Result {
    Object::begin(out, kind).display("message", message).end()
}

fn numbers(out: &mut dyn Write, kind: &str, numbers: &[(&str, u64)]) -> fmt::Result {
    Object::begin(out, kind).numbers(numbers).end()
}

fn start(out: &mut dyn Write, how: &Start<'_>) -> fmt::Result {
    let Sizing { profile, topology, devpath_max, budget, rcvbuf, .. } = how.sizing;
    let figures = [
        ("ports", topology.ports),
        ("devices_per_port", profile.devices_per_port),
        ("max_stall_ms", profile.max_stall_ms),
        ("devpath_max_bytes", *devpath_max),
        ("per_port_bytes", budget.per_port_bytes),
        ("cycles", budget.cycles),
        ("other_subsystems_bytes", budget.others_bytes),
        ("budget_bytes", budget.total_bytes),
        ("wanted_bytes", rcvbuf.effective().0),
        ("effective_bytes", how.effective.0),
    ];
    let mut object = Object::begin(out, "start");
    object
        .boolean("ports_stated", profile.is_fixed())
        .display("port_device", &DeviceName(&profile.port_device))
        .numbers(&figures);
    subsystems(&mut object, how.selection, &how.filtering).end()
}

/// Writes the selected subsystems, and what happens to the others.
pub(crate) fn subsystems<'a, 'o>(
    object: &'a mut Object<'o>,
    selection: &Selection,
    filtering: &Filtering,
) -> &'a mut Object<'o> {
    object.display("subsystems", selection).display("filter", &filtering.name());
    match filtering {
        Filtering::Everything => object,
        &Filtering::Kernel { reach_bytes, charge_bytes, optmem_max } => object.numbers(&[
            ("filter_reach_bytes", reach_bytes),
            ("filter_charge_bytes", charge_bytes),
            ("optmem_max_bytes", optmem_max),
        ]),
        Filtering::Process(refusal) => object.display("filter_refusal", refusal),
    }
}

/// Writes what a scan could not read: the number of places, and the first.
fn unread<'a, 'o>(object: &'a mut Object<'o>, missing: &Missing) -> &'a mut Object<'o> {
    object
        .numbers(&[("unreadable", missing.count)])
        .bytes("path", missing.path.as_bytes())
        .numbers(&[("errno", missing.errno as u64)])
        .display("message", &Cause(missing.errno))
}

fn counts(outcome: &ScanOutcome, took: Duration) -> [(&'static str, u64); 5] {
    [
        ("added", outcome.added.into()),
        ("removed", outcome.removed.into()),
        ("replaced", outcome.replaced.into()),
        ("kept", outcome.kept.into()),
        ("took_us", micros(took)),
    ]
}

/// Writes an event; `clock` is the key of its stamp.
pub(super) fn event(out: &mut dyn Write, entry: &DeviceEvent<'_>, clock: &str) -> fmt::Result {
    let uevent = entry.uevent;
    let mut object = Object::begin(out, "event");
    object
        .numbers(&[(clock, entry.stamp.as_micros())])
        .bytes("action", uevent.action().as_bytes())
        .bytes("devpath", uevent.devpath());
    match uevent.subsystem() {
        Some(subsystem) => object.bytes("subsystem", subsystem),
        None => object.optional("subsystem", None),
    }
    .optional("seqnum", uevent.seqnum());
    // An object's keys are unique: repeated properties follow in order. The added ones come first,
    // so that the sender of an event cannot override them.
    let mut is_any_repeated = false;
    object.field("properties", &mut |out| {
        is_any_repeated = pairs(out, entry, false, ["{", ":", ",", "}"])?;
        Ok(())
    });
    if is_any_repeated {
        object.field("repeated", &mut |out| pairs(out, entry, true, ["[[", ",", "],[", "]]"]).map(|_| ()));
    }
    object.end()
}

/// Writes, between these marks, the properties whose key is new, or those whose key is repeated,
/// and returns `true` if there are others. There must be at least one to write: the first property
/// of an event is its origin.
fn pairs(
    out: &mut dyn Write,
    entry: &DeviceEvent<'_>,
    are_repeated: bool,
    [begin, between, comma, end]: [&str; 4],
) -> Result<bool, fmt::Error> {
    let mut mark = begin;
    let mut has_others = false;
    for (index, property) in all(entry).enumerate() {
        if is_repeated(entry, index, property.key) != are_repeated {
            has_others = true;
            continue;
        }
        out.write_str(mark)?;
        string(out, property.key)?;
        out.write_str(between)?;
        string(out, property.value)?;
        mark = comma;
    }
    out.write_str(end)?;
    Ok(has_others)
}

fn all<'e>(entry: &DeviceEvent<'e>) -> impl Iterator<Item = Property<'e>> + use<'e> {
    entry.added_properties().chain(entry.uevent.properties())
}

/// Returns `true` if an earlier property has the key. With about 64 of them this is cheaper than a set.
fn is_repeated(entry: &DeviceEvent<'_>, index: usize, key: &[u8]) -> bool {
    all(entry).take(index).any(|before| before.key == key)
}

#[cfg(test)]
mod tests {
    use sureplug_core::stream::{DeviceEvent, Origin};
    use sureplug_core::time::Instant;
    use sureplug_core::uevent::{Action, Uevent};

    use super::event;

    fn entry(datagram: &[u8]) -> DeviceEvent<'_> {
        DeviceEvent {
            stamp: Instant::from_nanos(18_618_473_000),
            origin: Origin::Kernel,
            tracked: true,
            kernel_action: None,
            uevent: Uevent::parse(datagram).unwrap(),
        }
    }

    #[test]
    fn an_event_has_all_that_its_datagram_has() {
        let datagram =
            b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=usb\0K=\0K=2\0K=3\0SEQNUM=7\0";
        let mut out = String::new();
        event(&mut out, &entry(datagram), "monotonic_us").unwrap();
        assert_eq!(
            out,
            concat!(
                r#"{"kind":"event","monotonic_us":18618473,"action":"add","devpath":"/devices/x","#,
                r#""subsystem":"usb","seqnum":7,"properties":{"SUREPLUG_ORIGIN":"kernel","ACTION":"add","#,
                r#""DEVPATH":"/devices/x","SUBSYSTEM":"usb","K":"","SEQNUM":"7"},"repeated":[["K","2"],["K","3"]]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn missing_fields_are_null_and_added_properties_win() {
        let mut out = String::new();
        let kernel_action = Some(Action::Move);
        let untracked =
            DeviceEvent { tracked: false, kernel_action, ..entry(b"add@/x\0SUREPLUG_ORIGIN=forged\0") };
        event(&mut out, &untracked, "monotonic_us").unwrap();
        let wanted = concat!(
            r#""subsystem":null,"seqnum":null,"properties":{"SUREPLUG_ORIGIN":"kernel","#,
            r#""SUREPLUG_ACTION":"move","SUREPLUG_TRACKED":"no"},"repeated":[["SUREPLUG_ORIGIN","forged"]]}"#,
        );
        assert!(out.contains(wanted), "{out}");
    }
}
