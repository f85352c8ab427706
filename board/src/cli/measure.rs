//! `sureplug measure`: what the very device that one worries about raises.

use std::fmt::{self, Write};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use crate::diag::measure::{Measurement, SETTLED_AFTER, Step};
use nix::poll::PollTimeout;
use nix::sys::signal::Signal;
use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::netlink::DropCounter;
use sureplug_core::rcvbuf::{DEVPATH_MAX_BYTES, Others, PortDevice, SkbAbi};
use sureplug_core::uevent::{Escaped, EscapedWord, Uevent};

use super::decode::{Capture, Message};
use super::options::Options;
use super::output::{complain, print};
use super::{Exit, Prepared, prepare};
use crate::diag::charge::ChargeMeter;
use crate::doorbell::poll_in;
use crate::profile::{Profile, Sizing};
use crate::report::DeviceName;
use crate::report::object::Object;
use crate::signals;
use crate::socket::sysctl;
use crate::socket::{BATCH_MESSAGES, Batch, Datagram as Received, UeventSocket};
use crate::sysfs::BoardPorts;
use crate::time::monotonic_now;

/// Why there are no figures.
enum Trouble {
    /// The system, or the capture.
    Refused(String),
    /// No plug and unplug were seen.
    Incomplete,
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Measures one plug and one unplug.
pub(super) fn measure(options: &Options) -> Exit {
    // Its socket is not for this: a filter would hide a part of what a device raises.
    let Prepared { filtering, board, sizing, .. } = match prepare(&options.board) {
        Ok(prepared) => prepared,
        Err(exit) => return exit,
    };
    let others = filtering.others(&options.board.selection);
    let mut session = Session {
        is_json: options.board.json,
        // Without one the charges are those of the kernel that charges most.
        meter: ChargeMeter::new(MAX_DATAGRAM_BYTES).ok(),
        measurement: Box::new(Measurement::new()),
    };
    let result = match &options.pcap {
        Some(file) => session.replay(file),
        None => session.watch(&sizing),
    };
    match result {
        Ok(()) => session.report(&sizing.profile, &board, others, options.pcap.is_some()),
        Err(Trouble::Incomplete) => {
            complain(&match (session.measurement.devpath(), options.pcap.is_some()) {
                ([], false) => "ended before a device was plugged in",
                ([], true) => "no device is plugged in in that capture: record from before the plug",
                (_, false) => "ended before the device was unplugged",
                (_, true) => "the device is not unplugged in that capture: record until after the unplug",
            });
            Exit::Finding
        }
        Err(Trouble::Refused(error)) => {
            complain(&error);
            Exit::Refused
        }
    }
}

struct Session {
    is_json: bool,
    meter: Option<ChargeMeter>,
    measurement: Box<Measurement>,
}

impl Session {
    /// From a capture.
    fn replay(&mut self, path: &Path) -> Result<(), Trouble> {
        let file =
            File::open(path).map_err(|error| Trouble::Refused(format!("{}: {error}", path.display())))?;
        let mut capture = Capture::new(file);
        loop {
            match capture.next() {
                Ok(Some(Message::Uevent { unix_us, datagram, .. })) => {
                    self.take(unix_us.saturating_mul(1_000), datagram);
                }
                Ok(Some(Message::Other)) => {}
                Ok(None) => break,
                Err(failure) => return Err(Trouble::Refused(format!("{}: {failure}", path.display()))),
            }
        }
        if self.measurement.is_complete() { Ok(()) } else { Err(Trouble::Incomplete) }
    }

    /// As it happens.
    fn watch(&mut self, sizing: &Sizing) -> Result<(), Trouble> {
        let signals = signals::take(&[Signal::SIGTERM, Signal::SIGINT])?;
        let socket =
            UeventSocket::open(sizing.rcvbuf).map_err(|error| Trouble::Refused(error.to_string()))?;
        let mut drops = DropCounter::starting_at(socket.initial().map_or(0, |info| info.drops));
        let mut batch = Batch::new(BATCH_MESSAGES);
        self.prompt("plug in the device, into a port of the board itself");
        let mut has_asked = false;
        let mut last = monotonic_now();
        loop {
            let has_begun = !self.measurement.devpath().is_empty();
            let timeout = if has_begun { SETTLED_AFTER } else { Duration::MAX };
            let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::NONE);
            let [signalled, _] = poll_in([signals.as_fd(), socket.as_fd()], timeout)?;
            if signalled {
                return Err(Trouble::Incomplete);
            }
            let now = monotonic_now();
            let mut is_counted = false;
            socket.receive(&mut batch, usize::MAX, |message| {
                if let Received::Event(datagram) = message {
                    is_counted |= self.take(now.as_nanos(), datagram) != Step::Other;
                }
            })?;
            if let Ok(info) = socket.mem_info() {
                if drops.observe(info.drops) > 0 {
                    return Err(Trouble::Refused(String::from(
                        "the kernel dropped events meanwhile; measure again, with more --ports for a larger buffer",
                    )));
                }
            }
            if is_counted {
                last = now;
            } else if has_begun && now.since(last) >= SETTLED_AFTER {
                if self.measurement.is_complete() {
                    return Ok(());
                }
                if !has_asked {
                    has_asked = true;
                    self.prompt("unplug it");
                }
            }
        }
    }

    /// Says what to do. If nobody reads it, nobody waits for the figures.
    fn prompt(&self, what: &str) {
        let mut text = String::new();
        // A String takes whatever is written.
        let _ = if self.is_json {
            Object::begin(&mut text, "prompt").and_then(|object| object.display("message", &what)?.end())
        } else {
            writeln!(text, "sureplug: {what}")
        };
        let _ = print(&text);
    }

