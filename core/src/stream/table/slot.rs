use core::num::{NonZeroU16, NonZeroU64};

/// Which slot: one more than its place, so that `Option` costs nothing and a table of zeros is an empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Index(NonZeroU16);

impl Index {
    /// `None` beyond what a table can have.
    pub(crate) const fn from_place(place: usize) -> Option<Self> {
        if place >= u16::MAX as usize {
            return None;
        }
        #[allow(clippy::cast_possible_truncation)]
        match NonZeroU16::new(place as u16 + 1) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    pub(crate) const fn place(self) -> usize {
        self.0.get() as usize - 1
    }

    /// As it is stored in a byte sequence.
    pub(crate) const fn to_bits(this: Option<Self>) -> u16 {
        match this {
            Some(Self(number)) => number.get(),
            None => 0,
        }
    }

    pub(crate) const fn from_bits(bits: u16) -> Option<Self> {
        match NonZeroU16::new(bits) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }
}

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing.
    Free,
    /// A device that a running scan has found and nobody was told of.
    Found,
    /// A device that is told as present.
    Present,
    /// A device that is told as removed. It is kept as a tombstone for those who have not heard that yet.
    Gone,
}

/// What a running scan knows of a present device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing yet.
    #[default]
    Unseen,
    /// An event told of it meanwhile: it need not be looked for.
    Told,
    /// Seen, and still the same.
    Kept,
    /// Gone or replaced.
    Doomed,
}

/// What is noted about a slot for a while.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    pub(super) verdict: Verdict,
    /// On its way to another devpath.
    pub(super) moving: bool,
    /// Whether a loss may have hidden a `change` of it, and no scan has read it since.
    pub(super) change_due: bool,
}

/// One device. Its devpath and properties are in the table's bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// The inode of its directory in sysfs, once that was looked at: by a scan, or when its `add` was applied.
    pub(super) inode: Option<NonZeroU64>,
    /// Of the identity that is stored.
    pub(super) fingerprint: u64,
    /// Where its bytes begin.
    pub(super) start: u32,
    pub(super) hash: u32,
    /// Which of the devices that this slot has held.
    pub(super) generation: u32,
    pub(super) path_length: u16,
    pub(super) properties_length: u16,
    /// The next one whose hash leads to the same place.
    pub(super) next: Option<Index>,
    /// A bit for each consumer that was told `add` and not `remove`.
    pub(super) owed: u32,
    /// Slashes of the devpath: who is below somebody has more.
    pub(super) depth: u16,
    pub(super) state: State,
    pub(super) marks: Marks,
}

impl Slot {
    pub(super) const FREE: Self = Self {
        inode: None,
        fingerprint: 0,
        start: 0,
        hash: 0,
        generation: 0,
        path_length: 0,
        properties_length: 0,
        next: None,
        owed: 0,
        depth: 0,
        state: State::Free,
        marks: Marks { verdict: Verdict::Unseen, moving: false, change_due: false },
    };

    /// Whether another device may have the slot: nobody waits for its `remove`.
    pub(super) const fn is_available(&self) -> bool {
        match self.state {
            State::Free => true,
            State::Gone => self.owed == 0 && !self.marks.moving,
            State::Found | State::Present => false,
        }
    }

    pub(super) const fn is_indexed(&self) -> bool {
        matches!(self.state, State::Found | State::Present)
    }
}
