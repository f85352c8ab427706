//! The stored properties of a device, as `KEY=value` with a NUL each in the order of its events,
//! and its identity among them.

use core::ops::Range;

use memchr::memchr;

use crate::uevent::{self, Action, Uevent, split};

/// The description of a device in an event, gathered in one pass.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Description<'e> {
    /// Bytes to store.
    pub(super) length: usize,
    /// Equal for two events with the same identity.
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

/// The part of an event's properties that describes its device, and not its history.
///
/// The kernel writes the properties that a driver passes to `kobject_uevent_env`
/// (`lib/kobject_uevent.c`), such as `DISK_MEDIA_CHANGE=1` or the `SYNTH_` arguments, after
/// `SUBSYSTEM` and before the description by `dev_uevent` (`drivers/base/core.c`). The description
/// is the same for every action and for the file `uevent`, in the same order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// The number of properties before the description.
    before: usize,
}

impl Part {
    /// All properties that do not belong to the event itself.
    pub(super) const ALL: Self = Self { before: 0 };

    /// Returns the part that begins with the first property whose key is stored; `None` if the event
    /// lacks the first stored key, as no event of the kernel itself does.
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

    /// Returns the part of an event whose device has no stored properties: from the first property
    /// on that only `dev_uevent`, and no driver, may write.
    pub(super) fn alone(uevent: &Uevent<'_>) -> Self {
        if uevent.action() == Action::Add {
            return Self::ALL;
        }
        let starts = [&b"MAJOR="[..], b"DEVTYPE="];
        let before = starts.iter().find_map(|start| of_event(uevent).position(|p| p.starts_with(start)));
        Self { before: before.unwrap_or(0) }
    }

    /// Returns the properties, each without its NUL.
    pub(super) fn properties<'e>(self, uevent: &Uevent<'e>) -> impl Iterator<Item = &'e [u8]> + use<'e> {
        let all = of_event(uevent).enumerate();
        all.filter(move |(place, property)| *place >= self.before || is_placeless(property)).map(|(_, p)| p)
    }
}

fn key(property: &[u8]) -> &[u8] {
    memchr(b'=', property).map_or(property, |equals| &property[..equals])
}

/// Returns `true` if a property's position means nothing: it precedes the description, or is an
/// optional part of its beginning.
fn is_placeless(property: &[u8]) -> bool {
    property.starts_with(b"SUBSYSTEM=") || property.starts_with(b"DRIVER=")
}

/// Hashes a property. Two different ones have the same hash with a probability of 1 in 2^64.
fn fingerprint(property: &[u8]) -> u64 {
    let mixed = property.iter().fold(0u64, |all, &byte| all.rotate_left(9).wrapping_add(u64::from(byte)));
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// Returns `true` if a property belongs to the event and not to the device.
fn is_of_event(property: &[u8]) -> bool {
    match property.first() {
        Some(b'A') => property.starts_with(b"ACTION="),
        Some(b'D') => property.starts_with(b"DEVPATH=") || property.starts_with(b"DEVPATH_OLD="),
        Some(b'S') => property.starts_with(b"SEQNUM=") || property.starts_with(b"SYNTH_"),
        _ => false,
    }
}

/// Returns the properties of an event that describe its device, each without its NUL.
pub(super) fn of_event<'e>(uevent: &Uevent<'e>) -> impl Iterator<Item = &'e [u8]> + use<'e> {
    split(uevent.property_bytes()).filter(|property| !is_of_event(property))
}

/// Returns the range of the first property with this key.
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

/// The properties that distinguish a device from its successor. `PRODUCT` identifies a plugged
/// device, and consumers select by `SUBSYSTEM`.
const IDENTITY: [&[u8]; 7] = [b"SUBSYSTEM", b"BUSNUM", b"DEVNUM", b"MAJOR", b"MINOR", b"IFINDEX", b"PRODUCT"];

/// Returns `true` if a property belongs to the identity.
fn is_identity(property: &[u8]) -> bool {
    // The first byte rules out most properties.
    matches!(property.first(), Some(b'S' | b'B' | b'D' | b'M' | b'I' | b'P'))
        && IDENTITY
            .iter()
            .any(|key| property.strip_prefix(*key).is_some_and(|rest| rest.first() == Some(&b'=')))
}

/// New for each disk, and for each medium that is inserted (`disk_force_media_change` in
/// `block/disk-events.c`) or removed: it changes under a device that stays.
pub(super) const DISKSEQ: &[u8] = b"DISKSEQ";

/// Returns `true` if an event agrees with the stored properties in all properties of the identity
/// that both have. Without a difference it may still be another device: the inode of its directory
/// decides then. Used if no inode is known.
pub(super) fn agrees(properties: &[u8], uevent: &Uevent<'_>) -> bool {
    agrees_but_for_medium(properties, uevent) && agrees_in(DISKSEQ, properties, uevent)
}

/// Returns the same for an event of a device that stays in place, or for a directory with the same
/// inode.
pub(super) fn agrees_but_for_medium(properties: &[u8], uevent: &Uevent<'_>) -> bool {
    IDENTITY.iter().all(|key| agrees_in(key, properties, uevent))
}

fn agrees_in(key: &[u8], properties: &[u8], uevent: &Uevent<'_>) -> bool {
    match (uevent::value(properties, key), uevent.property(key)) {
        (Some(stored), Some(sent)) => stored == sent,
        _ => true,
    }
}
