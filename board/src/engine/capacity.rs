//! The sizes of the daemon's memory: fixed when the image is built, from the board's profile.

use sureplug_core::stream::Stream;

use crate::profile::{MIN_COUNTED_PORTS, Profile};

/// Devices of a board outside its ports, tombstones included: an emulated ARM board has about 180
/// in classes and buses, a server 400.
const BASE_SLOTS: usize = 1024;

/// The most slots. The devices of a full USB bus need fewer.
const MAX_SLOTS: usize = 16_384;

/// Average bytes of a device: 115 on emulated ARM boards, and more below deep hubs.
const BYTES_PER_SLOT: usize = 144;

/// The USB ports that the table is sized for.
pub(crate) const PORTS: u32 = match Profile::BUILD.ports {
    Some(ports) => ports,
    None => MIN_COUNTED_PORTS,
};

/// The slots of the table: one for each device of the board, and two for each in a port. A removed
/// device stays as a tombstone until every consumer has received the `remove`.
pub const SLOTS: usize = {
    // Each device that appears raises an event.
    let events = PORTS as usize * Profile::BUILD.port_device.profile().plug.count() as usize;
    let slots = (BASE_SLOTS + 2 * events).next_multiple_of(64);
    if slots < MAX_SLOTS { slots } else { MAX_SLOTS }
};

/// Bytes of the table for devpaths and properties.
pub const TABLE_BYTES: usize = SLOTS * BYTES_PER_SLOT;

/// Bytes of the journal, about 250 events of usual length. The worst burst of one port is smaller.
pub const JOURNAL_BYTES: usize = 80 * 1024;

/// The most applications that receive the stream at the same time.
pub const MAX_CLIENTS: usize = 16;

/// The most connections: applications, and clients that request only a list or a status.
pub(crate) const CONNECTIONS: usize = MAX_CLIENTS + 2;

/// The most bytes that the kernel keeps for an application that does not read, plus one packet. The
/// kernel's default, 212,992, would take 3.4 MB for all of them.
pub const CLIENT_SEND_BYTES: u32 = 64 * 1024;

/// The services that are consumers: the console, and two of the hook.
const CONSUMING_SERVICES: usize = 3;

/// Consumers of the journal at the same time.
pub const CONSUMERS: usize = CONNECTIONS + CONSUMING_SERVICES;

/// The daemon's stream.
pub type BoardStream = Stream<SLOTS, TABLE_BYTES, JOURNAL_BYTES, CONSUMERS>;
