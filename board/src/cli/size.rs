use std::fmt::{self, Write};

use sureplug_core::rcvbuf::{Effective, Others};
use sureplug_core::selection::Selection;

use super::options::Options;
use super::output::{complain, print};
use super::{Exit, Prepared, prepare};
use crate::profile::Sizing;
use crate::report::object::Object;
use crate::report::{DeviceName, Undersized, subsystems};
use crate::socket::sysctl;
use crate::socket::{Filtering, Shortfall};
use crate::sysfs::BoardPorts;

/// Says how large the buffer must be, and asks the kernel for it.
pub(super) fn size(options: &Options) -> Exit {
    let Prepared { socket, filtering, board, sizing } = match prepare(&options.board) {
        Ok(prepared) => prepared,
        Err(exit) => return exit,
    };
    let granted = match socket.size(sizing.rcvbuf) {
        Ok(granted) => granted,
        Err(error) => {
            complain(&error);
            return Exit::Refused;
        }
    };
    let findings =
        Undersized { buffer: Shortfall::of(granted, sizing.rcvbuf), profile: sizing.mismatches(&board) };
    let selection = &options.board.selection;
    let report =
        Report { sizing, board, granted, rmem_max: sysctl::rmem_max(), findings, selection, filtering };
    let mut text = String::new();
    // A String takes whatever is written.
    let _ = if options.board.json { report.json(&mut text) } else { report.table(&mut text) };
    match print(&text) {
        Exit::Fine if report.findings.is_any() => Exit::Finding,
        exit => exit,
    }
}

struct Report<'o> {
    sizing: Sizing,
    board: BoardPorts,
    granted: Effective,
    rmem_max: Option<u32>,
    findings: Undersized,
    selection: &'o Selection,
    filtering: Filtering,
}

impl Report<'_> {
    fn table(&self, out: &mut String) -> fmt::Result {
        let Sizing { profile, topology, devpath_max, budget, rmem_default, rcvbuf } = &self.sizing;
        let plug = profile.port_device.profile();
        let origin = if profile.is_fixed() { "as stated" } else { "as counted, at least 4" };
        let device = DeviceName(&profile.port_device);
        let mut row =
            |name: &str, figure: u32, why: &dyn fmt::Display| writeln!(out, "{name:<28} {figure:>10}  {why}");
        row("USB ports", topology.ports(), &format!("{origin}; sysfs shows {}", self.board.ports))?;
        let shown = format!("of a device in a port; sysfs shows {}", self.board.longest_devpath);
        row("longest devpath, bytes", *devpath_max, &shown)?;
        row("longest stall, ms", profile.max_stall_ms, &"for which nobody may read the socket")?;
        row("shortest cycle, ms", plug.shortest_cycle_ms(), &"from one plug to the next")?;
        row("one plug, bytes", budget.plug_bytes(), &format!("{} events, {device}", plug.own_plug_events()))?;
        row("one unplug, bytes", budget.unplug_bytes(), &format!("{} events", plug.own_unplug_events()))?;
        row("times cycles", budget.cycles(), &"1 + longest stall / shortest cycle")?;
        row("times ports", topology.ports(), &"")?;
        row("= ports, bytes", budget.ports_bytes(), &"")?;
        let others = match self.filtering.others(self.selection) {
            Others::Filtered => "none: the kernel refuses them",
            Others::Virtual => "what drivers make for a device in a port elsewhere",
            Others::Unfiltered => "what drivers make elsewhere, and one coldplug of all of /sys",
        };
        row("+ other subsystems, bytes", budget.others_bytes(), &others)?;
        row("= budget, bytes", budget.total_bytes(), &"")?;
        row("at least, bytes", budget.hub8_bytes(), &"one hub with 8 sticks, in and out")?;
        row("at least, bytes", *rmem_default, &"net.core.rmem_default")?;
        row("wanted buffer, bytes", rcvbuf.effective().0, &"the largest of these, rounded up to 4096")?;
        row("to ask for, bytes", rcvbuf.requested().0, &"SO_RCVBUF; the kernel doubles it")?;
        if let Some(max) = self.rmem_max {
            let reach = format!("without CAP_NET_ADMIN a buffer of up to {}", u64::from(max) * 2);
            row("net.core.rmem_max, bytes", max, &reach)?;
        }
        row("the kernel gives, bytes", self.granted.0, &"to this process, now")?;
        if let Filtering::Kernel { reach_bytes, charge_bytes, optmem_max } = self.filtering {
            row("filter, bytes", charge_bytes, &format!("at most; net.core.optmem_max is {optmem_max}"))?;
            row("headers decided, bytes", reach_bytes, &"longer ones are left out by this process")?;
        }
        writeln!(out, "\nsubsystems: {}", self.selection)?;
        if let Filtering::Process(refusal) = self.filtering {
            writeln!(out, "filter: {refusal}")?;
        }
        let verdict = if self.findings.is_any() { "does not fit" } else { "fits" };
        writeln!(out, "verdict: it {verdict}")?;
        self.findings.reasons().try_for_each(|reason| writeln!(out, "- {reason}"))
    }

    fn json(&self, out: &mut String) -> fmt::Result {
        let Sizing { profile, topology, devpath_max, budget, rmem_default, rcvbuf } = &self.sizing;
        let plug = profile.port_device.profile();
        let figures = [
            ("ports", topology.ports()),
            ("ports_in_sysfs", self.board.ports),
            ("max_stall_ms", profile.max_stall_ms),
            ("shortest_cycle_ms", plug.shortest_cycle_ms()),
            ("devpath_max_bytes", *devpath_max),
            ("devpath_in_sysfs_bytes", self.board.longest_devpath),
            ("plug_events", plug.own_plug_events()),
            ("plug_bytes", budget.plug_bytes()),
            ("unplug_events", plug.own_unplug_events()),
            ("unplug_bytes", budget.unplug_bytes()),
            ("per_port_bytes", budget.per_port_bytes()),
            ("cycles", budget.cycles()),
            ("ports_bytes", budget.ports_bytes()),
            ("other_subsystems_bytes", budget.others_bytes()),
            ("budget_bytes", budget.total_bytes()),
            ("hub8_bytes", budget.hub8_bytes()),
            ("rmem_default_bytes", *rmem_default),
            ("wanted_bytes", rcvbuf.effective().0),
            ("request_bytes", rcvbuf.requested().0),
            ("granted_bytes", self.granted.0),
        ];
        let object = Object::begin(out, "size")?
            .boolean("fits", !self.findings.is_any())?
            .boolean("ports_stated", profile.is_fixed())?
            .display("port_device", &DeviceName(&profile.port_device))?
            .figures(&figures)?
            .optional("rmem_max_bytes", self.rmem_max.map(u64::from))?;
        let object = subsystems(object, self.selection, &self.filtering)?;
        let out = object.into_inner();
        let mut comma = ",\"findings\":[";
        for reason in self.findings.reasons() {
            out.write_str(comma)?;
            crate::report::object::text(out, reason)?;
            comma = ",";
        }
        out.write_str(if self.findings.is_any() { "]}\n" } else { ",\"findings\":[]}\n" })
    }
}
