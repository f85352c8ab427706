use core::ops::Range;

use crate::limits::MAX_DATAGRAM_BYTES;
use crate::stream::table::{Device, Effect, Index, Origin, Transition};

/// What stands in front of a record's datagram.
const HEADER_BYTES: usize = STAMP.end;
const LENGTH: Range<usize> = 0..2;
/// Effect, or that the record has no device.
const WHAT: usize = 2;
/// Whether it carries the kernel's event, and else why it was made.
const ORIGIN: usize = 3;
const SLOT: Range<usize> = 4..6;
const GENERATION: Range<usize> = 6..10;
const STAMP: Range<usize> = 10..18;

/// A place in the stream: bytes and steps from the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) byte: u64,
    pub(super) step: u64,
}

/// The last bytes of the stream.
pub(super) struct Ring<const BYTES: usize> {
    bytes: [u8; BYTES],
    tail: Position,
    head: Position,
}

/// One step, without its datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) stamp: u64,
    /// `None` for what the table does not hold.
    pub(super) device: Option<(Device, Effect)>,
    pub(super) origin: Origin,
    /// Bytes of its datagram; none where it is made from the table.
    pub(super) length: usize,
    pub(super) next: Position,
}

impl<const BYTES: usize> Ring<BYTES> {
    pub(super) const EMPTY: Self = {
        assert!(BYTES >= HEADER_BYTES, "a ring holds a record without a datagram at least");
        let start = Position { byte: 0, step: 0 };
        Self { bytes: [0; BYTES], tail: start, head: start }
    };

    /// Behind the newest record.
    pub(super) const fn head(&self) -> Position {
        self.head
    }

    /// The oldest record.
    pub(super) const fn tail(&self) -> Position {
        self.tail
    }

    /// Overwrites the oldest records. One that is larger than the ring goes by as if it had been overwritten
    /// already: then it is `false`.
    pub(super) fn push(&mut self, stamp: u64, transition: &Transition<'_>) -> bool {
        let (what, origin, device, datagram) = match *transition {
            Transition::Event { device, effect, ref uevent } => {
                (effect_code(Some(effect)), Origin::Kernel, Some(device), uevent.datagram())
            }
            Transition::Made { device, effect, origin } => {
                (effect_code(Some(effect)), origin, Some(device), &[][..])
            }
            Transition::Untracked { origin, ref uevent } => {
                (effect_code(None), origin, None, uevent.datagram())
            }
        };
        let length = HEADER_BYTES + datagram.len();
        let datagram_length = u16::try_from(datagram.len()).unwrap_or(u16::MAX);
        if length > BYTES || datagram.len() > MAX_DATAGRAM_BYTES {
            self.head.step += 1;
            self.tail = self.head;
            return false;
        }
        while self.used() + length > BYTES {
            self.tail = self.record(self.tail).next;
        }
        let mut header = [0; HEADER_BYTES];
        header[LENGTH].copy_from_slice(&datagram_length.to_ne_bytes());
        header[WHAT] = what;
        header[ORIGIN] = origin_code(origin);
        header[SLOT].copy_from_slice(&Index::to_bits(device.map(|device| device.slot)).to_ne_bytes());
        header[GENERATION].copy_from_slice(&device.map_or(0, |device| device.generation).to_ne_bytes());
        header[STAMP].copy_from_slice(&stamp.to_ne_bytes());
        self.put(self.head.byte, &header);
        self.put(self.head.byte + HEADER_BYTES as u64, datagram);
        self.head = Position { byte: self.head.byte + length as u64, step: self.head.step + 1 };
        true
    }

    /// The record at a place that is neither before the tail nor the head.
    pub(super) fn record(&self, at: Position) -> Record {
        let mut header = [0; HEADER_BYTES];
        self.get(at.byte, &mut header);
        let length = usize::from(u16::from_ne_bytes(array(&header[LENGTH])));
        let slot = Index::from_bits(u16::from_ne_bytes(array(&header[SLOT])));
        let generation = u32::from_ne_bytes(array(&header[GENERATION]));
        let effect = effect(header[WHAT]);
        Record {
            stamp: u64::from_ne_bytes(array(&header[STAMP])),
            device: slot.map(|slot| Device { slot, generation }).zip(effect),
            origin: origin(header[ORIGIN]),
            length,
            next: Position { byte: at.byte + (HEADER_BYTES + length) as u64, step: at.step + 1 },
        }
    }

    /// Copies the datagram of the record at that place.
    pub(super) fn datagram(&self, at: Position, into: &mut [u8]) {
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

    /// Where so many bytes begin, and how many of them are before the ring's end.
    #[allow(clippy::cast_possible_truncation)]
    fn split(at: u64, length: usize) -> (usize, usize) {
        let start = (at % BYTES as u64) as usize;
        (start, length.min(BYTES - start))
    }
}

const fn effect_code(effect: Option<Effect>) -> u8 {
    match effect {
        None => 0,
        Some(Effect::Add) => 1,
        Some(Effect::Remove) => 2,
        Some(Effect::Between) => 3,
    }
}

const fn effect(code: u8) -> Option<Effect> {
    match code {
        1 => Some(Effect::Add),
        2 => Some(Effect::Remove),
        3 => Some(Effect::Between),
        _ => None,
    }
}

const fn origin_code(origin: Origin) -> u8 {
    match origin {
        Origin::Scan => 0,
        Origin::Kernel => 1,
        Origin::Repair => 2,
    }
}

const fn origin(code: u8) -> Origin {
    match code {
        0 => Origin::Scan,
        1 => Origin::Kernel,
        _ => Origin::Repair,
    }
}

/// The caller gives a slice of `N` bytes.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    core::array::from_fn(|i| bytes[i])
}
