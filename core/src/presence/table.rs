//! Where the devices are kept: slots, an index from devpath to slot, and the bytes of both.

use super::arena::Arena;
use super::identity;
use super::slot::{Index, Slot, State};
use super::stored::{self, Description};
use super::transition::Device;
use crate::limits::MAX_PROPERTY_BYTES;
use crate::uevent::Uevent;

/// Bytes of a devpath and of stored properties with which any event can be made of them, as long as the
/// kernel's limit: what stands in front of the properties is longest in a `remove`.
const MAX_STORED_BYTES: usize = MAX_PROPERTY_BYTES - b"ACTION=remove\0DEVPATH=\0".len();

/// Tombstones that are kept although nobody waits for them, so that who is a little late still hears of devices that
/// came and went.
const TOMBSTONES: usize = 64;

/// Slots and bytes of fixed number.
pub(super) struct Table<const SLOTS: usize, const BYTES: usize> {
    slots: [Slot; SLOTS],
    /// The first slot for each remainder of the hash.
    heads: [Option<Index>; SLOTS],
    /// For each remainder of a hash, how often a device is below a devpath with such a hash.
    below: [u32; SLOTS],
    arena: Arena<BYTES>,
    /// Slots that were ever used: those from the first on.
    used: usize,
    /// Devices that are found or present.
    linked: usize,
    /// Where the search for a slot begins, so that the tombstone that has been there for longest goes first.
    hand: usize,
}

impl<const SLOTS: usize, const BYTES: usize> Table<SLOTS, BYTES> {
    pub(super) const EMPTY: Self = {
        assert!(SLOTS > 0 && SLOTS < u16::MAX as usize, "a table has from 1 to 65,534 slots");
        Self {
            slots: [Slot::FREE; SLOTS],
            heads: [None; SLOTS],
            below: [0; SLOTS],
            arena: Arena::EMPTY,
            used: 0,
            linked: 0,
            hand: 0,
        }
    };

    pub(super) fn slot(&self, index: Index) -> &Slot {
        &self.slots[index.place()]
    }

    pub(super) fn slot_mut(&mut self, index: Index) -> &mut Slot {
        &mut self.slots[index.place()]
    }

    pub(super) fn slots(&self) -> &[Slot; SLOTS] {
        &self.slots
    }

