//! Lines for programs: one JSON object each, its `kind` first. The fields are documented in the
//! README of this crate.

use std::fmt::{self, Write};
use std::time::Duration;

use sureplug_core::selection::Selection;
use sureplug_core::stream::{DeviceEvent, ScanOutcome};
use sureplug_core::time::{Instant, micros};
use sureplug_core::uevent::Property;

use super::notice::{HookRun, Notice, Resync, Start};
use super::object::{Object, string};
use super::text::{DeviceName, FOREIGN, HelperWarning, RESTRICTED};
use super::totals::TABLE;
use crate::profile::Sizing;
use crate::socket::Filtering;
use crate::sysfs::Missing;

pub(super) fn write(out: &mut dyn Write, notice: &Notice<'_>) -> fmt::Result {
    let time = |at: Instant| ("monotonic_us", at.as_micros());
    match *notice {
        Notice::Start(how) => start(out, how),
        Notice::Undersized(undersized) => undersized
            .reasons()
            .try_for_each(|reason| Object::begin(out, "undersized")?.display("message", &reason)?.end()),
        Notice::Unserved(reason) => Object::begin(out, "unserved")?.display("message", &reason)?.end(),
        Notice::Restricted => Object::begin(out, "restricted")?.display("message", &RESTRICTED)?.end(),
        Notice::UeventHelper { helper, has_hook } => Object::begin(out, "uevent_helper")?
            .bytes("helper", helper.as_bytes())?
            .display("message", &HelperWarning(&helper, has_hook))?
            .end(),
        Notice::LedFailed { error } => Object::begin(out, "led_failed")?.display("message", &error)?.end(),
        Notice::Hook(HookRun { at, end, header, output, dropped_bytes, dropped_reports }) => {
            let figures =
                [time(*at), ("dropped_bytes", *dropped_bytes), ("dropped_reports", *dropped_reports)];
            let object = Object::begin(out, "hook")?.numbers(&figures)?.display("ending", end)?;
            object.bytes("event", header)?.bytes("output", output)?.end()
        }
        Notice::HookMissed { at, events } => {
            Object::begin(out, "hook_missed")?.numbers(&[time(at), ("events", events)])?.end()
        }
        Notice::Event(entry) => event(out, &entry, "monotonic_us"),
        Notice::Missed { events, .. } => Object::begin(out, "missed")?.numbers(&[("events", events)])?.end(),
        Notice::Reset => Object::begin(out, "reset")?.end(),
        Notice::Current { is_out_of_date } => {
            Object::begin(out, "current")?.boolean("out_of_date", is_out_of_date)?.end()
        }
        Notice::Scanned { at, devices, took } => {
            let figures = [time(at), ("devices", devices as u64), ("took_us", micros(took))];
            Object::begin(out, "scanned")?.numbers(&figures)?.end()
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
            let is_done = matches!(resync, Resync::Done(..));
            let object = Object::begin(out, kind)?.numbers(&figures)?.boolean("repaired", is_done)?;
            match resync {
                Resync::Done(outcome, took) => object.numbers(&counts(&outcome, took))?.end(),
                Resync::Incomplete(missing) => unread(object, &missing)?.end(),
                Resync::Ending => object.end(),
            }
        }
        Notice::Incomplete { at, missing, retry } => {
            let figures = [time(at), ("retry_us", micros(retry))];
            unread(Object::begin(out, "incomplete")?.numbers(&figures)?, &missing)?.end()
        }
        Notice::Completed { at, outcome, took } => {
            Object::begin(out, "completed")?.numbers(&[time(at)])?.numbers(&counts(&outcome, took))?.end()
        }
        Notice::ForeignSysfs => Object::begin(out, "foreign_sysfs")?.display("message", &FOREIGN)?.end(),
        Notice::NoSysfs { at } => Object::begin(out, "no_sysfs")?.numbers(&[time(at)])?.end(),
        Notice::Unreported { at, outcome, took } => {
            Object::begin(out, "unreported")?.numbers(&[time(at)])?.numbers(&counts(&outcome, took))?.end()
        }
        Notice::TableFull { at, slots, bytes } => {
            let figures = [time(at), ("slots", slots), ("table_bytes", bytes)];
            Object::begin(out, "table_full")?.numbers(&figures)?.end()
        }
        Notice::Unreadable { path, error } => {
            Object::begin(out, "unreadable")?.bytes("path", path)?.display("message", &error)?.end()
        }
        Notice::Forged(forgery) => {
            let object = Object::begin(out, "forged")?.bytes("devpath", forgery.devpath)?;
            object.bytes("line", forgery.line)?.end()
        }
        Notice::Malformed { at, error, length } => {
            let figures = [time(at), ("offset", error.offset() as u64), ("length_bytes", length as u64)];
            Object::begin(out, "malformed")?.numbers(&figures)?.display("message", &error)?.end()
        }
        Notice::Truncated { at } => Object::begin(out, "truncated")?.numbers(&[time(at)])?.end(),
        Notice::Foreign { at, sender } => {
            let figures = [time(at), ("port", sender.port.into()), ("groups", sender.groups.into())];
            let object = Object::begin(out, "foreign")?.numbers(&figures)?;
            object.optional("uid", sender.uid.map(u64::from))?.end()
        }
        Notice::OutputDropped { lines } => {
            Object::begin(out, "output_dropped")?.numbers(&[("lines", lines)])?.end()
        }
        Notice::Totals(sum) => {
            let object = Object::begin(out, "totals")?.display("ended_by", &sum.ended_by)?;
            let mut figures = TABLE.iter().map(|figure| (figure.key, figure.of(sum)));
            figures.try_fold(object, |object, figure| object.numbers(&[figure]))?.end()
        }
    }
}

