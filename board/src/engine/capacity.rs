//! The sizes of the daemon's memory: fixed when the image is built, from the board's profile.

use sureplug_core::stream::Stream;

use crate::profile::{MIN_COUNTED_PORTS, Profile};

/// Devices of a board outside its ports, tombstones included: an emulated ARM board has about 180
/// in classes and buses, a server 400.
const BASE_SLOTS: usize = 1024;

/// The most slots: more than the devices of a USB bus can take.
const MAX_SLOTS: usize = 16_384;

/// Average bytes of a device: 115 on emulated ARM boards, and more below deep hubs.
const BYTES_PER_SLOT: usize = 144;

/// USB ports for which the table is made.
pub(crate) const PORTS: u32 = match Profile::BUILD.ports {
    Some(ports) => ports,
    None => MIN_COUNTED_PORTS,
};

/// Slots of the table: all devices of the board, and twice those in its ports, since removed ones
/// stay as tombstones until every consumer has received the `remove`.
pub const SLOTS: usize = {
    // Each device that appears is an event.
    let events = PORTS as usize * Profile::BUILD.port_device.profile().plug.count() as usize;
    let slots = (BASE_SLOTS + 2 * events).next_multiple_of(64);
    if slots < MAX_SLOTS { slots } else { MAX_SLOTS }
};

/// Bytes of the table for devpaths and properties.
pub const TABLE_BYTES: usize = SLOTS * BYTES_PER_SLOT;

/// Bytes of the journal, about 250 events of usual length: more than the worst burst of a port.
pub const JOURNAL_BYTES: usize = 80 * 1024;

/// Applications that receive the stream at the same time.
pub const MAX_CLIENTS: usize = 16;

/// Connections at the same time: applications, and clients that request only a list or a status.
pub(crate) const CONNECTIONS: usize = MAX_CLIENTS + 2;

/// The most bytes that the kernel keeps for an application that does not read, plus one packet. The
/// kernel's default, 212,992, would take 3.4 MB for all of them.
pub const CLIENT_SEND_BYTES: u32 = 64 * 1024;

/// Consumers of services: the console, and two of the hook.
const CONSUMING_SERVICES: usize = 3;

/// Consumers of the journal at the same time.
pub const CONSUMERS: usize = CONNECTIONS + CONSUMING_SERVICES;

/// The daemon's stream.
pub type BoardStream = Stream<SLOTS, TABLE_BYTES, JOURNAL_BYTES, CONSUMERS>;