    /// Counts an event, and shows it if it is the device's.
    fn take(&mut self, at_ns: u64, datagram: &[u8]) -> Step {
        let Ok(uevent) = Uevent::parse(datagram) else { return Step::Other };
        let bytes = datagram.len();
        let charged = self.meter.as_mut().and_then(|meter| meter.charge(bytes).ok());
        let charged = charged.unwrap_or(SkbAbi::BOUND_64.truesize(u32::try_from(bytes).unwrap_or(u32::MAX)));
        let step = self.measurement.event(at_ns, &uevent, charged);
        if step != Step::Other {
            let mut text = String::new();
            // A String takes whatever is written.
            let _ = self.show(&mut text, &uevent, charged);
            let _ = print(&text);
        }
        step
    }

    fn show(&self, out: &mut String, uevent: &Uevent<'_>, charged: u32) -> fmt::Result {
        let bytes = uevent.datagram().len();
        if self.is_json {
            return Object::begin(out, "charged")?
                .bytes("action", uevent.action().as_bytes())?
                .bytes("devpath", uevent.devpath())?
                .numbers(&[("length_bytes", bytes as u64), ("charged_bytes", charged.into())])?
                .end();
        }
        let (action, devpath) = (Escaped(uevent.action().as_bytes()), EscapedWord(uevent.devpath()));
        writeln!(out, "{bytes:>5} B {charged:>5} charged  {action} {devpath}")
    }

    /// The figures, and the profile that follows.
    fn report(&self, stated: &Profile, board: &BoardPorts, others: Others, is_replayed: bool) -> Exit {
        let custom = self.measurement.custom().to_string();
        let devpath = u32::try_from(self.measurement.devpath().len()).unwrap_or(u32::MAX);
        // Where it is measured later, the ports of that machine say nothing.
        let longest = if is_replayed { devpath } else { devpath.max(board.longest_devpath) };
        let profile = PortDevice::parse(&custom).map(|port_device| Profile {
            ports: Some(stated.ports.unwrap_or(board.ports).max(1)),
            port_device,
            max_stall_ms: stated.max_stall_ms,
            devpath_max: Some(longest.clamp(*DEVPATH_MAX_BYTES.start(), *DEVPATH_MAX_BYTES.end())),
        });
        let sizing = profile.and_then(|profile| {
            Sizing::for_board(&profile, &BoardPorts::default(), sysctl::rmem_default(), others)
        });
        let sizing = match sizing {
            Ok(sizing) => sizing,
            Err(error) => {
                complain(&format_args!("{custom}: {error}"));
                return Exit::Refused;
            }
        };
        let mut text = String::new();
        // A String takes whatever is written.
        let _ = if self.is_json { self.json(&mut text, &sizing) } else { self.lines(&mut text, &sizing) };
        print(&text)
    }

    fn lines(&self, out: &mut String, sizing: &Sizing) -> fmt::Result {
        let (measurement, profile) = (&self.measurement, &sizing.profile);
        let (plug, unplug) = (measurement.plug(), measurement.unplug());
        writeln!(out, "\nplug: {} events, {} B charged", plug.events, plug.charged)?;
        writeln!(out, "unplug: {} events, {} B charged", unplug.events, unplug.charged)?;
        if self.meter.is_none() {
            out.push_str("(charged as by the kernel that charges most: this one cannot be tried)\n");
        }
        writeln!(out, "shortest cycle: {} ms", measurement.shortest_cycle_ms())?;
        writeln!(
            out,
            "longest devpath: {} B; of the device itself: {} B",
            measurement.longest_devpath(),
            measurement.devpath().len()
        )?;
        if measurement.others() > 0 {
            writeln!(out, "{} events of other devices are not counted", measurement.others())?;
        }
        writeln!(
            out,
            "\nfor the image's build:\nSUREPLUG_USB_PORTS={}\nSUREPLUG_PORT_DEVICE={}\nSUREPLUG_MAX_STALL_MS={}\n\
             SUREPLUG_DEVPATH_MAX={}\n\nreceive buffer that follows: {} B",
            sizing.topology.ports(),
            DeviceName(&profile.port_device),
            profile.max_stall_ms,
            sizing.devpath_max,
            sizing.rcvbuf.effective().0
        )
    }

    fn json(&self, out: &mut String, sizing: &Sizing) -> fmt::Result {
        let measurement = &self.measurement;
        let (plug, unplug) = (measurement.plug(), measurement.unplug());
        Object::begin(out, "measure")?
            .bytes("devpath", measurement.devpath())?
            .boolean("is_charge_measured", self.meter.is_some())?
            .numbers(&[
                ("plug_events", plug.events.into()),
                ("plug_bytes", plug.charged),
                ("unplug_events", unplug.events.into()),
                ("unplug_bytes", unplug.charged),
                ("shortest_cycle_ms", measurement.shortest_cycle_ms()),
                ("longest_devpath_bytes", measurement.longest_devpath() as u64),
                ("other_events", measurement.others().into()),
            ])?
            .figures(&[
                ("ports", sizing.topology.ports()),
                ("max_stall_ms", sizing.profile.max_stall_ms),
                ("devpath_max_bytes", sizing.devpath_max),
                ("wanted_bytes", sizing.rcvbuf.effective().0),
            ])?
            .display("port_device", &DeviceName(&sizing.profile.port_device))?
            .end()
    }
}
