//! How much the daemon remembers: fixed when the image is built, from the board's profile.

use sureplug_core::stream::Stream;

use crate::profile::{MIN_COUNTED_PORTS, Profile};

/// Devices that a board has without its ports, tombstones included: an emulated ARM board has some 180 of classes
/// and buses, a server 400.
const BASE_SLOTS: usize = 1024;

/// Slots at most: more devices than a USB bus can have make.
const MAX_SLOTS: usize = 16_384;

/// Bytes that a device takes on average: 115 on emulated ARM boards, and more below deep hubs.
const BYTES_PER_SLOT: usize = 144;

/// USB ports that the table is made for.
pub(crate) const PORTS: u32 = match Profile::BUILD.ports {
    Some(ports) => ports,
    None => MIN_COUNTED_PORTS,
};

/// Slots of the table: all that the board has, and what is in its ports twice, since what was there before
/// stays as a tombstone until everybody was told.
pub const SLOTS: usize = {
    // Each device that appears is an event.
    let events = PORTS as usize * Profile::BUILD.port_device.profile().plug.count() as usize;
    let slots = (BASE_SLOTS + 2 * events).next_multiple_of(64);
    if slots < MAX_SLOTS { slots } else { MAX_SLOTS }
};

/// Bytes of the table for devpaths and properties.
pub const TABLE_BYTES: usize = SLOTS * BYTES_PER_SLOT;

/// Bytes of the journal: some 250 events of usual length: more than the worst burst of a port.
pub const JOURNAL_BYTES: usize = 80 * 1024;

/// Applications that get the stream at the same time.
pub const MAX_CLIENTS: usize = 16;

/// Connections at the same time: applications, and who only asks what is present or how the daemon is.
pub(crate) const CONNECTIONS: usize = MAX_CLIENTS + 2;

/// Bytes that the kernel keeps at most for an application that does not read, and one packet more. The kernel's default,
/// 212,992, would be 3.4 MB for all of them.
pub const CLIENT_SEND_BYTES: u32 = 64 * 1024;

/// Consumers that services are: the console, and two of the hook.
const CONSUMING_SERVICES: usize = 3;

/// Consumers of the journal at the same time.
pub const CONSUMERS: usize = CONNECTIONS + CONSUMING_SERVICES;

/// The stream as the daemon has it.
pub type BoardStream = Stream<SLOTS, TABLE_BYTES, JOURNAL_BYTES, CONSUMERS>;
