//! Stores the devices: slots, an index from devpath to slot, and the bytes of both.

use super::arena::Arena;
use super::properties::{self, DISKSEQ, Description, Part};
use super::slot::{Index, Marks, Others, Slot, State};
use super::step::Device;
use crate::uevent::{self, Property, Uevent};

/// A fixed number of slots and bytes.
pub(super) struct Slots<const SLOTS: usize, const BYTES: usize> {
    pub(super) list: [Slot; SLOTS],
    /// The first slot of each chain of the hash index.
    pub(super) heads: [Option<Index>; SLOTS],
    /// For each chain, how many devices are below a devpath with such a hash.
    pub(super) below: [u32; SLOTS],
    pub(super) arena: Arena<BYTES>,
    /// The number of slots ever used, which are the first ones.
    pub(super) used: usize,
    /// The number of found and present devices.
    pub(super) linked: usize,
    pub(super) others: Others,
    /// Where the search for a slot begins, so that the oldest tombstone is dropped first.
    pub(super) hand: usize,
}

impl<const SLOTS: usize, const BYTES: usize> Slots<SLOTS, BYTES> {
    pub(super) const EMPTY: Self = {
        assert!(SLOTS > 0 && SLOTS < u16::MAX as usize, "a table has from 1 to 65,534 slots");
        Self {
            list: [Slot::FREE; SLOTS],
            heads: [None; SLOTS],
            below: [0; SLOTS],
            arena: Arena::EMPTY,
            used: 0,
            linked: 0,
            others: Others::NONE,
            hand: 0,
        }
    };

    pub(super) fn slot(&self, index: Index) -> &Slot {
        &self.list[index.place()]
    }

    pub(super) fn slot_mut(&mut self, index: Index) -> &mut Slot {
        &mut self.list[index.place()]
    }

    pub(super) fn all(&self) -> &[Slot; SLOTS] {
        &self.list
    }

    pub(super) fn device(&self, index: Index) -> Device {
        Device { slot: index, generation: self.slot(index).generation }
    }

    pub(super) fn path(&self, index: Index) -> &[u8] {
        let slot = self.slot(index);
        self.arena.get(slot.start as usize, usize::from(slot.path_length))
    }

    pub(super) fn properties(&self, index: Index) -> &[u8] {
        let slot = self.slot(index);
        let start = slot.start as usize + usize::from(slot.path_length);
        self.arena.get(start, usize::from(slot.properties_length))
    }

    /// Returns the bytes that the device of an event takes.
    pub(super) fn cost(uevent: &Uevent<'_>) -> usize {
        Arena::<BYTES>::cost(uevent.devpath().len() + Description::of(uevent).length)
    }

    /// Returns `true` if an event agrees with the stored identity, apart from the medium.
    pub(super) fn agrees(&self, index: Index, uevent: &Uevent<'_>, description: &Description<'_>) -> bool {
        self.slot(index).fingerprint == description.fingerprint
            || properties::agrees_but_for_medium(self.properties(index), uevent)
    }

    /// Stores the device of an event; `None` if there is no room.
    pub(super) fn insert(&mut self, uevent: &Uevent<'_>, state: State) -> Option<Index> {
        let part = Part::alone(uevent);
        let description = Description::of_part(uevent, part);
        let path = uevent.devpath();
        if !self.is_within_share(path, Arena::<BYTES>::cost(path.len() + description.length)) {
            return None;
        }
        let index = self.take_slot(path.len(), description.length)?;
        let at = self.arena.put(self.slot(index).start as usize, path);
        self.write(at, uevent, part);
        self.slot_mut(index).fingerprint = description.fingerprint;
        self.link(index, state);
        Some(index)
    }

    /// Stores a copy of a device with `new` instead of the first `old` bytes of its devpath; `None`
    /// if there is no room.
    pub(super) fn insert_copy(&mut self, from: Index, old: usize, new: &[u8], state: State) -> Option<Index> {
        let slot = *self.slot(from);
        let path_length = usize::from(slot.path_length) - old + new.len();
        // Its bytes must stay while they are copied.
        self.slot_mut(from).marks.moving = true;
        let index = self.take_slot(path_length, usize::from(slot.properties_length));
        self.slot_mut(from).marks.moving = slot.marks.moving;
        let index = index?;
        let rest = usize::from(slot.path_length) - old + usize::from(slot.properties_length);
        let source = self.slot(from).start as usize + old;
        let at = self.arena.put(self.slot(index).start as usize, new);
        self.arena.copy(source, rest, at);
        let copy = self.slot_mut(index);
        (copy.inode, copy.fingerprint, copy.is_medium_stale) =
            (slot.inode, slot.fingerprint, slot.is_medium_stale);
        self.link(index, state);
        Some(index)
    }

