//! What is stored of a device's properties: `KEY=value` and a NUL each, as they stand in its events; and which of them
//! are its identity.

use core::ops::Range;

use memchr::memchr;

use crate::uevent::{self, Action, Uevent, split};

/// What an event says of its device, found in one pass.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Description<'e> {
    /// Bytes that are stored of it.
    pub(super) length: usize,
    /// The same for two events that agree in their identity.
    pub(super) fingerprint: u64,
    pub(super) driver: Option<&'e [u8]>,
    pub(super) diskseq: Option<&'e [u8]>,
}

impl<'e> Description<'e> {
    pub(super) fn of(uevent: &Uevent<'e>) -> Self {
        Self::of_part(uevent, Part::ALL)
    }

    pub(super) fn of_part(uevent: &Uevent<'e>, part: Part) -> Self {
        let mut all = Self::default();
        for property in part.properties(uevent) {
            all.length += property.len() + 1;
            if is_identity(property) {
                all.fingerprint = all.fingerprint.wrapping_add(fingerprint(property));
            } else if let Some(value) = property.strip_prefix(b"DRIVER=") {
                all.driver = all.driver.or(Some(value));
            } else if let Some(value) = property.strip_prefix(b"DISKSEQ=") {
                all.diskseq = all.diskseq.or(Some(value));
            }
        }
        all
    }
}

/// Which of an event's properties describe its device, and not what has happened to it.
///
/// The kernel writes what a driver passes to `kobject_uevent_env` (`lib/kobject_uevent.c`), such as
/// `DISK_MEDIA_CHANGE=1` or the `SYNTH_` arguments, behind `SUBSYSTEM` and in front of what `dev_uevent`
/// (`drivers/base/core.c`) says of the device. That is the same for every action and for the file `uevent`, and in the
/// same order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Properties in front of the description.
    before: usize,
}

impl Part {
    /// All that do not belong to an event as such.
    pub(super) const ALL: Self = Self { before: 0 };

    /// The part that begins with the first property whose key is stored; `None` if the event does not have the one that
    /// comes first there, as no event of the kernel itself.
    pub(super) fn beside(properties: &[u8], uevent: &Uevent<'_>) -> Option<Self> {
        let first = split(properties).find(|property| !is_placeless(property))?;
        let first = &first[..=memchr(b'=', first)?];
        let mut before = None;
        for (place, property) in of_event(uevent).enumerate() {
            if property.starts_with(first) {
                return Some(Self { before: before.unwrap_or(place) });
            }
            let is_stored = || !is_placeless(property) && range(properties, key(property)).is_some();
            before = before.or_else(|| is_stored().then_some(place));
        }
        None
    }

    /// The part of an event of a device of which nothing is stored: from the first property on that `dev_uevent` may write
    /// and no driver.
    pub(super) fn alone(uevent: &Uevent<'_>) -> Self {
        if uevent.action() == Action::Add {
            return Self::ALL;
        }
        let starts = [&b"MAJOR="[..], b"DEVTYPE="];
        let before = starts.iter().find_map(|start| of_event(uevent).position(|p| p.starts_with(start)));
        Self { before: before.unwrap_or(0) }
    }

    /// Each without its NUL.
    pub(super) fn properties<'e>(self, uevent: &Uevent<'e>) -> impl Iterator<Item = &'e [u8]> + use<'e> {
        let all = of_event(uevent).enumerate();
        all.filter(move |(place, property)| *place >= self.before || is_placeless(property)).map(|(_, p)| p)
    }
}

fn key(property: &[u8]) -> &[u8] {
    memchr(b'=', property).map_or(property, |equals| &property[..equals])
}

/// Whether a property's place says nothing: it stands in front of the description, or comes and goes at its beginning.
fn is_placeless(property: &[u8]) -> bool {
    property.starts_with(b"SUBSYSTEM=") || property.starts_with(b"DRIVER=")
}

/// Of a property: two that differ have another one, but for one pair in 2^64.
fn fingerprint(property: &[u8]) -> u64 {
    let mixed = property.iter().fold(0u64, |all, &byte| all.rotate_left(9).wrapping_add(u64::from(byte)));
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// Belongs to the event and not to the device.
fn is_of_event(property: &[u8]) -> bool {
    match property.first() {
        Some(b'A') => property.starts_with(b"ACTION="),
        Some(b'D') => property.starts_with(b"DEVPATH=") || property.starts_with(b"DEVPATH_OLD="),
        Some(b'S') => property.starts_with(b"SEQNUM=") || property.starts_with(b"SYNTH_"),
        _ => false,
    }
}

/// The properties of an event that describe its device, each without its NUL.
pub(super) fn of_event<'e>(uevent: &Uevent<'e>) -> impl Iterator<Item = &'e [u8]> + use<'e> {
    split(uevent.property_bytes()).filter(|property| !is_of_event(property))
}

/// Where the first property with this key stands.
pub(super) fn range(properties: &[u8], key: &[u8]) -> Option<Range<usize>> {
    let mut start = 0;
    for property in split(properties) {
        let range = start..start + property.len() + 1;
        if property.strip_prefix(key).is_some_and(|rest| rest.first() == Some(&b'=')) {
            return Some(range);
        }
        start = range.end;
    }
    None
}

/// What no two devices that follow each other share, as far as they have it. `PRODUCT` is what was plugged in,
/// and consumers select by `SUBSYSTEM`.
const IDENTITY: [&[u8]; 7] = [b"SUBSYSTEM", b"BUSNUM", b"DEVNUM", b"MAJOR", b"MINOR", b"IFINDEX", b"PRODUCT"];

/// Whether a property is one of these.
fn is_identity(property: &[u8]) -> bool {
    // Most are not, which a byte shows.
    matches!(property.first(), Some(b'S' | b'B' | b'D' | b'M' | b'I' | b'P'))
        && IDENTITY
            .iter()
            .any(|key| property.strip_prefix(*key).is_some_and(|rest| rest.first() == Some(&b'=')))
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
    IDENTITY.iter().all(|key| agrees_in(key, properties, uevent))
}

fn agrees_in(key: &[u8], properties: &[u8], uevent: &Uevent<'_>) -> bool {
    match (uevent::value(properties, key), uevent.property(key)) {
        (Some(stored), Some(sent)) => stored == sent,
        _ => true,
    }
}
