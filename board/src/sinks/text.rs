//! Lines for people: short enough for a serial line of 115,200 baud.

use std::fmt::{self, Write};

use sureplug_core::rcvbuf::{Effective, PortDevice};
use sureplug_core::uevent::{Escaped, Uevent};

use super::line::Line;
use crate::profile::Sizing;
use crate::totals::Totals;

pub(super) fn write(out: &mut dyn Write, line: &Line<'_>, verbose: bool) -> fmt::Result {
    match *line {
        Line::Start(sizing, Effective(effective)) => start(out, sizing, effective),
        Line::Undersized(undersized) => undersized
            .reasons()
            .try_for_each(|reason| writeln!(out, "sureplug: warning: {reason}; events can be lost")),
        Line::Event { at, uevent } => {
            write!(out, "{at} ")?;
            event(out, &uevent)?;
            if verbose { properties(out, &uevent) } else { Ok(()) }
        }
        Line::Overrun { at, dropped, queued, effective } => {
            writeln!(out, "{at} overrun: kernel dropped {dropped} (queued {queued} of {effective} B)")
        }
        Line::Malformed { at, error, length } => {
            writeln!(out, "{at} malformed: an event of the kernel, {length} bytes: {error}")
        }
        Line::Truncated { at } => {
            writeln!(out, "{at} truncated: an event of the kernel is longer than its limits allow")
        }
        Line::Foreign { at, sender } => {
            write!(out, "{at} foreign: a message of port {}, groups {}, ", sender.port, sender.groups)?;
            match sender.uid {
                Some(uid) => write!(out, "uid {uid}")?,
                None => write!(out, "no uid")?,
            }
            writeln!(out, ": not the kernel's, ignored; further ones are only counted")
        }
        Line::OutputDropped { lines } => writeln!(
            out,
            "sureplug: {lines} lines dropped here: the reader of this output did not keep up; \
             no event of the socket is lost by that"
        ),
        Line::Totals(sum) => totals(out, sum),
    }
}

fn start(out: &mut dyn Write, sizing: &Sizing, effective: u32) -> fmt::Result {
    let Sizing { profile, topology, devpath_max, budget, rmem_default, rcvbuf } = sizing;
    let ports = topology.ports();
    let origin = if profile.is_fixed() { "stated" } else { "counted, at least 4" };
    let device = DeviceName(&profile.port_device);
    writeln!(
        out,
        "sureplug: profile: {ports} USB ports ({origin}), {device} in each, stall up to {} ms, devpath up to \
         {devpath_max} B",
        profile.max_stall_ms
    )?;
    writeln!(
        out,
        "sureplug: budget: {} B = {ports} ports x {} B a plug and unplug x {} cycles + {} B of other subsystems; \
         at least {} B (hub with 8 sticks) and {rmem_default} B (default)",
        budget.total_bytes(),
        budget.per_port_bytes(),
        budget.cycles(),
        budget.others_bytes(),
        budget.hub8_bytes(),
    )?;
    writeln!(out, "sureplug: receive buffer: {effective} B effective, {} B wanted", rcvbuf.effective().0)
}

/// `add usb /devices/…/usb2/2-1 46f4:0001 bus/usb/002/002`.
fn event(out: &mut dyn Write, uevent: &Uevent<'_>) -> fmt::Result {
    let subsystem = uevent.subsystem().filter(|name| !name.is_empty()).unwrap_or(b"-");
    write!(out, "{} {} {}", uevent.action(), Escaped(subsystem), Escaped(uevent.devpath()))?;
    if uevent.devtype() == Some(b"usb_device") {
        if let Some(id) = uevent.product() {
            write!(out, " {:04x}:{:04x}", id.vendor, id.product)?;
        }
    }
    if let Some(devname) = uevent.devname() {
        write!(out, " {}", Escaped(devname))?;
    }
    writeln!(out)
}

fn properties(out: &mut dyn Write, uevent: &Uevent<'_>) -> fmt::Result {
    uevent.properties().try_for_each(|p| writeln!(out, "    {}={}", Escaped(p.key), Escaped(p.value)))
}

fn totals(out: &mut dyn Write, sum: &Totals) -> fmt::Result {
    let Totals { ended_by, received, lost, malformed, foreign, truncated, .. } = sum;
    let Totals { peak_queued, effective, longest_stall_us, max_stall_ms, output_dropped, .. } = sum;
    writeln!(out, "sureplug: ended by {ended_by}")?;
    writeln!(
        out,
        "sureplug: received {received}, lost {lost}, malformed {malformed}, foreign {foreign}, \
         truncated {truncated}"
    )?;
    writeln!(
        out,
        "sureplug: peak {peak_queued} of {effective} B queued, longest stall {} ms (profile: {max_stall_ms} ms), \
         {output_dropped} lines of output dropped",
        longest_stall_us / 1_000
    )
}

/// As it is written in `SUREPLUG_PORT_DEVICE`.
pub(crate) struct DeviceName<'a>(pub(crate) &'a PortDevice);

impl fmt::Display for DeviceName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            PortDevice::Class(class) => f.write_str(class.name()),
            PortDevice::Custom(custom) => custom.fmt(f),
        }
    }
}
