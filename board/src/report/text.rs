//! Writes lines for people, short enough for a serial line of 115,200 baud.

use std::fmt::{self, Write};
use std::time::Duration;

use sureplug_core::rcvbuf::PortDevice;
use sureplug_core::stream::{DeviceEvent, Origin, ScanOutcome};
use sureplug_core::time::{Instant, micros};
use sureplug_core::uevent::{Escaped, EscapedWord};

use super::Totals;
use super::notice::{HookRun, Loss, Notice, Resync, Start};
use crate::cause::Cause;
use crate::profile::Sizing;
use crate::socket::Filtering;
use crate::sysfs::{Clipped, Fault, Missing};

/// The warning about a sysfs mounted in another network namespace.
pub(super) const FOREIGN: &str = "sysfs belongs to another network namespace: network devices are known from their events \
    alone, and no scan finds or removes them; mount sysfs in this namespace";

pub(super) fn write(out: &mut dyn Write, notice: &Notice<'_>, verbose: bool) -> fmt::Result {
    match *notice {
        Notice::Start(how) => start(out, how),
        Notice::Undersized(undersized) => undersized
            .reasons()
            .try_for_each(|reason| writeln!(out, "sureplug: warning: {reason}; events can be lost")),
        Notice::Unserved(reason) => writeln!(out, "sureplug: warning: no socket for applications: {reason}"),
        Notice::Restricted => writeln!(out, "sureplug: warning: {RESTRICTED}"),
        Notice::UeventHelper { helper, has_hook } => {
            writeln!(out, "sureplug: warning: {}", HelperWarning(&helper, has_hook))
        }
        Notice::LedFailed(error) => {
            writeln!(out, "sureplug: warning: the status LED cannot be switched: {} (once)", Cause(error))
        }
        Notice::Hook(run) => hook(out, run),
        Notice::HookMissed { at, events } => writeln!(
            out,
            "{at} hook: {events} events missed, of whatever subsystem: it is slower than they come; what they changed \
             follows"
        ),
        Notice::Event(entry) => {
            event(out, &entry)?;
            if verbose { properties(out, &entry) } else { Ok(()) }
        }
        Notice::Missed { events, is_ending } => writeln!(
            out,
            "sureplug: {events} events missed here: the reader of this output did not keep up; {}",
            if is_ending { "the daemon ends" } else { "the delta follows" }
        ),
        Notice::Reset => {
            writeln!(out, "sureplug: forget all devices: lines of this output are gone; those present follow")
        }
        Notice::Current { is_out_of_date: false } => {
            out.write_str("sureplug: all present devices are listed; live events follow\n")
        }
        Notice::Current { is_out_of_date: true } => {
            writeln!(out, "sureplug: all known devices are listed; warning: {OUT_OF_DATE}")
        }
        Notice::Scanned { at, devices, took } => {
            writeln!(out, "{at} scanned: {devices} devices in sysfs, in {}", Millis(took))
        }
        Notice::Loss { at, loss, resync } => self::loss(out, at, &loss, &resync),
        Notice::Incomplete { at, missing, retry } => incomplete(out, at, &missing, retry),
        Notice::Completed { at, outcome, took } => {
            writeln!(out, "{at} completed: sysfs could be read again: {}", Changes(&outcome, took))
        }
        Notice::NoSysfs { at } => writeln!(
            out,
            "{at} no sysfs: nothing is mounted where it should be, so no device is known and no port was counted; \
             mount sysfs there, which is looked for again and again"
        ),
        Notice::Unreported { at, outcome, took } => {
            writeln!(out, "{at} unreported: sysfs shows unannounced changes: {}", Changes(&outcome, took))
        }
        Notice::ForeignSysfs => writeln!(out, "sureplug: warning: {FOREIGN}"),
        Notice::TableFull { at, slots, bytes, subsystem, devices } => writeln!(
            out,
            "{at} table full: {devices} of its devices are of {}; devices beyond {slots} or beyond {bytes} B, and \
             beyond three quarters if they are not below USB ports, are not tracked and pass with SUREPLUG_TRACKED=no; \
             leave that subsystem out with --subsystem, or, if USB devices are most, build the image with more \
             SUREPLUG_USB_PORTS",
            EscapedWord(subsystem.as_bytes())
        ),
        Notice::Unreadable(Fault { path, what }) => {
            let (path, cause) = (EscapedWord(path), Cause(*what));
            let effect = "devices there are not found by a scan";
            writeln!(out, "sureplug: warning: cannot read {path} in sysfs: {cause}; {effect}")
        }
        Notice::Forged(fault) => {
            writeln!(out, "sureplug: warning: {fault}; reported once for each device")
        }
        Notice::Malformed { at, error, length } => {
            writeln!(out, "{at} malformed: an event of the kernel, {length} bytes: {error}")
        }
        Notice::Truncated { at } => {
            writeln!(out, "{at} truncated: an event of the kernel is longer than its limits allow")
        }
        Notice::Foreign { at, sender } => {
            write!(out, "{at} foreign: a message of port {}, groups {}, ", sender.port, sender.groups)?;
            match sender.uid {
                Some(uid) => write!(out, "uid {uid}")?,
                None => write!(out, "no uid")?,
            }
            writeln!(out, ": not the kernel's, ignored; further ones are only counted")
        }
        Notice::OutputDropped { lines } => writeln!(
            out,
            "sureplug: {lines} lines dropped here: this output did not take them; no event of the socket is lost by \
             that"
        ),
        Notice::Totals(sum) => totals(out, sum),
    }
}

