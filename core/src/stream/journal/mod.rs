//! The outgoing stream: one ring of fixed bytes, from which every consumer reads at its own pace.
//!
//! A consumer is a cursor, a selection of subsystems, and the devices that it was told of. One that keeps up
//! gets every step as it was put in. One that does not is never waited for: when what it has not read yet is
//! overwritten, it is told how much it missed and then, one by one, the difference between what it was told
//! and what the table says: removals children first, additions parents first, and `change` for what stayed and
//! had an event among those missed. A new consumer has been told nothing, so that its difference is a snapshot. Every step stands for itself: a consumer that takes one in
//! a second gets there too, while events go on.

mod changes;
mod consumer;
mod ring;
mod told;

use core::num::NonZeroU64;

use changes::Changes;
use consumer::Consumer;
pub use consumer::{ConsumerId, Lag};
use ring::Ring;
pub use told::{Entry, Packet, Told};

use crate::selection::Selection;
use crate::stream::table::{Bit, Presence, Transition};
use crate::stream::zeroable::Maybe;
use crate::uevent::Uevent;

/// A ring of `RING` bytes with up to `CONSUMERS` consumers of a table of `SLOTS` devices.
pub struct Journal<const SLOTS: usize, const RING: usize, const CONSUMERS: usize> {
    ring: Ring<RING>,
    changes: Changes<SLOTS>,
    consumers: [Maybe<Consumer>; CONSUMERS],
    counts: Counts,
}

/// What happened in the journal; each number only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Counts {
    /// Events that are larger than the ring: whoever had not read all got the difference.
    pub oversized: u64,
    /// Consumers that had to forget everything, so that tombstones could go.
    pub resets: u64,
}

