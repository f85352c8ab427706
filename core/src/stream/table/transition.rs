use core::num::NonZeroU64;

use super::slot::Index;
use crate::uevent::Uevent;

/// One device that the table holds or has held: a slot, and which of its devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Device {
    pub(crate) slot: Index,
    pub(crate) generation: u32,
}

/// Where something that is told comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Origin {
    /// A scan found the device, and nothing had been lost.
    Scan,
    /// The kernel sent it.
    Kernel,
    /// A scan found what no event told.
    Repair,
}

impl Origin {
    /// As `SUREPLUG_ORIGIN` has it.
    #[must_use]
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Scan => b"scan",
            Self::Kernel => b"kernel",
            Self::Repair => b"repair",
        }
    }

    /// From what `SUREPLUG_ORIGIN` has. Whatever is none of these words did not come from the kernel, either.
    #[must_use]
    pub const fn from_bytes(bytes: &[u8]) -> Self {
        match bytes {
            b"kernel" => Self::Kernel,
            b"scan" => Self::Scan,
            _ => Self::Repair,
        }
    }
}

/// What something that is told does to the set of devices of whoever hears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Effect {
    /// The device appears.
    Add,
    /// The device is gone.
    Remove,
    /// The device stays.
    Between,
}

/// One step of the stream, in the order in which it must be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition<'e> {
    /// An event of the kernel. If its action does not have that effect, it is told as one that has.
    Event {
        /// Whose.
        device: Device,
        /// What it does.
        effect: Effect,
        /// The event.
        uevent: Uevent<'e>,
    },
    /// Something that no event said, made of what the table holds.
    Made {
        /// Whose.
        device: Device,
        /// What it does.
        effect: Effect,
        /// Why it is told.
        origin: Origin,
    },
    /// An event of something that the table does not hold: it passes as it is.
    Untracked {
        /// Who says so.
        origin: Origin,
        /// The event.
        uevent: Uevent<'e>,
    },
}

/// Whether the device of an event can be found again in sysfs, and so in the table: whether it belongs to a
/// class or a bus. `module`, `drivers`, `queues` and the like do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Scope {
    /// A device of a class or bus.
    Tracked,
    /// Anything else.
    Untracked,
}

/// What sysfs shows at an event's devpath when the event is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Directory {
    /// It was not looked at, or could not be read.
    #[default]
    Unknown,
    /// Nothing.
    Absent,
    /// A directory with this inode, which is new at each creation.
    Inode(NonZeroU64),
}

impl Directory {
    /// A directory by the number of its inode; 0 if that is not known.
    #[must_use]
    pub const fn of(inode: u64) -> Self {
        match NonZeroU64::new(inode) {
            Some(inode) => Self::Inode(inode),
            None => Self::Unknown,
        }
    }

    pub(crate) const fn inode(self) -> Option<NonZeroU64> {
        match self {
            Self::Inode(inode) => Some(inode),
            Self::Unknown | Self::Absent => None,
        }
    }
}
