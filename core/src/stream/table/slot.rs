use core::num::{NonZeroU16, NonZeroU64};

/// Which slot: one more than its place, so that `Option` costs nothing and a table of zeros is an empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stream) struct Index(NonZeroU16);

impl Index {
    /// `None` beyond what a table can have.
    pub(in crate::stream) const fn from_place(place: usize) -> Option<Self> {
        if place >= u16::MAX as usize {
            return None;
        }
        #[allow(clippy::cast_possible_truncation)]
        match NonZeroU16::new(place as u16 + 1) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    pub(in crate::stream) const fn place(self) -> usize {
        self.0.get() as usize - 1
    }

    /// All of a table.
    pub(super) fn all<const SLOTS: usize>() -> impl Iterator<Item = Self> {
        (0..SLOTS).filter_map(Self::from_place)
    }

    /// As it is stored in a byte sequence.
    pub(in crate::stream) const fn to_bits(this: Option<Self>) -> u16 {
        match this {
            Some(Self(number)) => number.get(),
            None => 0,
        }
    }

    pub(in crate::stream) const fn from_bits(bits: u16) -> Option<Self> {
        match NonZeroU16::new(bits) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }
}

/// One of the consumers of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ConsumerId(u8);

impl ConsumerId {
    /// How many there can be: a slot has a bit for each.
    pub(in crate::stream) const COUNT: usize = u32::BITS as usize;

    pub(in crate::stream) fn of(place: usize) -> Option<Self> {
        u8::try_from(place).ok().filter(|_| place < Self::COUNT).map(Self)
    }

    pub(in crate::stream) const fn place(self) -> usize {
        self.0 as usize
    }

    pub(super) const fn bit(self) -> u32 {
        1 << self.0
    }
}

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing.
    Free,
    /// A device that a running scan has found and that was not announced yet.
    Found,
    /// A device that is announced as present.
    Present,
    /// A removed device. It is kept as a tombstone for consumers that did not get the `remove` yet.
    Gone,
}

/// What a running scan knows of a present device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing yet.
    #[default]
    Unseen,
    /// An event was about it meanwhile: it need not be looked for.
    Reported,
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
    /// A bit for each consumer to which the device was announced, and its `remove` was not.
    pub(super) announced: u32,
    /// A bit for each consumer that missed an event of the device and did not get a `change` since.
    pub(super) missed: u32,
    /// The steps that there were by the last one about the slot's device.
    pub(super) steps: u64,
    /// Slashes of the devpath: a device below another one has more.
    pub(super) depth: u16,
    pub(super) state: State,
    /// Whether the stored `DISKSEQ` may be that of the medium before.
    pub(super) is_medium_stale: bool,
    /// Found or present, and not below a USB port.
    pub(super) is_other: bool,
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
        announced: 0,
        missed: 0,
        steps: 0,
        depth: 0,
        state: State::Free,
        is_medium_stale: false,
        is_other: false,
        marks: Marks { verdict: Verdict::Unseen, moving: false, change_due: false },
    };

    /// Returns `true` if another device may have the slot: no consumer needs the `remove` of this one.
    pub(super) const fn is_available(&self) -> bool {
        match self.state {
            State::Free => true,
            State::Gone => self.announced == 0 && !self.marks.moving,
            State::Found | State::Present => false,
        }
    }

    pub(super) const fn is_indexed(&self) -> bool {
        matches!(self.state, State::Found | State::Present)
    }
}

/// What devices take of a table that are not below a USB port.
#[derive(Clone, Copy)]
pub(super) struct Others {
    pub(super) slots: usize,
    pub(super) bytes: usize,
}

impl Others {
    pub(super) const NONE: Self = Self { slots: 0, bytes: 0 };
}
