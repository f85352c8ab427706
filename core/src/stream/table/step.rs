use core::num::NonZeroU64;

use super::slot::Index;
use crate::uevent::{Action, Uevent};

/// One device that the table holds or has held: a slot, and which of its devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stream) struct Device {
    pub(in crate::stream) slot: Index,
    pub(in crate::stream) generation: u32,
}

/// Where an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Origin {
    /// A scan found the device, and nothing had been lost; or a snapshot.
    Scan,
    /// The kernel sent it.
    Kernel,
    /// It was missing: a scan found it, or a delta.
    Resync,
}

impl Origin {
    /// Returns the value of `SUREPLUG_ORIGIN`.
    #[must_use]
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Scan => b"scan",
            Self::Kernel => b"kernel",
            Self::Resync => b"repair",
        }
    }

    /// Reads a value of `SUREPLUG_ORIGIN`. A word that is not known did not come from the kernel, either.
    #[must_use]
    pub const fn from_bytes(bytes: &[u8]) -> Self {
        match bytes {
            b"kernel" => Self::Kernel,
            b"scan" => Self::Scan,
            _ => Self::Resync,
        }
    }
}

/// What a step does to the devices of a consumer that gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stream) enum Effect {
    /// The device appears.
    Add,
    /// The device is gone.
    Remove,
    /// The device stays.
    Keep,
}

impl Effect {
    /// The action of an event that is made for it.
    pub(in crate::stream) const fn action(self) -> Action<'static> {
        match self {
            Self::Add => Action::Add,
            Self::Remove => Action::Remove,
            Self::Keep => Action::Change,
        }
    }
}

/// One step of the stream.
#[derive(Clone, Copy, Debug)]
pub(in crate::stream) struct Step<'e> {
    pub(in crate::stream) origin: Origin,
    /// Whose it is and what it does; `None` for what the table does not hold, which passes as it is.
    pub(in crate::stream) device: Option<(Device, Effect)>,
    /// The event; `None` if it is to be made of what the table holds. If its action does not have that effect, it is
    /// delivered with one that has.
    pub(in crate::stream) uevent: Option<Uevent<'e>>,
}

/// Takes the steps in the order in which they are delivered, and returns how many there were by then.
pub(super) type Out<'o> = &'o mut dyn FnMut(Step<'_>) -> u64;

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
    /// Returns a directory by the number of its inode; 0 if that is not known.
    #[must_use]
    pub const fn of(inode: u64) -> Self {
        match NonZeroU64::new(inode) {
            Some(inode) => Self::Inode(inode),
            None => Self::Unknown,
        }
    }

    pub(in crate::stream) const fn inode(self) -> Option<NonZeroU64> {
        match self {
            Self::Inode(inode) => Some(inode),
            Self::Unknown | Self::Absent => None,
        }
    }
}
