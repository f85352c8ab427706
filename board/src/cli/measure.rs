//! `sureplug measure`: shows the events that a device raises, and the resulting profile.

use std::fmt::{self, Write};

use nix::sys::signal::Signal;
use sureplug_core::uevent::{Escaped, EscapedWord, Uevent};

use super::options::Options;
use super::{Command, Exit, Failure, Prepared, complain, prepare, print_with};
use crate::diag::measure::Measurement;
use crate::diag::session::{Progress, Session};
use crate::profile::Sizing;
use crate::report::DeviceName;
use crate::report::object::Object;
use crate::signals;

pub(super) const COMMAND: Command = Command {
    usage: "measure",
    summary: "measure the events of one plug and one unplug of a device, and show the resulting profile",
    help: "Exit codes: 0 measured, 1 no plug and unplug seen, 2 wrong usage, 3 refused by the system.",
    run,
};

fn run(options: &Options) -> Result<Exit, Failure> {
    // The socket used for sizing is unsuitable: a filter would hide some of the device's events.
    let Prepared { filtering, board, sizing, .. } = prepare(options, options.selection())?;
    let is_json = options.json;
    let mut show = |progress: Progress<'_>| {
        // The measurement continues without a reader.
        let _ = print_with(|out| match progress {
            Progress::Prompt(what) if is_json => Object::begin(out, "prompt").display("message", &what).end(),
            Progress::Prompt(what) => writeln!(out, "sureplug: {what}"),
            Progress::Charged(uevent, charged) => event(out, is_json, uevent, charged),
        });
    };
    let mut session = Session::new(&mut show);
    match &options.pcap {
        Some(file) => session.replay(file)?,
        None => session.watch(sizing.rcvbuf, &signals::take(&[Signal::SIGTERM, Signal::SIGINT])?)?,
    }
    let measurement = &*session.measurement;
    if !measurement.is_complete {
        complain(&match (measurement.devpath(), &options.pcap) {
            ([], None) => "ended before a device was plugged in",
            ([], Some(_)) => "the capture has no plug; start recording before the device is plugged in",
            (_, None) => "ended before the device was unplugged",
            (_, Some(_)) => "the capture has no unplug; record until the device is unplugged",
        });
        return Ok(Exit::Finding);
    }
    let board = options.pcap.is_none().then_some(&board);
    let sizing = session
        .sizing(&sizing.profile, board, filtering.others(options.selection()))
        .map_err(|error| format!("{}: {error}", measurement.custom()))?;
    let is_measured = session.meter.is_some();
    print_with(|out| {
        if is_json {
            json(out, measurement, is_measured, &sizing)
        } else {
            lines(out, measurement, is_measured, &sizing)
        }
    })
}

fn event(out: &mut String, is_json: bool, uevent: &Uevent<'_>, charged: u32) -> fmt::Result {
    let bytes = uevent.datagram().len();
    if is_json {
        return Object::begin(out, "charged")
            .bytes("action", uevent.action().as_bytes())
            .bytes("devpath", uevent.devpath())
            .numbers(&[("length_bytes", bytes as u64), ("charged_bytes", charged.into())])
            .end();
    }
    let (action, devpath) = (Escaped(uevent.action().as_bytes()), EscapedWord(uevent.devpath()));
    writeln!(out, "{bytes:>5} B {charged:>5} charged  {action} {devpath}")
}

fn lines(out: &mut String, measurement: &Measurement, is_measured: bool, sizing: &Sizing) -> fmt::Result {
    let (plug, unplug) = (&measurement.plug, &measurement.unplug);
    writeln!(out, "\nplug: {} events, {} B charged", plug.events, plug.charged)?;
    writeln!(out, "unplug: {} events, {} B charged", unplug.events, unplug.charged)?;
    if !is_measured {
        out.push_str("(charges are an upper bound: this kernel's charges could not be measured)\n");
    }
    writeln!(out, "shortest cycle: {} ms", measurement.shortest_cycle_ms())?;
    let (longest, own) = (measurement.longest_devpath, measurement.devpath().len());
    writeln!(out, "longest devpath: {longest} B; of the device itself: {own} B")?;
    if measurement.others > 0 {
        writeln!(out, "{} events of other devices are not counted", measurement.others)?;
    }
    writeln!(
        out,
        "\nfor the image's build:\nSUREPLUG_USB_PORTS={}\nSUREPLUG_PORT_DEVICE={}\nSUREPLUG_DEVICES_PER_PORT={}\n\
         SUREPLUG_MAX_STALL_MS={}\nSUREPLUG_DEVPATH_MAX={}\n\nresulting receive buffer: {} B",
        sizing.topology.ports,
        DeviceName(&sizing.profile.port_device),
        sizing.profile.devices_per_port,
        sizing.profile.max_stall_ms,
        sizing.devpath_max,
        sizing.rcvbuf.effective().0
    )
}

fn json(out: &mut String, measurement: &Measurement, is_measured: bool, sizing: &Sizing) -> fmt::Result {
    let (plug, unplug) = (&measurement.plug, &measurement.unplug);
    Object::begin(out, "measure")
        .bytes("devpath", measurement.devpath())
        .boolean("is_charge_measured", is_measured)
        .numbers(&[
            ("plug_events", plug.events.into()),
            ("plug_bytes", plug.charged),
            ("unplug_events", unplug.events.into()),
            ("unplug_bytes", unplug.charged),
            ("shortest_cycle_ms", measurement.shortest_cycle_ms()),
            ("longest_devpath_bytes", measurement.longest_devpath as u64),
            ("other_events", measurement.others.into()),
            ("ports", sizing.topology.ports.into()),
            ("devices_per_port", sizing.profile.devices_per_port.into()),
            ("max_stall_ms", sizing.profile.max_stall_ms.into()),
            ("devpath_max_bytes", sizing.devpath_max.into()),
            ("wanted_bytes", sizing.rcvbuf.effective().0.into()),
        ])
        .display("port_device", &DeviceName(&sizing.profile.port_device))
        .end()
}
