//! The outgoing ring, which every consumer reads with its own cursor.

use core::ops::Range;

use super::table::{Device, Effect, Index, Origin, Step};
use crate::bytes::array;
use crate::limits::MAX_DATAGRAM_BYTES;
use crate::time::Instant;

/// Bytes before the datagram of a record.
const HEADER_BYTES: usize = STAMP.end;
const LENGTH: Range<usize> = 0..2;
/// Meaningless in a record without a device.
const EFFECT: usize = 2;
const ORIGIN: usize = 3;
const SLOT: Range<usize> = 4..6;
const GENERATION: Range<usize> = 6..10;
const STAMP: Range<usize> = 10..18;

/// A place in the journal, in bytes and steps since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cursor {
    pub(super) byte: u64,
    pub(super) step: u64,
}

/// The newest bytes of the stream.
pub(super) struct Journal<const BYTES: usize> {
    bytes: [u8; BYTES],
    /// The oldest record.
    pub(super) tail: Cursor,
    /// The end of the newest record.
    pub(super) head: Cursor,
    /// Steps larger than the ring.
    pub(super) oversized: u64,
}

/// One step, without its datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) stamp: Instant,
    /// `None` for a device that the table does not hold.
    pub(super) device: Option<(Device, Effect)>,
    pub(super) origin: Origin,
    /// Bytes of its datagram; 0 if the event is rendered from the table.
    pub(super) length: usize,
    pub(super) next: Cursor,
}

impl<const BYTES: usize> Journal<BYTES> {
    pub(super) const EMPTY: Self = {
        assert!(BYTES >= HEADER_BYTES, "a journal holds a record without a datagram at least");
        let start = Cursor { byte: 0, step: 0 };
        Self { bytes: [0; BYTES], tail: start, head: start, oversized: 0 }
    };

    /// Appends a step, overwrites the oldest records, and returns the number of steps so far. A
    /// step larger than the ring counts as already overwritten.
    pub(super) fn push(&mut self, stamp: Instant, step: &Step<'_>) -> u64 {
        let datagram = step.uevent.as_ref().map_or(&[][..], |uevent| uevent.datagram());
        let length = HEADER_BYTES + datagram.len();
        let Some(datagram_length) = u16::try_from(datagram.len())
            .ok()
            .filter(|_| length <= BYTES && datagram.len() <= MAX_DATAGRAM_BYTES)
        else {
            self.oversized += 1;
            self.head.step += 1;
            self.tail = self.head;
            return self.head.step;
        };
        while self.used() + length > BYTES {
            self.tail = self.record(self.tail).next;
        }
        let device = step.device.map(|(device, _)| device);
        let mut header = [0; HEADER_BYTES];
        header[LENGTH].copy_from_slice(&datagram_length.to_ne_bytes());
        header[EFFECT] = step.device.map_or(0, |(_, effect)| effect as u8);
        header[ORIGIN] = step.origin as u8;
        header[SLOT].copy_from_slice(&Index::to_bits(device.map(|device| device.slot)).to_ne_bytes());
        header[GENERATION].copy_from_slice(&device.map_or(0, |device| device.generation).to_ne_bytes());
        header[STAMP].copy_from_slice(&stamp.as_nanos().to_ne_bytes());
        self.put(self.head.byte, &header);
        self.put(self.head.byte + HEADER_BYTES as u64, datagram);
        self.head = Cursor { byte: self.head.byte + length as u64, step: self.head.step + 1 };
        self.head.step
    }

    /// Returns the record at a cursor between the tail and the head.
    pub(super) fn record(&self, at: Cursor) -> Record {
        let mut header = [0; HEADER_BYTES];
        self.get(at.byte, &mut header);
        let length = usize::from(u16::from_ne_bytes(array(&header[LENGTH])));
        let slot = Index::from_bits(u16::from_ne_bytes(array(&header[SLOT])));
        let generation = u32::from_ne_bytes(array(&header[GENERATION]));
        let effect = match header[EFFECT] {
            0 => Effect::Add,
            1 => Effect::Remove,
            _ => Effect::Keep,
        };
        Record {
            stamp: Instant::from_nanos(u64::from_ne_bytes(array(&header[STAMP]))),
            device: slot.map(|slot| (Device { slot, generation }, effect)),
            origin: match header[ORIGIN] {
                0 => Origin::Scan,
                1 => Origin::Kernel,
                _ => Origin::Resync,
            },
            length,
            next: Cursor { byte: at.byte + (HEADER_BYTES + length) as u64, step: at.step + 1 },
        }
    }

    /// Copies the datagram of the record at a cursor.
    pub(super) fn datagram(&self, at: Cursor, into: &mut [u8]) {
        self.get(at.byte + HEADER_BYTES as u64, into);
    }

    #[allow(clippy::cast_possible_truncation)]
    const fn used(&self) -> usize {
        (self.head.byte - self.tail.byte) as usize
    }

    fn put(&mut self, at: u64, bytes: &[u8]) {
        let (start, first) = Self::split(at, bytes.len());
        self.bytes[start..start + first].copy_from_slice(&bytes[..first]);
        self.bytes[..bytes.len() - first].copy_from_slice(&bytes[first..]);
    }

    fn get(&self, at: u64, into: &mut [u8]) {
        let (start, first) = Self::split(at, into.len());
        let (before, behind) = into.split_at_mut(first);
        before.copy_from_slice(&self.bytes[start..start + first]);
        behind.copy_from_slice(&self.bytes[..behind.len()]);
    }

    /// Returns the index of a range's first byte, and the number of its bytes before the ring's
    /// end.
    #[allow(clippy::cast_possible_truncation)]
    fn split(at: u64, length: usize) -> (usize, usize) {
        let start = (at % BYTES as u64) as usize;
        (start, length.min(BYTES - start))
    }
}
