//! `sureplug size`: the budget, its derivation, and the buffer that the kernel grants.

use std::fmt::{self, Display, Write};

use sureplug_core::rcvbuf::{Effective, Others};

use super::options::Options;
use super::{Command, Exit, Failure, Prepared, prepare, print_with};
use crate::profile::Sizing;
use crate::report::object::{self, Object};
use crate::report::{DeviceName, Undersized, subsystems};
use crate::socket::sysctl;
use crate::socket::{Filtering, Shortfall};
use crate::sysfs::BoardPorts;

pub(super) const COMMAND: Command = Command {
    usage: "size",
    summary: "show the receive buffer that the board needs, and whether the kernel grants it",
    help: "Exit codes: 0 the buffer fits, 1 it does not, 2 wrong usage, 3 refused by the system.",
    run,
};

fn run(options: &Options) -> Result<Exit, Failure> {
    let Prepared { socket, filtering, board, sizing } = prepare(options, options.selection())?;
    let granted = socket.size(sizing.rcvbuf).map_err(Failure::refused)?;
    let findings =
        Undersized { buffer: Shortfall::of(granted, sizing.rcvbuf), profile: sizing.mismatches(&board) };
    let report =
        Report { options, sizing, board, granted, rmem_max: sysctl::rmem_max(), findings, filtering };
    print_with(|out| if options.json { report.json(out) } else { report.table(out) })?;
    Ok(Exit::of(report.findings.is_any()))
}

struct Report<'o> {
    options: &'o Options,
    sizing: Sizing,
    board: BoardPorts,
    granted: Effective,
    rmem_max: Option<u32>,
    findings: Undersized,
    filtering: Filtering,
}

impl Report<'_> {
    /// Calls `each` with a figure's key in JSON, its name in the table, its value and an
    /// explanation. A figure without a name is only in JSON; one without a key only in the table.
    fn figures(&self, each: &mut dyn FnMut(&str, &str, u32, &dyn Display) -> fmt::Result) -> fmt::Result {
        let Sizing { profile, topology, devpath_max, budget, rmem_default, rcvbuf } = &self.sizing;
        let plug = profile.plug();
        let origin = if profile.is_fixed() { "as stated" } else { "as counted, at least 4" };
        let found = &self.board;
        let others = match self.filtering.others(self.options.selection()) {
            Others::Filtered => "none: the kernel filters them out",
            Others::Virtual => "of virtual devices that drivers add for a device in a port",
            Others::Unfiltered => "of devices that drivers add elsewhere, and one coldplug of /sys",
        };
        let (ports, device) = (topology.ports, DeviceName(&profile.port_device));
        let (plug_events, unplug_events) =
            (plug.plug.own_count() * plug.copies, plug.unplug.own_count() * plug.copies);
        each("ports", "USB ports", ports, &format_args!("{origin}; sysfs shows {}", found.ports))?;
        each("ports_in_sysfs", "", found.ports, &"")?;
        let own = "of the board's own devices, besides the USB ports";
        each("hardwired_ports", "hardwired ports", found.hardwired, &own)?;
        let behind = "at once, hubs included";
        each("devices_per_port", "devices per port", profile.devices_per_port, &behind)?;
        let shown = format!("of a device in a port; sysfs shows {}", found.longest_devpath);
        each("devpath_max_bytes", "longest devpath, bytes", *devpath_max, &shown)?;
        each("devpath_in_sysfs_bytes", "", found.longest_devpath, &"")?;
        let (stall, cycle) = (profile.max_stall_ms, plug.shortest_cycle_ms);
        each("max_stall_ms", "longest stall, ms", stall, &"that the socket may go unread")?;
        each("shortest_cycle_ms", "shortest cycle, ms", cycle, &"from one plug to the next")?;
        let events = format!("{plug_events} events, {device}; `sureplug measure` measures another device");
        each("plug_bytes", "one plug, bytes", budget.plug_bytes, &events)?;
        each("plug_events", "", plug_events, &"")?;
        let events = format!("{unplug_events} events");
        each("unplug_bytes", "one unplug, bytes", budget.unplug_bytes, &events)?;
        each("unplug_events", "", unplug_events, &"")?;
        each("per_port_bytes", "", budget.per_port_bytes, &"")?;
        each("cycles", "times cycles", budget.cycles, &"1 + longest stall / shortest cycle")?;
        each("", "times ports", ports, &"")?;
        each("ports_bytes", "= ports, bytes", budget.ports_bytes, &"")?;
        each("other_subsystems_bytes", "+ other subsystems, bytes", budget.others_bytes, &others)?;
        each("budget_bytes", "= budget, bytes", budget.total_bytes, &"")?;
        each("hub8_bytes", "at least, bytes", budget.hub8_bytes, &"one hub with 8 sticks, in and out")?;
        each("rmem_default_bytes", "at least, bytes", *rmem_default, &"net.core.rmem_default")?;
        let (wanted, request) = (rcvbuf.effective().0, rcvbuf.requested().0);
        each("wanted_bytes", "wanted buffer, bytes", wanted, &"the largest of these, rounded up to 4096")?;
        each("request_bytes", "to request, bytes", request, &"SO_RCVBUF; the kernel doubles it")?;
        if let Some(max) = self.rmem_max {
            let reach = format!("without CAP_NET_ADMIN a buffer of up to {}", u64::from(max) * 2);
            each("", "net.core.rmem_max, bytes", max, &reach)?;
        }
        each("granted_bytes", "granted, bytes", self.granted.0, &"by the kernel, to this process")?;
        if let Filtering::Kernel { reach_bytes, charge_bytes, optmem_max } = self.filtering {
            let limit = format!("at most; net.core.optmem_max is {optmem_max}");
            each("", "filter, bytes", charge_bytes, &limit)?;
            each("", "filtered header, bytes", reach_bytes, &"this process filters longer ones")?;
        }
        Ok(())
    }

    fn table(&self, out: &mut String) -> fmt::Result {
        self.figures(&mut |_, name, figure, reason| match name {
            "" => Ok(()),
            name => writeln!(out, "{name:<28} {figure:>10}  {reason}"),
        })?;
        writeln!(out, "\nsubsystems: {}", self.options.selection())?;
        if let Filtering::Process(refusal) = self.filtering {
            writeln!(out, "filter: {refusal}")?;
        }
        let verdict = if self.findings.is_any() { "does not fit" } else { "fits" };
        writeln!(out, "verdict: it {verdict}")?;
        self.findings.reasons().try_for_each(|reason| writeln!(out, "- {reason}"))
    }

    fn json(&self, out: &mut String) -> fmt::Result {
        let profile = &self.sizing.profile;
        let mut object = Object::begin(out, "size");
        object
            .boolean("fits", !self.findings.is_any())
            .boolean("ports_stated", profile.is_fixed())
            .display("port_device", &DeviceName(&profile.port_device));
        self.figures(&mut |key, _, figure, _| {
            if !key.is_empty() {
                object.numbers(&[(key, figure)]);
            }
            Ok(())
        })?;
        object.optional("rmem_max_bytes", self.rmem_max.map(u64::from));
        subsystems(&mut object, self.options.selection(), &self.filtering)
            .list("findings", self.findings.reasons(), object::text)
            .end()
    }
}
