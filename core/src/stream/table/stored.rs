//! What is stored of a device's properties: `KEY=value` and a NUL each, as they stand in its events.

use core::ops::Range;

use memchr::memchr;

use super::identity;
use crate::uevent::{Action, Property, Uevent};

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
            if identity::is_part(property) {
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
        let first = split(properties).find(|property| !has_no_place(property))?;
        let first = &first[..=memchr(b'=', first)?];
        let mut before = None;
        for (place, property) in of_event(uevent).enumerate() {
            if property.starts_with(first) {
                return Some(Self { before: before.unwrap_or(place) });
            }
            let is_stored = || !has_no_place(property) && range(properties, key(property)).is_some();
            before = before.or_else(|| is_stored().then_some(place));
        }
        None
    }

    /// The part of an event of a device of which nothing is stored: from the first property on that `dev_uevent` may write
    /// and nobody else.
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
        all.filter(move |(place, property)| *place >= self.before || has_no_place(property)).map(|(_, p)| p)
    }
}

fn key(property: &[u8]) -> &[u8] {
    memchr(b'=', property).map_or(property, |equals| &property[..equals])
}

/// Whether a property's place says nothing: it stands in front of the description, or comes and goes at its beginning.
fn has_no_place(property: &[u8]) -> bool {
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

/// Whether user space asked for an event (`kobject_synth_uevent` in `lib/kobject_uevent.c`).
pub(crate) fn is_synthetic(uevent: &Uevent<'_>) -> bool {
    split(uevent.property_bytes()).any(|property| property.starts_with(b"SYNTH_UUID="))
}

/// The properties of an event that describe its device, each without its NUL.
pub(super) fn of_event<'e>(uevent: &Uevent<'e>) -> impl Iterator<Item = &'e [u8]> + use<'e> {
    split(uevent.property_bytes()).filter(|property| !is_of_event(property))
}

/// What ends with a NUL each, without that.
pub(super) fn split(mut properties: &[u8]) -> impl Iterator<Item = &[u8]> {
    core::iter::from_fn(move || {
        let (property, rest) = properties.split_at(memchr(0, properties)?);
        properties = &rest[1..];
        Some(property)
    })
}

/// All that are stored.
pub(super) fn all(properties: &[u8]) -> impl Iterator<Item = Property<'_>> {
    split(properties).filter_map(|property| {
        let equals = memchr(b'=', property)?;
        Some(Property { key: &property[..equals], value: &property[equals + 1..] })
    })
}

/// The value of the first property with this key.
pub(super) fn value<'p>(properties: &'p [u8], key: &[u8]) -> Option<&'p [u8]> {
    split(properties).find_map(|property| property.strip_prefix(key)?.strip_prefix(b"="))
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