    /// All slots' indices.
    pub(super) fn indices() -> impl DoubleEndedIterator<Item = Index> + use<SLOTS, BYTES> {
        (0..SLOTS).filter_map(Index::from_place)
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

    /// The slot of that devpath in that state, [`State::Found`] or [`State::Present`].
    pub(super) fn find(&self, path: &[u8], state: State) -> Option<Index> {
        let hash = hash(path);
        let mut next = self.heads[hash as usize % SLOTS];
        while let Some(index) = next {
            let slot = self.slot(index);
            if slot.hash == hash && slot.state == state && self.path(index) == path {
                break;
            }
            next = slot.next;
        }
        next
    }

    /// Whether the slot's device is below that devpath.
    pub(super) fn is_below(&self, index: Index, path: &[u8]) -> bool {
        let slot = self.slot(index);
        usize::from(slot.path_length) > path.len()
            && self.path(index).strip_prefix(path).is_some_and(|rest| rest.first() == Some(&b'/'))
    }

    /// Whether anything can be below the slot's device. That it is so must be looked for.
    pub(super) fn may_have_below(&self, index: Index) -> bool {
        self.below[self.slot(index).hash as usize % SLOTS] > 0
    }

    /// Bytes that the device of an event takes.
    pub(super) fn cost(uevent: &Uevent<'_>) -> usize {
        Arena::<BYTES>::cost(uevent.devpath().len() + Description::of(uevent).length)
    }

    /// Whether an event agrees with what is stored in all of the identity but for the medium.
    pub(super) fn agrees(&self, index: Index, uevent: &Uevent<'_>, description: &Description<'_>) -> bool {
        self.slot(index).fingerprint == description.fingerprint
            || identity::agrees_but_for_medium(self.properties(index), uevent)
    }

    /// Keeps the device of an event; `None` if there is no room.
    pub(super) fn insert(&mut self, uevent: &Uevent<'_>, state: State) -> Option<Index> {
        self.insert_described(uevent, &Description::of(uevent), state)
    }

    /// The same for who knows its description.
    pub(super) fn insert_described(
        &mut self,
        uevent: &Uevent<'_>,
        description: &Description<'_>,
        state: State,
    ) -> Option<Index> {
        let path = uevent.devpath();
        let index = self.take_slot(path.len(), description.length)?;
        let at = self.arena.put(self.slot(index).start as usize, path);
        self.write(at, uevent);
        self.slot_mut(index).fingerprint = description.fingerprint;
        self.link(index, state);
        Some(index)
    }

    /// Keeps a copy of a device whose devpath has `new` for its first `old` bytes; `None` if there is no room.
    pub(super) fn insert_copy(&mut self, from: Index, old: usize, new: &[u8], state: State) -> Option<Index> {
        let slot = *self.slot(from);
        let path_length = usize::from(slot.path_length) - old + new.len();
        // Its bytes must not go while they are copied.
        self.slot_mut(from).marks.moving = true;
        let index = self.take_slot(path_length, usize::from(slot.properties_length));
        self.slot_mut(from).marks.moving = slot.marks.moving;
        let index = index?;
        let rest = usize::from(slot.path_length) - old + usize::from(slot.properties_length);
        let source = self.slot(from).start as usize + old;
        let at = self.arena.put(self.slot(index).start as usize, new);
        self.arena.copy(source, rest, at);
        let copy = self.slot_mut(index);
        (copy.inode, copy.fingerprint) = (slot.inode, slot.fingerprint);
        self.link(index, state);
        Some(index)
    }

    /// Keeps a second device that is as the slot's own: what replaced it.
    pub(super) fn duplicate(&mut self, from: Index) -> Option<Index> {
        self.insert_copy(from, 0, &[], State::Found)
    }

    /// Stores what an event says of the slot's device, if it says something else than is stored. Without
    /// room for it the old stays.
    pub(super) fn refresh(&mut self, index: Index, uevent: &Uevent<'_>) {
        let Description { length, fingerprint, .. } = Description::of(uevent);
        let old = self.properties(index);
        let same = old.len() == length && stored::of_event(uevent).eq(stored::split(old));
        if !same && self.make_capacity(index, length) {
            let slot = self.slot(index);
            let at = slot.start as usize + usize::from(slot.path_length);
            self.write(at, uevent);
            let slot = self.slot_mut(index);
            (slot.properties_length, slot.fingerprint) = (to_u16(length), fingerprint);
        }
    }

    /// Stores one property anew, or no more.
    pub(super) fn set(&mut self, index: Index, key: &[u8], value: Option<&[u8]>) {
        let properties = self.properties(index);
        let range = stored::range(properties, key);
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

    /// The device is no longer told as present. It stays as a tombstone until its slot is needed.
    pub(super) fn bury(&mut self, index: Index) {
        self.unlink(index);
        let slot = self.slot_mut(index);
        slot.state = State::Gone;
        slot.marks = super::slot::Marks::default();
    }

    /// Nobody was told of the device, or everybody that it is gone.
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

    /// Bytes for which there is room if all tombstones go that nobody waits for.
    pub(super) fn room_bytes(&self) -> usize {
        let tombstones = self.slots.iter().filter(|slot| slot.state == State::Gone && slot.is_available());
        let bytes: usize = tombstones.map(|slot| self.arena.cost_of(slot.start)).sum();
        self.arena.room() + bytes
    }

    fn write(&mut self, mut at: usize, uevent: &Uevent<'_>) {
        for property in stored::of_event(uevent) {
            at = self.arena.put(at, property);
            at = self.arena.put(at, b"\0");
        }
    }

    /// A slot with bytes, not linked yet: a free one, or a tombstone that nobody waits for.
    fn take_slot(&mut self, path_length: usize, properties_length: usize) -> Option<Index> {
        if path_length + properties_length > MAX_STORED_BYTES {
            return None;
        }
        let index = Index::from_place(self.find_place()?)?;
        self.release(index);
        let start = self.reserve(index, path_length + properties_length)?;
        let slot = self.slot_mut(index);
        slot.start = start;
        slot.path_length = to_u16(path_length);
        slot.properties_length = to_u16(properties_length);
        slot.generation = slot.generation.wrapping_add(1);
        self.used = self.used.max(index.place() + 1);
        self.hand = index.place() + 1;
        Some(index)
    }

    /// One that was never used, as long as tombstones are few; else that of the oldest tombstone, as far as nobody
    /// waits for that.
    fn find_place(&self) -> Option<usize> {
        let unused = Some(self.used).filter(|&place| place < SLOTS);
        let hand = self.hand.min(self.used);
        let mut places = (hand..self.used).chain(0..hand);
        match unused {
            Some(place) if self.used < self.linked + TOMBSTONES => Some(place),
            unused => places.find(|&place| self.slots[place].is_available()).or(unused),
        }
    }

    /// Room for properties of that length, those of now kept.
    fn make_capacity(&mut self, index: Index, length: usize) -> bool {
        let slot = *self.slot(index);
        let wanted = usize::from(slot.path_length) + length;
        if wanted <= usize::from(self.arena.capacity(slot.start)) {
            return true;
        }
        let Some(start) = self.reserve(index, wanted) else { return false };
        // Where it is now: room may have been made.
        let old = self.slot(index).start;
        let used = usize::from(slot.path_length) + usize::from(slot.properties_length).min(length);
        self.arena.copy(old as usize, used, start as usize);
        self.arena.free(old);
        self.slot_mut(index).start = start;
        true
    }

    /// Bytes for a slot, for which tombstones may go that nobody waits for.
    fn reserve(&mut self, owner: Index, length: usize) -> Option<u32> {
        if self.arena.is_wasteful() {
            self.compact();
        }
        if !self.arena.fits(length) {
            // More than is needed, so that the next ones find room as well; the oldest first.
            let places = (self.hand..SLOTS).chain(0..self.hand);
            for index in places.filter_map(Index::from_place) {
                if self.arena.would_fit(length + BYTES / 8) {
                    break;
                }
                if self.slot(index).state == State::Gone && self.slot(index).is_available() {
                    self.release(index);
                }
            }
            if !self.arena.would_fit(length) {
                return None;
            }
            self.compact();
        }
        self.arena.allocate(owner, length)
    }

    fn compact(&mut self) {
        let Self { slots, arena, .. } = self;
        arena.compact(|owner, start| slots[owner.place()].start = start);
    }

    fn link(&mut self, index: Index, state: State) {
        self.linked += 1;
        let (hash, depth) = self.count_above(index, 1);
        let head = self.heads[hash as usize % SLOTS].replace(index);
        let slot = self.slot_mut(index);
        (slot.hash, slot.depth, slot.state, slot.next) = (hash, depth, state, head);
    }

    fn unlink(&mut self, index: Index) {
        self.linked -= 1;
        let (hash, _) = self.count_above(index, u32::MAX);
        let next = self.slot(index).next;
        let place = hash as usize % SLOTS;
        if self.heads[place] == Some(index) {
            self.heads[place] = next;
            return;
        }
        let mut at = self.heads[place];
        while let Some(before) = at {
            at = self.slot(before).next;
            if at == Some(index) {
                self.slot_mut(before).next = next;
                return;
            }
        }
    }

    /// Counts the slot's device below all devpaths above it, or no more with a `step` of -1. Returns its own
    /// hash and depth.
    fn count_above(&mut self, index: Index, step: u32) -> (u32, u16) {
        let Self { slots, below, arena, .. } = self;
        let slot = &slots[index.place()];
        let path = arena.get(slot.start as usize, usize::from(slot.path_length));
        let mut depth = 0;
        let mut mixed = 0;
        for &byte in path {
            if byte == b'/' {
                depth += 1;
                let count = &mut below[spread(mixed) as usize % SLOTS];
                *count = count.wrapping_add(step);
            }
            mixed = mix(mixed, byte);
        }
        (spread(mixed), depth)
    }
}

/// Who is below a devpath has its hash on the way.
fn hash(path: &[u8]) -> u32 {
    spread(path.iter().fold(0, |mixed, &byte| mix(mixed, byte)))
}

const fn mix(mixed: u64, byte: u8) -> u64 {
    mixed.rotate_left(5).wrapping_add(byte as u64)
}

#[allow(clippy::cast_possible_truncation)]
const fn spread(mixed: u64) -> u32 {
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// Both parts of a datagram, which core keeps in u16 throughout.
#[allow(clippy::cast_possible_truncation)]
const fn to_u16(length: usize) -> u16 {
    debug_assert!(length <= u16::MAX as usize);
    length as u16
}
