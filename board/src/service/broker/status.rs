//! Writes the status of the daemon, of each client and of each port as properties.

use std::fmt::Display;

use heapless::Vec;
use nix::sys::socket::{getsockopt, sockopt};
use sureplug_core::protocol;
use sureplug_core::stream::Agreement;
use sureplug_core::uevent::Escaped;

use super::Buffer;
use super::connection::Connection;
use crate::engine::Context;
use crate::engine::capacity::{BoardStream, MAX_CLIENTS, SLOTS, TABLE_BYTES};
use crate::engine::port_watch::PortWatch;
use crate::profile::Sizing;
use crate::report::DeviceName;
use crate::report::totals::{FIGURES, TABLE};
use crate::time::monotonic_now;

/// Figures other than those in [`TABLE`].
const OTHERS: usize = 13;

/// Writes the status of the daemon.
pub(super) fn daemon<'b>(context: &Context<'_>, buffer: &'b mut Buffer, seq: u64) -> &'b [u8] {
    let state = match context.health.agreement {
        Agreement::Starting => "starting",
        Agreement::Lossy => "repairing",
        Agreement::Steady if context.health.is_limited() => "restricted",
        Agreement::Steady => "steady",
    };
    let now = monotonic_now().as_micros();
    let uptime = now.saturating_sub(context.started.as_micros());
    let pid = std::process::id();
    let counted = TABLE.each_ref().map(|figure| (figure.key, figure.of(context.totals)));
    let profile = context.sizing.map(|Sizing { profile, topology, devpath_max, rcvbuf, .. }| {
        let stated = if profile.is_fixed() { "stated" } else { "counted" };
        let device = DeviceName(&profile.port_device);
        (rcvbuf.effective().0, stated, topology.ports, device, devpath_max)
    });
    let mut all: Vec<(&str, &dyn Display), { FIGURES + OTHERS }> = Vec::new();
    // The capacity is sufficient, here and below.
    let _ = all.extend_from_slice(&[
        ("VERSION", &env!("CARGO_PKG_VERSION")),
        ("PID", &pid),
        ("STATE", &state),
        ("UPTIME_US", &uptime),
        ("MONOTONIC_US", &now),
        ("SLOTS", &SLOTS),
        ("TABLE_BYTES", &TABLE_BYTES),
        ("MAX_CLIENTS", &MAX_CLIENTS),
    ]);
    all.extend(counted.iter().map(|(key, number)| (*key, number as &dyn Display)));
    if let Some((wanted, stated, ports, device, devpath_max)) = &profile {
        let _ = all.extend_from_slice(&[
            ("WANTED_BYTES", wanted),
            ("PROFILE", stated),
            ("PORTS", ports),
            ("PORT_DEVICE", device),
            ("DEVPATH_MAX_BYTES", devpath_max),
        ]);
    }
    protocol::status(buffer, b"/sureplug/daemon", &all, seq)
}

/// Writes the status of a client.
pub(super) fn client<'b>(
    client: &Connection,
    stream: &BoardStream,
    buffer: &'b mut Buffer,
    seq: u64,
) -> &'b [u8] {
    // 0 if the client's PID namespace is not visible from here (pid_namespaces(7)).
    let pid = getsockopt(client, sockopt::PeerCredentials).map_or(0, |peer| peer.pid());
    let [sent, missed] = client.counts();
    let figures: [(&str, &dyn Display); 4] = [
        ("PID", &pid),
        ("SENT_PACKETS", &sent),
        ("MISSED_EVENTS", &missed),
        ("LAG_EVENTS", &client.lag(stream)),
    ];
    protocol::status(buffer, b"/sureplug/client", &figures, seq)
}

/// Writes the status of the port at an index, or returns `None` if there is none.
pub(super) fn port<'b>(
    ports: &PortWatch,
    index: usize,
    buffer: &'b mut Buffer,
    seq: u64,
) -> Option<&'b [u8]> {
    let port = ports.ports.get(index)?;
    let figures: [(&str, &dyn Display); 4] = [
        ("PORT", &Escaped(&port.name)),
        ("PLUGS", &port.plugs),
        ("FLAPS", &port.flaps),
        ("OVER_CURRENTS", &port.over_currents),
    ];
    Some(protocol::status(buffer, b"/sureplug/port", &figures, seq))
}