impl<const SLOTS: usize, const RING: usize, const CONSUMERS: usize> Journal<SLOTS, RING, CONSUMERS> {
    /// A ring with nothing in it.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(CONSUMERS <= Bit::COUNT, "a tombstone has 32 bits for those who wait for it") };
        Self {
            ring: Ring::EMPTY,
            changes: Changes::NONE,
            consumers: [const { Maybe::Nothing }; CONSUMERS],
            counts: Counts { oversized: 0, resets: 0 },
        }
    }

    /// What happened.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Steps that were put in from the start.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.ring.head().step
    }

    /// Puts in one step. `stamp` is handed out with it again, as it is.
    pub fn push(&mut self, stamp: u64, transition: &Transition<'_>) {
        if let Transition::Event { device, .. } | Transition::Made { device, .. } = *transition {
            self.changes.note(device, self.ring.head().step);
        }
        if !self.ring.push(stamp, transition) {
            self.counts.oversized += 1;
        }
    }

    /// Lets somebody in who is told, to begin with, all that is present of the selection; `None` if there are
    /// as many as there can be.
    pub fn join(&mut self, selection: Selection, lag: Lag) -> Option<ConsumerId> {
        let place = self.consumers.iter().position(|place| place.as_ref().is_none())?;
        let id = u8::try_from(place).ok()?;
        self.consumers[place] = Maybe::Just(Consumer::new(Bit::of(id), selection, lag, self.ring.head()));
        Some(ConsumerId(id))
    }

    /// A consumer that was told nothing yet is taken to know all that is present of its selection: it is told
    /// what changes from here on.
    pub fn take_as_told<const BYTES: usize>(
        &mut self,
        id: ConsumerId,
        presence: &mut Presence<SLOTS, BYTES>,
    ) {
        if let Some(consumer) = self.consumers[id.place()].as_mut() {
            consumer.take_as_told(presence);
        }
    }

    /// From here on a consumer is told [`Told::Current`] whenever it knows all that is present.
    pub fn mark_current(&mut self, id: ConsumerId) {
        if let Some(consumer) = self.consumers[id.place()].as_mut() {
            consumer.mark_current();
        }
    }

    /// Lets somebody go.
    pub fn leave<const BYTES: usize>(&mut self, id: ConsumerId, presence: &mut Presence<SLOTS, BYTES>) {
        if let Some(mut consumer) = self.consumers[id.place()].take() {
            consumer.forget(presence, &mut self.changes);
        }
    }

    /// Steps that a consumer has been past, told or not: comparable with [`steps`](Self::steps).
    #[must_use]
    pub fn read_steps(&self, id: ConsumerId) -> u64 {
        self.consumers[id.place()].as_ref().map_or(0, Consumer::read_steps)
    }

    /// Returns the steps that a consumer missed and was not told of yet.
    #[must_use]
    pub fn missed(&self, id: ConsumerId) -> u64 {
        self.consumers[id.place()].as_ref().map_or(0, Consumer::missed)
    }

    /// Returns `true` if steps were overwritten that a consumer has not read: it will miss all up to the newest.
    #[must_use]
    pub fn is_overrun(&self, id: ConsumerId) -> bool {
        self.consumers[id.place()].as_ref().is_some_and(|consumer| consumer.is_behind(self.ring.tail()))
    }

    /// What a consumer has not been told: steps of the ring, what it missed, and what differs.
    #[must_use]
    pub fn unread<const BYTES: usize>(&self, id: ConsumerId, presence: &Presence<SLOTS, BYTES>) -> u64 {
        let consumer = self.consumers[id.place()].as_ref();
        consumer.map_or(0, |consumer| consumer.unread(self.ring.head(), presence, &self.changes))
    }

    /// What a consumer is told next; `None` if it knows everything. `now` is the stamp of what is made for it
    /// alone.
    pub fn next<'p, const BYTES: usize>(
        &mut self,
        id: ConsumerId,
        presence: &mut Presence<SLOTS, BYTES>,
        now: u64,
        packet: &'p mut Packet,
    ) -> Option<Told<'p>> {
        let consumer = self.consumers[id.place()].as_mut()?;
        consumer.next(&self.ring, &mut self.changes, presence, now, packet)
    }

    /// Makes a consumer forget all that it was told: it hears so, and then what is present.
    pub fn reset<const BYTES: usize>(&mut self, id: ConsumerId, presence: &mut Presence<SLOTS, BYTES>) {
        if let Some(consumer) = self.consumers[id.place()].as_mut() {
            consumer.reset(presence, &mut self.changes, self.ring.head());
            self.counts.resets += 1;
        }
    }

    /// Makes room in the table for what an event needs, or for what a scan has read in a directory with that
    /// inode, if that takes consumers that may be [reset](Lag::Reset): the one that holds most tombstones
    /// first.
    pub fn make_room<const BYTES: usize>(
        &mut self,
        presence: &mut Presence<SLOTS, BYTES>,
        uevent: &Uevent<'_>,
        inode: Option<NonZeroU64>,
    ) {
        let may_be_reset = |consumer: &Consumer| consumer.lag() == Lag::Reset;
        if !self.consumers.iter().filter_map(Maybe::as_ref).any(may_be_reset) {
            return;
        }
        while !presence.has_room(uevent, inode) {
            let holds = |place: &usize| {
                let consumer = self.consumers[*place].as_ref().filter(|c| c.lag() == Lag::Reset);
                consumer.map_or(0, |consumer| consumer.tombstones(presence))
            };
            let Some(place) = (0..CONSUMERS).max_by_key(holds).filter(|place| holds(place) > 0) else {
                return;
            };
            if let Some(consumer) = self.consumers[place].as_mut() {
                consumer.reset(presence, &mut self.changes, self.ring.head());
                self.counts.resets += 1;
            }
        }
    }
}

impl<const SLOTS: usize, const RING: usize, const CONSUMERS: usize> Default
    for Journal<SLOTS, RING, CONSUMERS>
{
    fn default() -> Self {
        Self::new()
    }
}