/// Writes `overrun: kernel dropped 17 (queued 2176 of 2304 B)` or `damaged: 2 events of the
/// kernel`, and the result of the resync.
fn loss(out: &mut dyn Write, at: Instant, loss: &Loss, resync: &Resync) -> fmt::Result {
    match loss {
        Loss { dropped: 0, damaged, .. } => write!(out, "{at} damaged: {damaged} events of the kernel")?,
        Loss { dropped, damaged, queued, effective } => {
            write!(out, "{at} overrun: kernel dropped {dropped} (queued {queued} of {effective} B)")?;
            if *damaged > 0 {
                write!(out, ", {damaged} arrived damaged")?;
            }
        }
    }
    match resync {
        Resync::Done(outcome, took) => writeln!(out, "; repaired: {}", Changes(outcome, *took)),
        Resync::Incomplete(missing) => {
            writeln!(out, "; not repaired yet, because sysfs could not be read: {missing}")
        }
        Resync::Ending => writeln!(out, "; not repaired, because the daemon is ending"),
    }
}

fn incomplete(out: &mut dyn Write, at: Instant, missing: &Missing, retry: Duration) -> fmt::Result {
    write!(out, "{at} incomplete: sysfs could not be read: {missing}; devices may be missing")?;
    match retry {
        Duration::ZERO => out.write_char('\n'),
        retry => writeln!(out, "; next attempt in {}", Millis(retry)),
    }
}

/// Why the devices known to a daemon may not be those present.
pub(crate) const OUT_OF_DATE: &str = "the devices are out of date: events were lost, or sysfs could not be read; `sureplug status` shows the state";

/// What it means to be in a network namespace of another user namespace.
pub(super) const RESTRICTED: &str = "only events of this network namespace's net devices can arrive, because it belongs \
    to another user namespace than the kernel's first; run the daemon outside, and give the container its socket";

/// The warning about a program that the kernel runs for each event.
pub(super) struct HelperWarning<'h>(pub(super) &'h Clipped, pub(super) bool);

impl fmt::Display for HelperWarning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the kernel runs {} for each event", Escaped(self.0.as_bytes()))?;
        f.write_str(if self.1 {
            ", and so does --hook: each event is handled twice"
        } else {
            " (with a hook such as mdev each event would be handled twice)"
        })?;
        f.write_str(
            "; `echo > /sys/kernel/uevent_helper` ends that, or a kernel without CONFIG_UEVENT_HELPER",
        )
    }
}

fn start(out: &mut dyn Write, how: &Start<'_>) -> fmt::Result {
    let Sizing { profile, topology, devpath_max, budget, rmem_default, rcvbuf } = how.sizing;
    let ports = topology.ports;
    let origin = if profile.is_fixed() { "stated" } else { "counted, at least 4" };
    let device = DeviceName(&profile.port_device);
    write!(out, "sureplug: profile: {ports} USB ports ({origin}), ")?;
    if profile.devices_per_port > 1 {
        write!(out, "{} x ", profile.devices_per_port)?;
    }
    writeln!(
        out,
        "{device} in each, stall up to {} ms, devpath up to {devpath_max} B",
        profile.max_stall_ms
    )?;
    writeln!(
        out,
        "sureplug: budget: {} B = {ports} ports x {} B a plug and unplug x {} cycles + {} B of other subsystems; \
         at least {} B (hub with 8 sticks) and {rmem_default} B (default)",
        budget.total_bytes, budget.per_port_bytes, budget.cycles, budget.others_bytes, budget.hub8_bytes,
    )?;
    writeln!(
        out,
        "sureplug: receive buffer: {} B effective, {} B wanted",
        how.effective.0,
        rcvbuf.effective().0
    )?;
    write!(out, "sureplug: subsystems: {}", how.selection)?;
    match how.filtering {
        Filtering::Everything => out.write_char('\n'),
        Filtering::Kernel { reach_bytes, charge_bytes, optmem_max } => writeln!(
            out,
            "; the kernel refuses others whose header has up to {reach_bytes} B (filter of {charge_bytes} B, \
             net.core.optmem_max = {optmem_max})"
        ),
        Filtering::Process(refusal) => writeln!(out, "\nsureplug: warning: {refusal}"),
    }
}

