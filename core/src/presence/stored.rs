//! What is stored of a device's properties: `KEY=value` and a NUL each, `SUBSYSTEM` first.

use memchr::memchr;

use crate::uevent::{Property, Uevent};

const SUBSYSTEM: &[u8] = b"SUBSYSTEM";

/// Belongs to the event and not to the device.
fn is_of_event(key: &[u8]) -> bool {
    matches!(key, b"ACTION" | b"DEVPATH" | b"DEVPATH_OLD" | b"SEQNUM") || key.starts_with(b"SYNTH_")
}

/// The properties of an event that describe its device, in the order in which they are stored.
pub(super) fn of_event<'e>(uevent: &Uevent<'e>) -> impl Iterator<Item = Property<'e>> + use<'e> {
    let subsystem = uevent.subsystem().map(|value| Property { key: SUBSYSTEM, value });
    let others = uevent.properties().filter(|p| p.key != SUBSYSTEM && !is_of_event(p.key));
    subsystem.into_iter().chain(others)
}

/// Bytes that a property takes.
pub(super) const fn length(property: &Property<'_>) -> usize {
    property.key.len() + 1 + property.value.len() + 1
}

/// All that are stored.
pub(super) fn all(mut properties: &[u8]) -> impl Iterator<Item = Property<'_>> {
    core::iter::from_fn(move || {
        let end = memchr(0, properties)?;
        let (property, rest) = properties.split_at(end);
        properties = &rest[1..];
        let equals = memchr(b'=', property)?;
        Some(Property { key: &property[..equals], value: &property[equals + 1..] })
    })
}

/// The value of the first property with this key.
pub(super) fn value<'p>(properties: &'p [u8], key: &[u8]) -> Option<&'p [u8]> {
    all(properties).find(|p| p.key == key).map(|p| p.value)
}

/// Where the first property with this key stands.
pub(super) fn range(properties: &[u8], key: &[u8]) -> Option<core::ops::Range<usize>> {
    let mut start = 0;
    while let Some(length) = memchr(0, &properties[start..]) {
        let property = &properties[start..start + length];
        if property.strip_prefix(key).is_some_and(|rest| rest.first() == Some(&b'=')) {
            return Some(start..start + length + 1);
        }
        start += length + 1;
    }
    None
}
