use super::slot::Index;

/// Bytes before a block: its owner and its size.
const HEADER_BYTES: usize = 4;

/// Consecutive blocks of bytes. A freed block leaves a hole until [`compact`](Self::compact).
pub(super) struct Arena<const BYTES: usize> {
    bytes: [u8; BYTES],
    /// The end of the last block.
    end: u32,
    /// Bytes of holes.
    holes: u32,
}

impl<const BYTES: usize> Arena<BYTES> {
    pub(super) const EMPTY: Self = {
        assert!(BYTES <= i32::MAX as usize, "a table of devices is smaller than 2 GiB");
        Self { bytes: [0; BYTES], end: 0, holes: 0 }
    };

    /// Returns the bytes that a block of this length takes.
    pub(super) const fn cost(length: usize) -> usize {
        HEADER_BYTES + length
    }

    /// Returns `true` if a block fits after the last one.
    pub(super) const fn fits(&self, length: usize) -> bool {
        Self::cost(length) <= BYTES - self.end as usize
    }

    /// Returns `true` if a block would fit after [`compact`](Self::compact).
    pub(super) const fn would_fit(&self, length: usize) -> bool {
        Self::cost(length) <= self.room()
    }

    /// Returns `true` if the holes waste memory: they exceed half the bytes of the blocks, and a
    /// minimum.
    pub(super) const fn is_wasteful(&self) -> bool {
        self.holes as usize > BYTES / 16 && self.holes > self.end / 3
    }

    /// Returns the bytes outside blocks.
    pub(super) const fn room(&self) -> usize {
        BYTES - (self.end - self.holes) as usize
    }

    /// Returns the bytes that a block takes.
    pub(super) fn cost_of(&self, start: u32) -> usize {
        Self::cost(usize::from(self.capacity(start)))
    }

    /// Allocates a block after the last one; `None` if it does not [fit](Self::fits).
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

    /// Returns the length with which a block was allocated.
    pub(super) fn capacity(&self, start: u32) -> u16 {
        self.header(start as usize - HEADER_BYTES).1
    }

    /// Closes the holes, and reports the new place of each block.
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

    /// Writes bytes, and returns the offset after them.
    pub(super) fn put(&mut self, at: usize, bytes: &[u8]) -> usize {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        at + bytes.len()
    }

    /// Copies bytes, and returns the offset after the copy.
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
