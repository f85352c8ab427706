//! What consumers get.

use super::table::{Effect, Origin};
use crate::limits::MAX_DATAGRAM_BYTES;
use crate::time::Instant;
use crate::uevent::{self, Action, Property, Uevent};

/// What all keys begin with that are added to an event's own properties.
pub const OWN_PREFIX: &[u8] = b"SUREPLUG_";

/// Memory for one event, which each consumer lends when it reads.
pub struct DeliveryBuffer {
    /// The event as it is delivered.
    pub(super) event: [u8; MAX_DATAGRAM_BYTES],
    /// The kernel's event, if that is delivered with another action.
    pub(super) kernel: [u8; MAX_DATAGRAM_BYTES],
}

impl DeliveryBuffer {
    /// Returns an empty buffer.
    #[must_use]
    pub const fn new() -> Self {
        Self { event: [0; MAX_DATAGRAM_BYTES], kernel: [0; MAX_DATAGRAM_BYTES] }
    }
}

impl Default for DeliveryBuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// One item that a consumer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery<'b> {
    /// An event.
    Event(DeviceEvent<'b>),
    /// The consumer lagged: so many steps of the stream are gone. The delta follows.
    Missed {
        /// Steps, of whatever subsystem.
        steps: u64,
    },
    /// All present devices have been announced: what follows is live. Only consumers that
    /// [want it](super::Stream::mark_snapshot_end) get it.
    SnapshotEnd,
    /// What was announced does not hold any more: the consumer must forget all devices. A snapshot follows.
    Reset,
}

/// An event as consumers get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceEvent<'b> {
    /// The stamp that it was put in with.
    pub stamp: Instant,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether `add` and `remove` of its devpath alternate.
    pub tracked: bool,
    /// The action of the kernel's event, if it is delivered with another one.
    pub kernel_action: Option<Action<'b>>,
    /// The event. One that the kernel did not send has no `SEQNUM`.
    pub uevent: Uevent<'b>,
}

impl<'b> DeviceEvent<'b> {
    /// Returns what is added to the event's own properties: `SUREPLUG_ORIGIN`; `SUREPLUG_ACTION`, the kernel's own
    /// action if it is delivered with another one; and `SUREPLUG_TRACKED=no` for what the table does not hold.
    pub fn added_properties(&self) -> impl Iterator<Item = Property<'b>> + use<'b> {
        let action = self.kernel_action.map(|action| action.as_bytes());
        let origin = Property { key: b"SUREPLUG_ORIGIN", value: self.origin.as_bytes() };
        let action = action.map(|value| Property { key: b"SUREPLUG_ACTION", value });
        let tracked = (!self.tracked).then_some(Property { key: b"SUREPLUG_TRACKED", value: b"no" });
        [Some(origin), action, tracked].into_iter().flatten()
    }
}

/// Returns `true` if an event has properties whose key is one of ours.
pub(super) fn has_own(uevent: &Uevent<'_>) -> bool {
    uevent::split(uevent.property_bytes()).any(|property| property.starts_with(OWN_PREFIX))
}

/// Returns an event without the properties whose key is one of ours.
#[must_use]
pub fn without_own<'b>(uevent: &Uevent<'b>, buffer: &'b mut [u8; MAX_DATAGRAM_BYTES]) -> Uevent<'b> {
    let others = uevent.properties().filter(|property| !property.key.starts_with(OWN_PREFIX));
    // What is shorter than a datagram fits.
    uevent::compose(buffer, uevent.action(), uevent.devpath(), others).unwrap_or(*uevent)
}

/// Returns the action with which an event is delivered whose own action does not have the effect that it has.
pub(super) const fn substitute(action: Action<'_>, effect: Effect) -> Option<Action<'static>> {
    let has_effect = match effect {
        Effect::Add => matches!(action, Action::Add),
        Effect::Remove => matches!(action, Action::Remove),
        Effect::Keep => !matches!(action, Action::Add | Action::Remove | Action::Move),
    };
    if has_effect { None } else { Some(effect.action()) }
}

/// Writes an event with another action.
pub(super) fn with_action<'b>(
    uevent: &Uevent<'_>,
    action: Action<'static>,
    buffer: &'b mut [u8],
) -> Option<Uevent<'b>> {
    let mut first = true;
    let properties = uevent.properties().map(|Property { key, value }| {
        let is_action = key == b"ACTION" && core::mem::take(&mut first);
        Property { key, value: if is_action { action.as_bytes() } else { value } }
    });
    // An event that is as long as the kernel can make one may lose its last property to a longer action.
    uevent::compose(buffer, action, uevent.devpath(), properties)
}
