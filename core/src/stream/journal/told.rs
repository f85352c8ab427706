use crate::limits::MAX_DATAGRAM_BYTES;
use crate::stream::table::{Effect, Origin};
use crate::uevent::{Action, Encoder, Property, Uevent};

/// Memory for one event, which each consumer lends when it reads.
pub struct Packet {
    /// The event as it is told.
    pub(super) told: [u8; MAX_DATAGRAM_BYTES],
    /// The kernel's event, if that is told with another action.
    pub(super) kernel: [u8; MAX_DATAGRAM_BYTES],
}

impl Packet {
    /// With nothing in it.
    #[must_use]
    pub const fn new() -> Self {
        Self { told: [0; MAX_DATAGRAM_BYTES], kernel: [0; MAX_DATAGRAM_BYTES] }
    }
}

impl Default for Packet {
    fn default() -> Self {
        Self::new()
    }
}

/// What a consumer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told<'p> {
    /// An event.
    Event(Entry<'p>),
    /// It did not keep up: so many steps of the stream are gone. What it must know of them follows.
    Missed {
        /// Steps, of whatever subsystem.
        steps: u64,
    },
    /// It knows all that is present: what follows is live. Told only to those who [asked for
    /// it](super::Journal::mark_current).
    Current,
    /// Whatever it was told does not hold any more: it must forget all devices. Those present follow.
    Reset,
}

/// One event as a consumer is told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'p> {
    /// The stamp that it was put in with.
    pub stamp: u64,
    /// Who says so.
    pub origin: Origin,
    /// Whether `add` and `remove` of its devpath alternate.
    pub tracked: bool,
    /// The action that the kernel's event has, if it is told with another one.
    pub kernel_action: Option<Action<'p>>,
    /// The event. One that the kernel did not send has no `SEQNUM`.
    pub uevent: Uevent<'p>,
}

impl<'p> Entry<'p> {
    /// What is added to the event's own properties: `SUREPLUG_ORIGIN`; `SUREPLUG_ACTION`, the kernel's own
    /// action if it is told with another one; and `SUREPLUG_TRACKED=no` for what the table does not hold.
    pub fn added_properties(&self) -> impl Iterator<Item = Property<'p>> + use<'p> {
        let action = self.kernel_action.map(|action| action.as_bytes());
        let origin = Property { key: b"SUREPLUG_ORIGIN", value: self.origin.as_bytes() };
        let action = action.map(|value| Property { key: b"SUREPLUG_ACTION", value });
        let tracked = (!self.tracked).then_some(Property { key: b"SUREPLUG_TRACKED", value: b"no" });
        [Some(origin), action, tracked].into_iter().flatten()
    }
}

/// What an event is told as, if its own action does not have the effect that it has.
pub(super) const fn told_as(action: Action<'_>, effect: Effect) -> Option<Action<'static>> {
    match (effect, action) {
        (Effect::Add, Action::Add) | (Effect::Remove, Action::Remove) => None,
        (Effect::Add, _) => Some(Action::Add),
        (Effect::Remove, _) => Some(Action::Remove),
        (Effect::Between, Action::Add | Action::Remove | Action::Move) => Some(Action::Change),
        (Effect::Between, _) => None,
    }
}

/// The action of something that is made.
pub(super) const fn made_as(effect: Effect) -> Action<'static> {
    match effect {
        Effect::Add => Action::Add,
        Effect::Remove => Action::Remove,
        Effect::Between => Action::Change,
    }
}

/// Writes an event with another action.
pub(super) fn with_action<'b>(
    uevent: &Uevent<'_>,
    action: Action<'_>,
    buffer: &'b mut [u8],
) -> Option<Uevent<'b>> {
    let mut encoder = Encoder::new(buffer, action, uevent.devpath()).ok()?;
    let mut first = true;
    for Property { key, value } in uevent.properties() {
        let is_action = key == b"ACTION" && core::mem::take(&mut first);
        let value = if is_action { action.as_bytes() } else { value };
        // An event that is as long as the kernel can make one may lose its last property to a longer action.
        let _ = encoder.property(key, value);
    }
    Uevent::parse(encoder.finish()).ok()
}
