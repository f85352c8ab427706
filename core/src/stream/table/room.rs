//! Allocates slots and bytes, and chooses the tombstones to drop for them.

use super::slot::{Index, Others, State};
use super::slots::{Slots, to_u16};
use crate::limits::MAX_PROPERTY_BYTES;

/// The most bytes of a devpath and stored properties from which every event can be made within the
/// kernel's limit. The part before the properties is longest in a `remove`.
const MAX_STORED_BYTES: usize = MAX_PROPERTY_BYTES - b"ACTION=remove\0DEVPATH=\0".len();

/// Tombstones kept although no consumer needs them, so that a slightly late consumer still receives
/// devices that came and went.
const TOMBSTONES: usize = 64;

impl<const SLOTS: usize, const BYTES: usize> Slots<SLOTS, BYTES> {
    /// Slots reserved for devices below a USB port: a quarter, unless the table is very small.
    const RESERVED_SLOTS: usize = SLOTS / 64 * 16;

    /// Bytes reserved for devices below a USB port.
    const RESERVED_BYTES: usize = if Self::RESERVED_SLOTS == 0 { 0 } else { BYTES / 4 };

    /// Returns `true` if a device at this devpath is within its share of the table. Devices below a
    /// USB port may use all of it.
    pub(super) fn is_within_share(&self, path: &[u8], bytes: usize) -> bool {
        let Others { slots, bytes: used } = self.others;
        slots < SLOTS - Self::RESERVED_SLOTS && used + bytes <= BYTES - Self::RESERVED_BYTES
            || Self::RESERVED_SLOTS == 0
            || is_below_port(path)
    }

    /// Counts a device that is now linked.
    pub(super) fn count_in(&mut self, index: Index) {
        let is_other = Self::RESERVED_SLOTS > 0 && !is_below_port(self.path(index));
        self.slot_mut(index).is_other = is_other;
        if is_other {
            self.others.slots += 1;
            self.others.bytes += self.arena.cost_of(self.slot(index).start);
        }
    }

    /// Uncounts a device.
    pub(super) fn count_out(&mut self, index: Index) {
        if core::mem::take(&mut self.slot_mut(index).is_other) {
            self.others.slots -= 1;
            self.others.bytes -= self.arena.cost_of(self.slot(index).start);
        }
    }

    /// Returns the bytes available once all tombstones that no consumer needs are dropped.
    pub(super) fn room_bytes(&self) -> usize {
        let tombstones = self.list.iter().filter(|slot| slot.state == State::Gone && slot.is_available());
        let bytes: usize = tombstones.map(|slot| self.arena.cost_of(slot.start)).sum();
        self.arena.room() + bytes
    }

    /// Takes a slot with bytes, not linked yet: a free one, or a tombstone that no consumer needs.
    pub(super) fn take_slot(&mut self, path_length: usize, properties_length: usize) -> Option<Index> {
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

    /// Returns an unused slot while there are few tombstones; otherwise that of the oldest
    /// tombstone that no consumer needs.
    fn find_place(&self) -> Option<usize> {
        let unused = Some(self.used).filter(|&place| place < SLOTS);
        let hand = self.hand.min(self.used);
        let mut places = (hand..self.used).chain(0..hand);
        match unused {
            Some(place) if self.used < self.linked + TOMBSTONES => Some(place),
            unused => places.find(|&place| self.list[place].is_available()).or(unused),
        }
    }

    /// Makes room for properties of this length, and keeps the present ones.
    pub(super) fn make_capacity(&mut self, index: Index, length: usize) -> bool {
        let slot = *self.slot(index);
        let wanted = usize::from(slot.path_length) + length;
        if wanted <= usize::from(self.arena.capacity(slot.start)) {
            return true;
        }
        let Some(start) = self.reserve(index, wanted) else { return false };
        // Its place may have changed: room may have been made.
        let old = self.slot(index).start;
        let used = usize::from(slot.path_length) + usize::from(slot.properties_length).min(length);
        self.arena.copy(old as usize, used, start as usize);
        if self.slot(index).is_other {
            self.others.bytes += self.arena.cost_of(start);
            self.others.bytes -= self.arena.cost_of(old);
        }
        self.arena.free(old);
        self.slot_mut(index).start = start;
        true
    }

    /// Reserves bytes for a slot. Tombstones that no consumer needs may be dropped for them.
    fn reserve(&mut self, owner: Index, length: usize) -> Option<u32> {
        if self.arena.is_wasteful() {
            self.compact();
        }
        if !self.arena.fits(length) {
            // Drops more than necessary, so that the next devices fit too; the oldest first.
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
        let Self { list, arena, .. } = self;
        arena.compact(|owner, start| list[owner.place()].start = start);
    }
}

/// Returns `true` if a devpath leads through a root hub, which the kernel names `usb` and a number
/// (`usb_alloc_dev` in `drivers/usb/core/usb.c`).
fn is_below_port(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/').any(|name| {
        name.strip_prefix(b"usb")
            .is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
    })
}

#[cfg(test)]
mod tests {
    use super::is_below_port;

    #[test]
    fn devices_below_ports_are_known_by_their_root_hub() {
        for path in [&b"/devices/pci0000:00/usb1/1-2/1-2:1.0"[..], b"/devices/usb12"] {
            assert!(is_below_port(path));
        }
        for path in [&b"/devices/virtual/net/usb"[..], b"/devices/virtual/net/usb0x", b"/devices/x-usb1/a"] {
            assert!(!is_below_port(path));
        }
    }
}
