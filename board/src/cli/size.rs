use std::fmt::{self, Write};

use sureplug_core::rcvbuf::Effective;

use super::Exit;
use super::args::SizeOptions;
use super::output::{complain, print};
use crate::json::Object;
use crate::netlink::{Shortfall, UeventSocket};
use crate::profile::Sizing;
use crate::sinks::{DeviceName, Undersized};
use crate::sysctl;
use crate::sysfs::BoardPorts;

/// Says how large the buffer must be, and asks the kernel for it.
pub(super) fn size(options: &SizeOptions) -> Exit {
    let board = BoardPorts::count(&options.board.sysfs);
    let sizing = match Sizing::for_board(&options.board.profile, &board, sysctl::rmem_default()) {
        Ok(sizing) => sizing,
        Err(error) => {
            complain(&error);
            return Exit::Usage;
        }
    };
    let granted = match UeventSocket::probe(sizing.rcvbuf) {
        Ok(granted) => granted,
        Err(error) => {
            complain(&error);
            return Exit::Refused;
        }
    };
    let findings = Undersized {
        buffer: Shortfall::of(granted, sizing.rcvbuf),
        profile: sizing.mismatches(&board),
    };
    let report = Report {
        sizing,
        board,
        granted,
        rmem_max: sysctl::rmem_max(),
        findings,
    };
    let mut text = String::new();
    // A String takes whatever is written.
    let _ = if options.board.json {
        report.json(&mut text)
    } else {
        report.table(&mut text)
    };
    match print(&text) {
        Exit::Fine if report.findings.is_any() => Exit::Finding,
        exit => exit,
    }
}

struct Report {
    sizing: Sizing,
    board: BoardPorts,
    granted: Effective,
    rmem_max: Option<u32>,
    findings: Undersized,
}

impl Report {
    fn table(&self, out: &mut String) -> fmt::Result {
        let Sizing {
            profile,
            topology,
            devpath_max,
            budget,
            rmem_default,
            rcvbuf,
        } = &self.sizing;
        let plug = profile.port_device.profile();
        let (stall, cycle) = (profile.max_stall_ms, plug.shortest_cycle_ms());
        let origin = if profile.is_fixed() {
            "as stated"
        } else {
            "as counted, at least 4"
        };
        let mut row = |name: &str, figure: &dyn fmt::Display, why: fmt::Arguments<'_>| {
            writeln!(out, "{name:<28} {figure:>10}  {why}")
        };
        row(
            "USB ports",
            &topology.ports(),
            format_args!("{origin}; sysfs shows {}", self.board.ports),
        )?;
        row(
            "longest devpath, bytes",
            devpath_max,
            format_args!(
                "of a device in a port; sysfs shows {}",
                self.board.longest_devpath
            ),
        )?;
        row(
            "longest stall, ms",
            &stall,
            format_args!("for which nobody may read the socket"),
        )?;
        row(
            "one plug, bytes",
            &budget.plug_bytes(),
            format_args!(
                "{} events, {}",
                plug.plug_events(),
                DeviceName(&profile.port_device)
            ),
        )?;
        row(
            "one unplug, bytes",
            &budget.unplug_bytes(),
            format_args!("{} events", plug.unplug_events()),
        )?;
        row(
            "times cycles",
            &budget.cycles(),
            format_args!("1 + {stall} ms / {cycle} ms for a plug and unplug"),
        )?;
        row("times ports", &topology.ports(), format_args!(""))?;
        row("= ports, bytes", &budget.ports_bytes(), format_args!(""))?;
        row(
            "+ other subsystems, bytes",
            &budget.foreign_bytes(),
            format_args!("one coldplug of all of /sys: every uevent is charged, whatever its subsystem"),
        )?;
        row("= budget, bytes", &budget.total_bytes(), format_args!(""))?;
        row(
            "at least, bytes",
            &budget.comfort_bytes(),
            format_args!("one hub with 8 sticks, in and out"),
        )?;
        row(
            "at least, bytes",
            rmem_default,
            format_args!("net.core.rmem_default"),
        )?;
        row(
            "wanted buffer, bytes",
            &rcvbuf.effective().0,
            format_args!("the largest, rounded up to 4096"),
        )?;
        row(
            "to ask for, bytes",
            &rcvbuf.requested().0,
            format_args!("the kernel doubles it"),
        )?;
        match self.rmem_max {
            Some(max) => row(
                "net.core.rmem_max, bytes",
                &max,
                format_args!("without CAP_NET_ADMIN up to {} B", u64::from(max) * 2),
            )?,
            None => row(
                "net.core.rmem_max, bytes",
                &"unknown",
                format_args!("it cannot be read"),
            )?,
        }
        row(
            "the kernel gives, bytes",
            &self.granted.0,
            format_args!("to this process, now"),
        )?;
        if !self.findings.is_any() {
            return writeln!(out, "\nverdict: it fits");
        }
        writeln!(out, "\nverdict: it does not fit")?;
        self.findings
            .reasons()
            .try_for_each(|reason| writeln!(out, "- {reason}"))
    }

    fn json(&self, out: &mut String) -> fmt::Result {
        let Sizing {
            profile,
            topology,
            devpath_max,
            budget,
            rmem_default,
            rcvbuf,
        } = &self.sizing;
        let plug = profile.port_device.profile();
        let object = Object::begin(out, "size")?
            .number("ports", topology.ports())?
            .boolean("ports_stated", profile.is_fixed())?
            .number("ports_in_sysfs", self.board.ports)?
            .display("port_device", &DeviceName(&profile.port_device))?
            .number("max_stall_ms", profile.max_stall_ms)?
            .number("shortest_cycle_ms", plug.shortest_cycle_ms())?
            .number("devpath_max_bytes", devpath_max)?
            .number("devpath_in_sysfs_bytes", self.board.longest_devpath)?
            .number("plug_events", plug.plug_events())?
            .number("plug_bytes", budget.plug_bytes())?
            .number("unplug_events", plug.unplug_events())?
            .number("unplug_bytes", budget.unplug_bytes())?
            .number("cycles", budget.cycles())?
            .number("ports_bytes", budget.ports_bytes())?
            .number("other_subsystems_bytes", budget.foreign_bytes())?
            .number("budget_bytes", budget.total_bytes())?
            .number("hub8_bytes", budget.comfort_bytes())?
            .number("rmem_default_bytes", rmem_default)?
            .number("wanted_bytes", rcvbuf.effective().0)?
            .number("request_bytes", rcvbuf.requested().0)?
            .optional("rmem_max_bytes", self.rmem_max)?
            .number("granted_bytes", self.granted.0)?
            .boolean("fits", !self.findings.is_any())?;
        let out = object.into_inner();
        let mut comma = ",\"findings\":[";
        for reason in self.findings.reasons() {
            out.write_str(comma)?;
            crate::json::text(out, reason)?;
            comma = ",";
        }
        out.write_str(if self.findings.is_any() {
            "]}\n"
        } else {
            ",\"findings\":[]}\n"
        })
    }
}