    /// Stores a second device equal to the slot's own, which has replaced it.
    pub(super) fn duplicate(&mut self, from: Index) -> Option<Index> {
        self.insert_copy(from, 0, &[], State::Found)
    }

    /// Stores a part of an event of the slot's device, if it differs from the stored properties.
    /// Without room the old ones stay.
    pub(super) fn refresh(&mut self, index: Index, uevent: &Uevent<'_>, part: Part) {
        // `disk_force_media_change` (`block/disk-events.c`) sends the event before it changes `DISKSEQ`.
        self.slot_mut(index).is_medium_stale = uevent.property(b"DISK_MEDIA_CHANGE").is_some();
        let old = self.properties(index);
        if part.properties(uevent).eq(uevent::split(old)) {
            return;
        }
        let Description { length, fingerprint, .. } = Description::of_part(uevent, part);
        if self.make_capacity(index, length) {
            let slot = self.slot(index);
            let at = slot.start as usize + usize::from(slot.path_length);
            self.write(at, uevent, part);
            let slot = self.slot_mut(index);
            (slot.properties_length, slot.fingerprint) = (to_u16(length), fingerprint);
        }
    }

    /// Stores the description `now` of an event that leaves the slot's device in place.
    pub(super) fn update(&mut self, index: Index, uevent: &Uevent<'_>, now: &Description<'_>) {
        if let Some(part) = Part::beside(self.properties(index), uevent) {
            return self.refresh(index, uevent, part);
        }
        // The event does not describe its device as the kernel does: properties that it lacks are
        // still valid.
        self.set(index, b"DRIVER", now.driver);
        if now.diskseq.is_some() {
            self.set(index, DISKSEQ, now.diskseq);
        }
        for property in properties::of_event(uevent) {
            let Some(Property { key, value }) = Property::of(property) else { continue };
            if properties::range(self.properties(index), key).is_some() {
                self.set(index, key, Some(value));
            }
        }
    }

    /// Replaces or removes one property.
    fn set(&mut self, index: Index, key: &[u8], value: Option<&[u8]>) {
        let properties = self.properties(index);
        let range = properties::range(properties, key);
        let old = range.clone().map(|range| &properties[range.start + key.len() + 1..range.end - 1]);
        if old == value {
            return;
        }
        let length = properties.len();
        let less = range.as_ref().map_or(0, ExactSizeIterator::len);
        let more = value.map_or(0, |value| key.len() + 1 + value.len() + 1);
        if !self.make_capacity(index, length - less + more) {
            return;
        }
        let slot = self.slot(index);
        let start = slot.start as usize + usize::from(slot.path_length);
        if let Some(range) = range {
            self.arena.copy(start + range.end, length - range.end, start + range.start);
        }
        if let Some(value) = value {
            let mut at = start + length - less;
            for part in [key, b"=", value, b"\0"] {
                at = self.arena.put(at, part);
            }
        }
        self.slot_mut(index).properties_length = to_u16(length - less + more);
    }

    /// Makes a removed device a tombstone, which stays until its slot is needed.
    pub(super) fn entomb(&mut self, index: Index) {
        self.unlink(index);
        let slot = self.slot_mut(index);
        slot.state = State::Gone;
        slot.marks = Marks::default();
    }

    /// Frees the slot of a device that was announced to no consumer, or whose `remove` all have
    /// received.
    pub(super) fn release(&mut self, index: Index) {
        if self.slot(index).is_indexed() {
            self.unlink(index);
        }
        if self.slot(index).state != State::Free {
            self.arena.free(self.slot(index).start);
        }
        let generation = self.slot(index).generation;
        *self.slot_mut(index) = Slot { generation, ..Slot::FREE };
    }

    fn write(&mut self, mut at: usize, uevent: &Uevent<'_>, part: Part) {
        for property in part.properties(uevent) {
            at = self.arena.put(at, property);
            at = self.arena.put(at, b"\0");
        }
    }
}

/// Converts the lengths of both parts of a datagram, which fit into `u16`.
#[allow(clippy::cast_possible_truncation)]
pub(super) const fn to_u16(length: usize) -> u16 {
    debug_assert!(length <= u16::MAX as usize);
    length as u16
}
