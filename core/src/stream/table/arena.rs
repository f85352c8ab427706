use super::slot::Index;

/// Bytes in front of a block: its owner, and how many bytes it has.
const HEADER_BYTES: usize = 4;

/// Blocks of bytes, one behind the other. A freed one leaves a hole until [`compact`](Self::compact).
pub(super) struct Arena<const BYTES: usize> {
    bytes: [u8; BYTES],
    /// Behind the last block.
    end: u32,
    /// Bytes of holes.
    holes: u32,
}

impl<const BYTES: usize> Arena<BYTES> {
    pub(super) const EMPTY: Self = {
        assert!(BYTES <= i32::MAX as usize, "a table of devices is smaller than 2 GiB");
        Self { bytes: [0; BYTES], end: 0, holes: 0 }
    };

    /// Bytes that a block of so many takes.
    pub(super) const fn cost(length: usize) -> usize {
        HEADER_BYTES + length
    }

    /// Whether a block would fit behind the last one.
    pub(super) const fn fits(&self, length: usize) -> bool {
        Self::cost(length) <= BYTES - self.end as usize
    }

    /// Whether it would fit after [`compact`](Self::compact).
    pub(super) const fn would_fit(&self, length: usize) -> bool {
        Self::cost(length) <= self.room()
    }

    /// Whether its holes are so many that they take memory which is better not used: half as many bytes as the
    /// blocks have, and not only a few.
    pub(super) const fn is_wasteful(&self) -> bool {
        self.holes as usize > BYTES / 16 && self.holes > self.end / 3
    }

    /// Bytes that no block has.
    pub(super) const fn room(&self) -> usize {
        BYTES - (self.end - self.holes) as usize
    }

    /// Bytes that a block takes.
    pub(super) fn cost_of(&self, start: u32) -> usize {
        Self::cost(usize::from(self.capacity(start)))
    }

    /// A block behind the last one; `None` if it does not [fit](Self::fits).
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn allocate(&mut self, owner: Index, length: usize) -> Option<u32> {
        let capacity = u16::try_from(length).ok().filter(|_| self.fits(length))?;
        let start = self.end as usize;
        self.set_header(start, Some(owner), capacity);
        self.end += Self::cost(length) as u32;
        Some((start + HEADER_BYTES) as u32)
    }

    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn free(&mut self, start: u32) {
        let capacity = self.capacity(start);
        self.set_header(start as usize - HEADER_BYTES, None, capacity);
        self.holes += Self::cost(usize::from(capacity)) as u32;
    }

    /// Bytes that a block was allocated with.
    pub(super) fn capacity(&self, start: u32) -> u16 {
        self.header(start as usize - HEADER_BYTES).1
    }

    /// Closes the holes, and says where each block has gone.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn compact(&mut self, mut moved: impl FnMut(Index, u32)) {
        let (mut from, mut to) = (0, 0);
        while from < self.end as usize {
            let (owner, capacity) = self.header(from);
            let cost = Self::cost(usize::from(capacity));
            if let Some(owner) = owner {
                self.bytes.copy_within(from..from + cost, to);
                moved(owner, (to + HEADER_BYTES) as u32);
                to += cost;
            }
            from += cost;
        }
        self.end = to as u32;
        self.holes = 0;
    }

    pub(super) fn get(&self, start: usize, length: usize) -> &[u8] {
        &self.bytes[start..start + length]
    }

    /// Writes at a place of a block; returns the place behind.
    pub(super) fn put(&mut self, at: usize, bytes: &[u8]) -> usize {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        at + bytes.len()
    }

    /// Copies from one place to another; returns the place behind.
    pub(super) fn copy(&mut self, from: usize, length: usize, to: usize) -> usize {
        self.bytes.copy_within(from..from + length, to);
        to + length
    }

    #[allow(clippy::cast_possible_truncation)]
    fn header(&self, at: usize) -> (Option<Index>, u16) {
        let header = self.bytes[at..].first_chunk::<HEADER_BYTES>().copied().unwrap_or_default();
        let header = u32::from_ne_bytes(header);
        (Index::from_bits(header as u16), (header >> 16) as u16)
    }

    fn set_header(&mut self, at: usize, owner: Option<Index>, capacity: u16) {
        let header = u32::from(Index::to_bits(owner)) | u32::from(capacity) << 16;
        self.put(at, &header.to_ne_bytes());
    }
}
