//! What consumers receive.

use super::table::{Effect, Origin};
use crate::limits::MAX_DATAGRAM_BYTES;
use crate::time::Instant;
use crate::uevent::{self, Action, Property, Uevent};

/// The prefix of all keys that are added to an event's own properties.
pub const OWN_PREFIX: &[u8] = b"SUREPLUG_";

/// Memory for one event. The caller passes one to each read.
pub struct DeliveryBuffer {
    /// The event as delivered.
    pub(super) event: [u8; MAX_DATAGRAM_BYTES],
    /// The kernel's event, if it is delivered with another action.
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

/// One item that a consumer receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery<'b> {
    /// An event.
    Event(DeviceEvent<'b>),
    /// The consumer lagged and missed this many steps. The delta follows.
    Missed {
        /// Steps, of all subsystems.
        steps: u64,
    },
    /// All present devices have been announced, and live events follow. Only consumers that [enable
    /// it](super::Stream::mark_snapshot_end) receive it.
    SnapshotEnd,
    /// The consumer must forget all devices. A snapshot follows.
    Reset,
}

/// An event as consumers receive it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceEvent<'b> {
    /// The stamp that was passed in with the event.
    pub stamp: Instant,
    /// Where it comes from.
    pub origin: Origin,
    /// `true` if `add` and `remove` of the devpath alternate.
    pub tracked: bool,
    /// The action of the kernel's event, if the event is delivered with another one.
    pub kernel_action: Option<Action<'b>>,
    /// The event. It has no `SEQNUM` if the kernel did not send it.
    pub uevent: Uevent<'b>,
}

impl<'b> DeviceEvent<'b> {
    /// Returns the properties that are added to the event's own: `SUREPLUG_ORIGIN`;
    /// `SUREPLUG_ACTION`, the kernel's action if the event is delivered with another one; and
    /// `SUREPLUG_TRACKED=no` for a device that the table does not hold.
    pub fn added_properties(&self) -> impl Iterator<Item = Property<'b>> + use<'b> {
        let action = self.kernel_action.map(|action| action.as_bytes());
        let origin = Property { key: b"SUREPLUG_ORIGIN", value: self.origin.as_bytes() };
        let action = action.map(|value| Property { key: b"SUREPLUG_ACTION", value });
        let tracked = (!self.tracked).then_some(Property { key: b"SUREPLUG_TRACKED", value: b"no" });
        [Some(origin), action, tracked].into_iter().flatten()
    }
}

/// Returns `true` if an event has a property whose key begins with [`OWN_PREFIX`].
pub(super) fn has_own(uevent: &Uevent<'_>) -> bool {
    uevent::split(uevent.property_bytes()).any(|property| property.starts_with(OWN_PREFIX))
}

/// Returns an event without the properties whose key begins with [`OWN_PREFIX`].
#[must_use]
pub fn without_own<'b>(uevent: &Uevent<'b>, buffer: &'b mut [u8; MAX_DATAGRAM_BYTES]) -> Uevent<'b> {
    let others = uevent.properties().filter(|property| !property.key.starts_with(OWN_PREFIX));
    // This cannot fail: the result is no longer than the datagram.
    uevent::compose(buffer, uevent.action(), uevent.devpath(), others).unwrap_or(*uevent)
}

/// Returns the action to deliver an event with, if its own action does not have the given effect.
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
    // An event of the kernel's maximum length may lose its last property to a longer action.
    uevent::compose(buffer, action, uevent.devpath(), properties)
}
