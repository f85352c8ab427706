//! How the daemon is, for whoever asks: figures as properties, of the daemon and of each client.

use std::fmt::Display;

use nix::sys::socket::{getsockopt, sockopt};
use sureplug_core::protocol;

use super::{Broker, Buffer, Counts};
use crate::capacity::{CONNECTIONS, MAX_CLIENTS, SLOTS, TABLE_BYTES};
use crate::monotonic::Monotonic;
use crate::totals::Totals;

/// What the worker knows.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// `starting`, `repairing` or `steady`.
    pub state: &'static str,
    /// What was counted.
    pub totals: Totals,
    /// Losses since the operator last acknowledged them.
    pub unacknowledged: u64,
    /// When the daemon began.
    pub started: Monotonic,
}

impl Figures {
    pub(super) fn write<'b>(&self, clients: &Clients, buffer: &'b mut Buffer, seq: u64) -> &'b [u8] {
        let Self { state, totals, unacknowledged, started } = self;
        let now = Monotonic::now();
        let figures: [(&str, &dyn Display); 28] = [
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
            ("PEAK_QUEUED_BYTES", &totals.peak_queued),
            ("EFFECTIVE_BYTES", &totals.effective),
            ("LONGEST_STALL_US", &totals.longest_stall_us),
            ("MAX_STALL_MS", &totals.max_stall_ms),
            ("DEVICES", &totals.devices),
            ("SLOTS", &SLOTS),
            ("TABLE_BYTES", &TABLE_BYTES),
            ("UNTRACKED", &totals.untracked),
            ("OUTPUT_MISSED_EVENTS", &totals.output_missed),
            ("OUTPUT_DROPPED_LINES", &totals.output_dropped),
            ("CLIENTS", &clients.count),
            ("MAX_CLIENTS", &MAX_CLIENTS),
            ("CONNECTIONS", &clients.counts.connections),
            ("REFUSED_CONNECTIONS", &clients.counts.refused),
            ("CLIENTS_MISSED_EVENTS", &clients.counts.missed),
        ];
        protocol::status(buffer, b"/sureplug/daemon", &figures, seq)
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
}

impl Clients {
    pub(super) fn of(broker: &Broker) -> Self {
        let mut each = [None; CONNECTIONS];
        for (client, place) in each.iter_mut().zip(&broker.places) {
            let session = place.as_ref().map(|place| &place.session).filter(|session| session.is_streaming());
            *client = session.map(|session| Client {
                // Of whoever connected; 0 if that is in a PID namespace of which nothing is seen here.
                pid: getsockopt(session, sockopt::PeerCredentials).map_or(0, |peer| peer.pid()),
                sent: session.sent(),
                missed: session.missed(),
            });
        }
        Self { count: broker.clients(), counts: broker.counts, each }
    }

    /// Of the client in that order.
    pub(super) fn write<'b>(&self, order: usize, buffer: &'b mut Buffer, seq: u64) -> Option<&'b [u8]> {
        let client = self.each.iter().flatten().nth(order)?;
        let figures: [(&str, &dyn Display); 3] =
            [("PID", &client.pid), ("SENT_PACKETS", &client.sent), ("MISSED_EVENTS", &client.missed)];
        Some(protocol::status(buffer, b"/sureplug/client", &figures, seq))
    }
}