/// Writes `[   18.618473] add usb /devices/…/usb2/2-1 46f4:0001 bus/usb/002/002`, and the origin
/// unless it is the kernel.
fn event(out: &mut dyn Write, entry: &DeviceEvent<'_>) -> fmt::Result {
    let uevent = entry.uevent;
    let subsystem = uevent.subsystem().filter(|name| !name.is_empty()).unwrap_or(b"-");
    write!(out, "{} {} ", entry.stamp, uevent.action())?;
    write!(out, "{} {}", EscapedWord(subsystem), EscapedWord(uevent.devpath()))?;
    if uevent.devtype() == Some(b"usb_device") {
        if let Some(id) = uevent.product() {
            write!(out, " {:04x}:{:04x}", id.vendor, id.product)?;
        }
    }
    if let Some(devname) = uevent.devname() {
        write!(out, " {}", EscapedWord(devname))?;
    }
    out.write_str(match entry.origin {
        Origin::Kernel => "\n",
        Origin::Scan => " (scan)\n",
        Origin::Resync => " (repair)\n",
    })
}

fn properties(out: &mut dyn Write, entry: &DeviceEvent<'_>) -> fmt::Result {
    let all = entry.added_properties().chain(entry.uevent.properties());
    let mut all = all.map(|p| (Escaped(p.key), Escaped(p.value)));
    all.try_for_each(|(key, value)| writeln!(out, "    {key}={value}"))
}

/// `3 added, 1 removed, 2 replaced, 41 kept, in 4.1 ms`.
struct Changes<'o>(&'o ScanOutcome, Duration);

impl fmt::Display for Changes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScanOutcome { added, removed, replaced, kept, .. } = self.0;
        let took = Millis(self.1);
        write!(f, "{added} added, {removed} removed, {replaced} replaced, {kept} kept, in {took}")
    }
}

/// `4.1 ms`.
struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = micros(self.0) / 100;
        write!(f, "{}.{} ms", tenths / 10, tenths % 10)
    }
}

fn totals(out: &mut dyn Write, sum: &Totals) -> fmt::Result {
    let Totals { ended_by, received, lost, malformed, foreign, truncated, .. } = sum;
    let Totals { peak_queued, effective, longest_stall_us, max_stall_ms, .. } = sum;
    let Totals { resyncs, devices, untracked, unselected, output_missed, output_dropped, .. } = sum;
    let Totals { clients_missed, .. } = sum;
    writeln!(out, "sureplug: ended by {ended_by}")?;
    writeln!(
        out,
        "sureplug: received {received}, lost {lost}, malformed {malformed}, foreign {foreign}, \
         truncated {truncated}"
    )?;
    writeln!(
        out,
        "sureplug: {resyncs} repairs, {devices} devices present, {untracked} without a place in the table; \
         {unselected} events of other subsystems left out; {clients_missed} events missed by applications; \
         {output_missed} events missed and {output_dropped} lines dropped by this output"
    )?;
    if sum.hook_runs + sum.hook_missed > 0 {
        writeln!(out, "sureplug: hook: {} runs, {} events missed", sum.hook_runs, sum.hook_missed)?;
    }
    if sum.forged_lines > 0 {
        let lines = sum.forged_lines;
        writeln!(out, "sureplug: ignored {lines} lines of uevent files that the kernel did not write")?;
    }
    writeln!(
        out,
        "sureplug: peak {peak_queued} of {effective} B queued, longest stall {} ms (profile: {max_stall_ms} ms)",
        longest_stall_us / 1_000
    )
}

fn hook(out: &mut dyn Write, run: &HookRun) -> fmt::Result {
    let HookRun { at, end, header, output, dropped_bytes, dropped_reports } = run;
    write!(out, "{at} hook: {end}: {}", EscapedWord(header))?;
    if !output.is_empty() {
        write!(out, ": {}", Escaped(output.trim_ascii_end()))?;
    }
    if *dropped_bytes > 0 {
        write!(out, ", and {dropped_bytes} B more")?;
    }
    if *dropped_reports > 0 {
        write!(out, "; {dropped_reports} runs before it are not reported")?;
    }
    out.write_char('\n')
}

/// A device as in `SUREPLUG_PORT_DEVICE`.
pub(crate) struct DeviceName<'a>(pub(crate) &'a PortDevice);

impl fmt::Display for DeviceName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            PortDevice::Class(class) => f.write_str(class.name()),
            PortDevice::Custom(custom) => custom.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Totals, totals};
    use crate::report::totals::TABLE;

    /// Figures that the text leaves to `status`, and the stall, which it shows in milliseconds.
    const NOT_IN_TEXT: [&str; 11] = [
        "unknown_removals",
        "unacknowledged",
        "last_loss_monotonic_us",
        "last_loss_events",
        "last_repair_us",
        "unreadable",
        "longest_stall_us",
        "table_used_bytes",
        "clients",
        "connections",
        "refused_connections",
    ];

    #[test]
    fn totals_show_each_figure_or_leave_it_to_status() {
        let sum = Totals::numbered(1_000_000, 1_001);
        let mut text = String::new();
        totals(&mut text, &sum).unwrap();
        for figure in &TABLE {
            let is_shown = text.contains(&figure.of(&sum).to_string());
            assert_eq!(is_shown, !NOT_IN_TEXT.contains(&figure.key), "{} in {text}", figure.key);
        }
        assert!(NOT_IN_TEXT.iter().all(|key| TABLE.iter().any(|figure| figure.key == *key)));
    }
}
