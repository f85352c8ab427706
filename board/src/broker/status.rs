//! How the daemon is, for whoever asks: figures as properties, of the daemon and of each client.

use std::fmt::Display;

use nix::sys::socket::{getsockopt, sockopt};
use sureplug_core::ports::PortWatch;
use sureplug_core::protocol;
use sureplug_core::uevent::Escaped;

use super::{Broker, Buffer, Counts};
use crate::capacity::{BoardStream, CONNECTIONS, MAX_CLIENTS, SLOTS, TABLE_BYTES};
use crate::monotonic::Monotonic;
use crate::profile::Sizing;
use crate::sinks::DeviceName;
use crate::totals::Totals;

const DAEMON: &[u8] = b"/sureplug/daemon";

/// What the worker knows.
#[derive(Clone, Debug)]
pub struct Figures {
    /// `starting`, `repairing` or `steady`.
    pub state: &'static str,
    /// What was counted.
    pub totals: Totals,
    /// Bytes of the table in use.
    pub table_used_bytes: usize,
    /// Losses since the operator last acknowledged them.
    pub unacknowledged: u64,
    /// When the daemon began.
    pub started: Monotonic,
    /// How the buffer was sized.
    pub sizing: Option<Sizing>,
    /// What happened at each port.
    pub ports: PortWatch,
}

impl Figures {
    pub(super) fn write<'b>(&self, clients: &Clients, buffer: &'b mut Buffer, seq: u64) -> &'b [u8] {
        let Self { state, totals, table_used_bytes, unacknowledged, started, sizing, .. } = self;
        let now = Monotonic::now();
        let figures: [(&str, &dyn Display); 32] = [
            ("VERSION", &env!("CARGO_PKG_VERSION")),
            ("PID", &std::process::id()),
            ("STATE", state),
            ("UPTIME_US", &now.as_micros().saturating_sub(started.as_micros())),
            ("MONOTONIC_US", &now.as_micros()),
            ("RECEIVED", &totals.received),
            ("UNSELECTED", &totals.unselected),
            ("LOST", &totals.lost),
            ("MALFORMED", &totals.malformed),
            ("TRUNCATED", &totals.truncated),
            ("FOREIGN", &totals.foreign),
            ("UNACKNOWLEDGED", unacknowledged),
            ("REPAIRS", &totals.repairs),
            ("LAST_LOSS_MONOTONIC_US", &totals.last_loss_us),
            ("LAST_LOSS_EVENTS", &totals.last_loss_events),
            ("LAST_REPAIR_US", &totals.last_repair_us),
            ("PEAK_QUEUED_BYTES", &totals.peak_queued),
            ("EFFECTIVE_BYTES", &totals.effective),
            ("LONGEST_STALL_US", &totals.longest_stall_us),
            ("MAX_STALL_MS", &totals.max_stall_ms),
            ("DEVICES", &totals.devices),
            ("SLOTS", &SLOTS),
            ("TABLE_BYTES", &TABLE_BYTES),
            ("TABLE_USED_BYTES", table_used_bytes),
            ("UNTRACKED", &totals.untracked),
            ("OUTPUT_MISSED_EVENTS", &totals.output_missed),
            ("OUTPUT_DROPPED_LINES", &totals.output_dropped),
            ("CLIENTS", &clients.count),
            ("MAX_CLIENTS", &MAX_CLIENTS),
            ("CONNECTIONS", &clients.counts.connections),
            ("REFUSED_CONNECTIONS", &clients.counts.refused),
            ("CLIENTS_MISSED_EVENTS", &clients.counts.missed),
        ];
        let Some(Sizing { profile, topology, devpath_max, rcvbuf, .. }) = sizing else {
            return protocol::status(buffer, DAEMON, &figures, seq);
        };
        let stated = if profile.is_fixed() { "stated" } else { "counted" };
        let (ports, wanted, device) =
            (topology.ports(), rcvbuf.effective().0, DeviceName(&profile.port_device));
        let of_profile: [(&str, &dyn Display); 5] = [
            ("WANTED_BYTES", &wanted),
            ("PROFILE", &stated),
            ("PORTS", &ports),
            ("PORT_DEVICE", &device),
            ("DEVPATH_MAX_BYTES", devpath_max),
        ];
        let mut all = [of_profile[0]; 37];
        all[..32].copy_from_slice(&figures);
        all[32..].copy_from_slice(&of_profile);
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
    count: usize,
    counts: Counts,
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
        Self { count: broker.clients(), counts: broker.counts, each }
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
