//! How the daemon is, for whoever asks: figures as properties, of the daemon and of each client.

use std::array;
use std::fmt::Display;

use crate::engine::port_watch::PortWatch;
use nix::sys::socket::{getsockopt, sockopt};
use sureplug_core::protocol;
use sureplug_core::time::Instant;
use sureplug_core::uevent::Escaped;

use super::{Broker, Buffer};
use crate::engine::capacity::{BoardStream, CONNECTIONS, MAX_CLIENTS, SLOTS, TABLE_BYTES};
use crate::engine::totals::{FIGURES, TABLE, Totals};
use crate::profile::Sizing;
use crate::report::DeviceName;
use crate::time::monotonic_now;

const DAEMON: &[u8] = b"/sureplug/daemon";

/// Figures that are not counted.
const OWN: usize = 8;

/// Figures of the profile.
const OF_PROFILE: usize = 5;

/// What the worker knows.
#[derive(Clone, Debug)]
pub struct Figures {
    /// `starting`, `repairing`, `restricted` or `steady`.
    pub state: &'static str,
    /// What was counted.
    pub totals: Totals,
    /// When the daemon began.
    pub started: Instant,
    /// How the buffer was sized.
    pub sizing: Option<Sizing>,
    /// What happened at each port.
    pub ports: PortWatch,
}

impl Figures {
    pub(super) fn write<'b>(&self, buffer: &'b mut Buffer, seq: u64) -> &'b [u8] {
        let Self { state, totals, started, sizing, .. } = self;
        let now = monotonic_now();
        let uptime = now.as_micros().saturating_sub(started.as_micros());
        let own: [(&str, &dyn Display); OWN] = [
            ("VERSION", &env!("CARGO_PKG_VERSION")),
            ("PID", &std::process::id()),
            ("STATE", state),
            ("UPTIME_US", &uptime),
            ("MONOTONIC_US", &now.as_micros()),
            ("SLOTS", &SLOTS),
            ("TABLE_BYTES", &TABLE_BYTES),
            ("MAX_CLIENTS", &MAX_CLIENTS),
        ];
        let counted: [u64; FIGURES] = array::from_fn(|row| TABLE[row].of(totals));
        let mut all = [own[0]; OWN + FIGURES + OF_PROFILE];
        all[..OWN].copy_from_slice(&own);
        for (place, (figure, number)) in all[OWN..].iter_mut().zip(TABLE.iter().zip(&counted)) {
            *place = (figure.key, number);
        }
        let Some(Sizing { profile, topology, devpath_max, rcvbuf, .. }) = sizing else {
            return protocol::status(buffer, DAEMON, &all[..OWN + FIGURES], seq);
        };
        let stated = if profile.is_fixed() { "stated" } else { "counted" };
        let (ports, wanted, device) =
            (topology.ports(), rcvbuf.effective().0, DeviceName(&profile.port_device));
        let of_profile: [(&str, &dyn Display); OF_PROFILE] = [
            ("WANTED_BYTES", &wanted),
            ("PROFILE", &stated),
            ("PORTS", &ports),
            ("PORT_DEVICE", &device),
            ("DEVPATH_MAX_BYTES", devpath_max),
        ];
        all[OWN + FIGURES..].copy_from_slice(&of_profile);
        protocol::status(buffer, DAEMON, &all, seq)
    }

    /// Of the port in that order.
    pub(super) fn write_port<'b>(&self, order: usize, buffer: &'b mut Buffer, seq: u64) -> Option<&'b [u8]> {
        let port = self.ports.ports().get(order)?;
        let figures: [(&str, &dyn Display); 4] = [
            ("PORT", &Escaped(port.name())),
            ("PLUGS", &port.plugs),
            ("FLAPS", &port.flaps),
            ("OVER_CURRENTS", &port.over_currents),
        ];
        Some(protocol::status(buffer, b"/sureplug/port", &figures, seq))
    }
}

/// What the broker knows.
#[derive(Clone, Copy)]
pub(super) struct Clients {
    each: [Option<Client>; CONNECTIONS],
}

#[derive(Clone, Copy)]
struct Client {
    pid: i32,
    sent: u64,
    missed: u64,
    lag: u64,
}

impl Clients {
    pub(super) fn of(broker: &Broker, stream: &BoardStream) -> Self {
        let mut each = [None; CONNECTIONS];
        for (client, place) in each.iter_mut().zip(&*broker.places) {
            let session = place.as_ref().map(|place| &place.session).filter(|session| session.is_streaming());
            *client = session.map(|session| Client {
                // Of whoever connected; 0 if that is in a PID namespace of which nothing is seen here.
                pid: getsockopt(session, sockopt::PeerCredentials).map_or(0, |peer| peer.pid()),
                sent: session.sent(),
                missed: session.missed(),
                lag: session.lag(stream),
            });
        }
        Self { each }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.each.iter().flatten().count()
    }

    /// Of the client in that order.
    pub(super) fn write<'b>(&self, order: usize, buffer: &'b mut Buffer, seq: u64) -> Option<&'b [u8]> {
        let client = self.each.iter().flatten().nth(order)?;
        let figures: [(&str, &dyn Display); 4] = [
            ("PID", &client.pid),
            ("SENT_PACKETS", &client.sent),
            ("MISSED_EVENTS", &client.missed),
            ("LAG_EVENTS", &client.lag),
        ];
        Some(protocol::status(buffer, b"/sureplug/client", &figures, seq))
    }
}
