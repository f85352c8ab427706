//! Whether two descriptions of what stands at one devpath are of one device.

use super::stored;
use crate::uevent::Uevent;

/// What no two devices that follow each other share, as far as they have it. `PRODUCT` is what was plugged in,
/// and consumers select by `SUBSYSTEM`.
const KEYS: [&[u8]; 7] = [b"SUBSYSTEM", b"BUSNUM", b"DEVNUM", b"MAJOR", b"MINOR", b"IFINDEX", b"PRODUCT"];

/// Whether a property is one of these.
pub(super) fn is_part(property: &[u8]) -> bool {
    // Most are not, and can be told by a byte.
    matches!(property.first(), Some(b'S' | b'B' | b'D' | b'M' | b'I' | b'P'))
        && KEYS.iter().any(|key| property.strip_prefix(*key).is_some_and(|rest| rest.first() == Some(&b'=')))
}

/// New for each disk, and for each medium that is put into one (`disk_force_media_change` in
/// `block/disk-events.c`), or taken out: it moves under a device that stays.
pub(super) const DISKSEQ: &[u8] = b"DISKSEQ";

/// Whether an event says of a device what is stored of it, in all properties of its identity that both
/// have. A device with none of them, or with none that differs, may still be another one: then the inode of
/// its directory in sysfs decides. For where no inode is known.
pub(super) fn agrees(properties: &[u8], uevent: &Uevent<'_>) -> bool {
    agrees_but_for_medium(properties, uevent) && agrees_in(DISKSEQ, properties, uevent)
}

/// The same for an event of a device that stays where it is, or for a directory with the same inode.
pub(super) fn agrees_but_for_medium(properties: &[u8], uevent: &Uevent<'_>) -> bool {
    KEYS.iter().all(|key| agrees_in(key, properties, uevent))
}

fn agrees_in(key: &[u8], properties: &[u8], uevent: &Uevent<'_>) -> bool {
    match (stored::value(properties, key), uevent.property(key)) {
        (Some(stored), Some(told)) => stored == told,
        _ => true,
    }
}
