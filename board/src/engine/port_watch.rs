//! Counts plugs, flaps and over-currents at each USB port.

use std::time::Duration;

use heapless::Vec;

use sureplug_core::bytes::decimal;
use sureplug_core::time::Instant;
use sureplug_core::uevent::{Action, Uevent};

/// The most ports watched: a board's own, and those of hubs that a user plugs in.
const MAX_PORTS: usize = 24;

/// The most bytes of a port's name, such as `1-1.2.3.4.5.6` with numbers of more digits.
const MAX_NAME_BYTES: usize = 20;

/// A device removed this soon was not used: the cause is a bad contact or too little power.
const FLAP_WITHIN: Duration = Duration::from_secs(2);

/// A port, named after a device in it: port 4 of bus 1 is `1-4`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WatchedPort {
    pub(crate) name: Vec<u8, MAX_NAME_BYTES>,
    /// The number of devices added.
    pub(crate) plugs: u32,
    /// The number of devices removed within [`FLAP_WITHIN`].
    pub(crate) flaps: u32,
    /// The number of over-currents that the hub reported, as the kernel counts them since it set up
    /// the hub.
    pub(crate) over_currents: u32,
    added: Option<Instant>,
}

/// The ports at which an event occurred, in fixed memory. Ports beyond [`MAX_PORTS`] are not
/// watched.
#[derive(Clone, Debug, Default)]
pub struct PortWatch {
    /// In the order of their first event.
    pub(crate) ports: Vec<WatchedPort, MAX_PORTS>,
}

impl PortWatch {
    /// Counts an event that the kernel sent at this time.
    pub(crate) fn event(&mut self, at: Instant, uevent: &Uevent<'_>) {
        if uevent.subsystem() != Some(b"usb") {
            return;
        }
        if let Some(port) = uevent.property(b"OVER_CURRENT_PORT") {
            // `OVER_CURRENT_PORT` is the port's devpath (`port_over_current_notify` in
            // `drivers/usb/core/hub.c`). It ends with `usb1-port4` or `1-4-port2`.
            let Some(name) = behind_hub(last_part(port)) else { return };
            let count = uevent.property(b"OVER_CURRENT_COUNT").and_then(decimal);
            if let Some(port) = self.port(&name) {
                port.over_currents = count.unwrap_or(port.over_currents.saturating_add(1));
            }
            return;
        }
        let name = last_part(uevent.devpath());
        // A root hub is in no port.
        if uevent.devtype() != Some(b"usb_device") || name.starts_with(b"usb") {
            return;
        }
        let Some(port) = self.port(name) else { return };
        match uevent.action() {
            Action::Add => {
                port.plugs = port.plugs.saturating_add(1);
                port.added = Some(at);
            }
            Action::Remove => {
                let flapped = port.added.take().is_some_and(|added| at.since(added) < FLAP_WITHIN);
                port.flaps = port.flaps.saturating_add(flapped.into());
            }
            _ => {}
        }
    }

    fn port(&mut self, name: &[u8]) -> Option<&mut WatchedPort> {
        let known = self.ports.iter().position(|port| port.name == name);
        let at = known.unwrap_or(self.ports.len());
        if known.is_none() {
            let name = Vec::from_slice(name).ok()?;
            self.ports.push(WatchedPort { name, ..WatchedPort::default() }).ok()?;
        }
        self.ports.get_mut(at)
    }
}

fn last_part(devpath: &[u8]) -> &[u8] {
    devpath.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

/// Returns the name of a device in a port: `1-4` for `usb1-port4`, `1-4.2` for `1-4-port2`.
fn behind_hub(port: &[u8]) -> Option<Vec<u8, MAX_NAME_BYTES>> {
    let at = port.windows(5).rposition(|part| part == b"-port")?;
    let (hub, number) = (&port[..at], &port[at + 5..]);
    let (hub, sign) = hub.strip_prefix(b"usb").map_or((hub, b"."), |bus| (bus, b"-"));
    let mut name = Vec::new();
    [hub, sign, number].iter().try_for_each(|part| name.extend_from_slice(part)).ok()?;
    Some(name)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;

    use super::*;

    fn feed(ports: &mut PortWatch, at_ms: u64, text: &str) {
        let datagram = text.replace('|', "\0") + "\0";
        ports.event(Instant::from_nanos(at_ms * 1_000_000), &Uevent::parse(datagram.as_bytes()).unwrap());
    }

    fn device(ports: &mut PortWatch, at_ms: u64, action: &str, name: &str) {
        feed(ports, at_ms, &format!("{action}@/devices/usb1/{name}|SUBSYSTEM=usb|DEVTYPE=usb_device"));
    }

    #[test]
    fn device_that_leaves_within_two_seconds_has_flapped() {
        let mut ports = PortWatch::default();
        for (at_ms, action) in
            [(0, "add"), (1_999, "remove"), (3_000, "add"), (5_000, "remove"), (6_000, "remove")]
        {
            device(&mut ports, at_ms, action, "1-4");
        }
        device(&mut ports, 0, "add", "usb1");
        device(&mut ports, 0, "remove", "1-4.2");
        let counts: std::vec::Vec<_> =
            ports.ports.iter().map(|port| (&port.name[..], port.plugs, port.flaps)).collect();
        assert_eq!(counts, [(&b"1-4"[..], 2, 1), (b"1-4.2", 0, 0)]);
    }

    #[test]
    fn too_much_current_is_counted_at_the_port_that_a_device_would_be_in() {
        let mut ports = PortWatch::default();
        for (port, count) in [
            ("usb1/1-0:1.0/usb1-port4", 2),
            ("usb1/1-4/1-4:1.0/1-4-port2", 1),
            ("usb1/1-0:1.0/usb1-port4", 3),
        ] {
            feed(
                &mut ports,
                0,
                &format!(
                    "change@/devices/usb1|SUBSYSTEM=usb|OVER_CURRENT_PORT=/devices/{port}|OVER_CURRENT_COUNT={count}"
                ),
            );
        }
        feed(
            &mut ports,
            0,
            "change@/devices/usb1|SUBSYSTEM=usb|OVER_CURRENT_PORT=nonsense|OVER_CURRENT_COUNT=9",
        );
        let counts: std::vec::Vec<_> =
            ports.ports.iter().map(|port| (&port.name[..], port.over_currents)).collect();
        assert_eq!(counts, [(&b"1-4"[..], 3), (b"1-4.2", 1)]);
    }

    #[test]
    fn more_ports_than_there_is_room_for_are_not_watched() {
        let mut ports = PortWatch::default();
        for number in 0..100 {
            device(&mut ports, 0, "add", &format!("1-{number}"));
        }
        device(&mut ports, 0, "add", "1-1234567890123456789");
        assert_eq!(ports.ports.len(), MAX_PORTS);
    }
}