fn start(out: &mut dyn Write, how: &Start<'_>) -> fmt::Result {
    let Sizing { profile, topology, devpath_max, budget, rcvbuf, .. } = how.sizing;
    let figures = [
        ("ports", topology.ports()),
        ("max_stall_ms", profile.max_stall_ms),
        ("devpath_max_bytes", *devpath_max),
        ("per_port_bytes", budget.per_port_bytes()),
        ("cycles", budget.cycles()),
        ("other_subsystems_bytes", budget.others_bytes()),
        ("budget_bytes", budget.total_bytes()),
        ("wanted_bytes", rcvbuf.effective().0),
        ("effective_bytes", how.effective.0),
    ];
    let object = Object::begin(out, "start")?
        .boolean("ports_stated", profile.is_fixed())?
        .display("port_device", &DeviceName(&profile.port_device))?
        .figures(&figures)?;
    subsystems(object, how.selection, &how.filtering)?.end()
}

/// The subsystems that are wanted, and what becomes of the others.
pub(crate) fn subsystems<'o>(
    object: Object<'o>,
    selection: &Selection,
    filtering: &Filtering,
) -> Result<Object<'o>, fmt::Error> {
    let object = object.display("subsystems", selection)?.display("filter", &filtering.name())?;
    match filtering {
        Filtering::Everything => Ok(object),
        &Filtering::Kernel { reach_bytes, charge_bytes, optmem_max } => object.figures(&[
            ("filter_reach_bytes", reach_bytes),
            ("filter_charge_bytes", charge_bytes),
            ("optmem_max_bytes", optmem_max),
        ]),
        Filtering::Process(refusal) => object.display("filter_refusal", refusal),
    }
}

/// What a scan could not read: how often, and the first of it.
fn unread<'o>(object: Object<'o>, missing: &Missing) -> Result<Object<'o>, fmt::Error> {
    let object = object.numbers(&[("unreadable", missing.count.into())])?.bytes("path", missing.path())?;
    object.numbers(&[("errno", missing.errno as u64)])?.display("message", &missing.errno)
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

/// `clock` is what the stamp is called.
pub(super) fn event(out: &mut dyn Write, entry: &DeviceEvent<'_>, clock: &str) -> fmt::Result {
    let uevent = entry.uevent;
    let object = Object::begin(out, "event")?.numbers(&[(clock, entry.stamp.as_micros())])?;
    let object = object.bytes("action", uevent.action().as_bytes())?.bytes("devpath", uevent.devpath())?;
    let object = match uevent.subsystem() {
        Some(subsystem) => object.bytes("subsystem", subsystem)?,
        None => object.optional("subsystem", None)?,
    };
    let out = object.optional("seqnum", uevent.seqnum())?.into_inner();
    // Keys of an object are unique: what comes again stands behind it, in order. What is added comes first,
    // so that nobody who sends events has a say in it.
    out.write_str(",\"properties\":{")?;
    let mut comma = "";
    let mut repeats = 0;
    for (index, property) in all(entry).enumerate() {
        if is_repeated(entry, index, property.key) {
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
        for (index, property) in all(entry).enumerate() {
            if is_repeated(entry, index, property.key) {
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

fn all<'e>(entry: &DeviceEvent<'e>) -> impl Iterator<Item = Property<'e>> + use<'e> {
    entry.added_properties().chain(entry.uevent.properties())
}

/// Some 64 properties: looking at all before is cheaper than remembering.
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
    fn what_an_event_lacks_is_null_and_what_is_added_wins() {
        let mut out = String::new();
        let kernel_action = Some(Action::Move);
        let told =
            DeviceEvent { tracked: false, kernel_action, ..entry(b"add@/x\0SUREPLUG_ORIGIN=forged\0") };
        event(&mut out, &told, "monotonic_us").unwrap();
        let wanted = concat!(
            r#""subsystem":null,"seqnum":null,"properties":{"SUREPLUG_ORIGIN":"kernel","#,
            r#""SUREPLUG_ACTION":"move","SUREPLUG_TRACKED":"no"},"repeated":[["SUREPLUG_ORIGIN","forged"]]}"#,
        );
        assert!(out.contains(wanted), "{out}");
    }
}
