//! Measures one plug and one unplug, live or from a capture.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use nix::poll::PollTimeout;
use nix::sys::signalfd::SignalFd;
use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::netlink::DropCounter;
use sureplug_core::rcvbuf::{DEVPATH_MAX_BYTES, Others, PortDevice, RcvBuf, SizingError, SkbAbi};
use sureplug_core::stream::SETTLED_AFTER;
use sureplug_core::time::Instant;
use sureplug_core::uevent::Uevent;

use super::charge::ChargeMeter;
use super::measure::Measurement;
use super::pcap::{Capture, Captured};
use crate::cause::Cause;
use crate::doorbell::poll_in;
use crate::file;
use crate::profile::{Profile, Sizing};
use crate::socket::sysctl;
use crate::socket::{Batch, Datagram, UeventSocket};
use crate::sysfs::BoardPorts;
use crate::time::monotonic_now;

/// Progress of a measurement, to be shown to a person.
#[derive(Debug)]
pub(crate) enum Progress<'p> {
    /// What the person should do now.
    Prompt(&'static str),
    /// An event of the device, and its charge.
    Charged(&'p Uevent<'p>, u32),
}

/// A measurement in progress.
pub(crate) struct Session<'s> {
    show: &'s mut dyn FnMut(Progress<'_>),
    /// Without a meter, charges are those of the kernel that charges most.
    pub(crate) meter: Option<ChargeMeter>,
    pub(crate) measurement: Box<Measurement>,
}

impl<'s> Session<'s> {
    pub(crate) fn new(show: &'s mut dyn FnMut(Progress<'_>)) -> Self {
        let meter = ChargeMeter::new(MAX_DATAGRAM_BYTES).ok();
        Self { show, meter, measurement: Box::default() }
    }

    /// Measures a capture.
    pub(crate) fn replay(&mut self, path: &Path) -> io::Result<()> {
        let failed = |error: io::Error| io::Error::other(format!("{}: {}", path.display(), Cause(&error)));
        let mut capture = Capture::new(file::open_stream(path).map_err(failed)?);
        while let Some(message) = capture.next().map_err(failed)? {
            if let Captured { unix_us, datagram: Some(datagram), .. } = message {
                self.take(Instant::from_nanos(unix_us.saturating_mul(1_000)), datagram);
            }
        }
        Ok(())
    }

    /// Measures live events until the unplug is over or a signal arrives.
    pub(crate) fn watch(&mut self, rcvbuf: RcvBuf, signals: &SignalFd) -> io::Result<()> {
        let socket = UeventSocket::open(rcvbuf).map_err(io::Error::other)?;
        let mut drops = DropCounter::starting_at(socket.initial().map_or(0, |info| info.drops));
        let mut batch = Batch::new(MAX_DATAGRAM_BYTES);
        (self.show)(Progress::Prompt("plug in the device, into a port of the board itself"));
        let mut has_asked = false;
        let mut last = monotonic_now();
        loop {
            let has_begun = !self.measurement.devpath().is_empty();
            let timeout = if has_begun { SETTLED_AFTER } else { Duration::MAX };
            let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::NONE);
            let [signalled, _] = poll_in([signals.as_fd(), socket.as_fd()], timeout)?;
            if signalled {
                return Ok(());
            }
            let now = monotonic_now();
            let mut is_counted = false;
            socket.receive(&mut batch, usize::MAX, |message| {
                if let Datagram::Event(datagram) = message {
                    is_counted |= self.take(now, datagram);
                }
            })?;
            let info = socket.mem_info().ok();
            if info.is_some_and(|info| drops.observe(info.drops) > 0) {
                let reason = "the kernel dropped events meanwhile; measure again, with more --ports for a larger buffer";
                return Err(io::Error::other(reason));
            }
            if is_counted {
                last = now;
            } else if has_begun && now.since(last) >= SETTLED_AFTER {
                if self.measurement.is_complete {
                    return Ok(());
                }
                if !std::mem::replace(&mut has_asked, true) {
                    (self.show)(Progress::Prompt("unplug it"));
                }
            }
        }
    }

    /// Counts an event. If it belongs to the device, shows it and returns `true`.
    fn take(&mut self, at: Instant, datagram: &[u8]) -> bool {
        let Ok(uevent) = Uevent::from_kernel(datagram) else { return false };
        let bytes = datagram.len();
        let charged = self.meter.as_mut().and_then(|meter| meter.charge(bytes).ok());
        let charged = charged.unwrap_or(SkbAbi::BOUND_64.truesize(u32::try_from(bytes).unwrap_or(u32::MAX)));
        let is_counted = self.measurement.event(at, &uevent, charged);
        if is_counted {
            (self.show)(Progress::Charged(&uevent, charged));
        }
        is_counted
    }

    /// Returns the profile with this device in each port, and the resulting buffer. Without `board`
    /// the device was measured on another machine, so this machine's ports do not count.
    pub(crate) fn sizing(
        &self,
        stated: &Profile,
        board: Option<&BoardPorts>,
        others: Others,
    ) -> Result<Sizing, SizingError> {
        let devpath = u32::try_from(self.measurement.devpath().len()).unwrap_or(u32::MAX);
        let longest = devpath.max(board.map_or(0, |board| board.longest_devpath));
        let ports = stated.ports.or(board.map(|board| board.ports)).unwrap_or_default();
        let profile = Profile {
            ports: Some(ports.max(1)),
            port_device: PortDevice::parse(&self.measurement.custom())?,
            devices_per_port: stated.devices_per_port,
            max_stall_ms: stated.max_stall_ms,
            devpath_max: Some(longest.clamp(*DEVPATH_MAX_BYTES.start(), *DEVPATH_MAX_BYTES.end())),
        };
        Sizing::for_board(&profile, &BoardPorts::default(), sysctl::rmem_default(), others)
    }
}
