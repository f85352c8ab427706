use core::num::{NonZeroU16, NonZeroU64};

/// The number of a slot, plus one, so that `Option` costs nothing and a table of zeros is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::stream) struct Index(NonZeroU16);

impl Index {
    /// Returns `None` beyond the largest table.
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

    /// Returns all slots of a table.
    pub(super) fn all<const SLOTS: usize>() -> impl Iterator<Item = Self> {
        (0..SLOTS).filter_map(Self::from_place)
    }

    /// Returns the number as stored in bytes.
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

/// A consumer of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ConsumerId(u8);

impl ConsumerId {
    /// The most consumers: a slot has a bit for each.
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

/// The contents of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Empty.
    Free,
    /// A device that a running scan has found and that is not announced yet.
    Found,
    /// A device announced as present.
    Present,
    /// A removed device, kept as a tombstone for consumers that have not received the `remove` yet.
    Gone,
}

/// The findings of a running scan about a present device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing yet.
    #[default]
    Unseen,
    /// An event about it arrived meanwhile: it need not be looked for.
    Reported,
    /// Seen and unchanged.
    Kept,
    /// Gone or replaced.
    Doomed,
}

/// Temporary marks of a slot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    pub(super) verdict: Verdict,
    /// The device is moving to another devpath.
    pub(super) moving: bool,
    /// Whether a loss may have hidden a `change` of the device, and no scan has read it since.
    pub(super) change_due: bool,
}

/// One device. Its devpath and properties are in the table's arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// The inode of its directory in sysfs, once looked up: by a scan, or when its `add` was
    /// applied.
    pub(super) inode: Option<NonZeroU64>,
    /// The fingerprint of the stored identity.
    pub(super) fingerprint: u64,
    /// The start of its bytes.
    pub(super) start: u32,
    pub(super) hash: u32,
    /// The number of the slot's device among those that it has held.
    pub(super) generation: u32,
    pub(super) path_length: u16,
    pub(super) properties_length: u16,
    /// The next slot in the same chain of the hash index.
    pub(super) next: Option<Index>,
    /// A bit for each consumer to which the device was announced and its `remove` was not.
    pub(super) announced: u32,
    /// A bit for each consumer that missed an event of the device and has not received a `change`
    /// since.
    pub(super) missed: u32,
    /// The number of steps up to the last one about the slot's device.
    pub(super) steps: u64,
    /// The number of slashes in the devpath: more for a descendant.
    pub(super) depth: u16,
    pub(super) state: State,
    /// Whether the stored `DISKSEQ` may be that of the previous medium.
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

    /// Returns `true` if the slot can be reused: no consumer needs the `remove` of its device.
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

/// The share of the table in use by devices that are not below a USB port.
#[derive(Clone, Copy)]
pub(super) struct Others {
    pub(super) slots: usize,
    pub(super) bytes: usize,
}

impl Others {
    pub(super) const NONE: Self = Self { slots: 0, bytes: 0 };
}
