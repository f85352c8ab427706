use core::num::NonZeroU64;

use super::slot::Index;
use crate::uevent::{Action, Uevent};

/// A device that the table holds or has held: a slot, and the number of its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stream) struct Device {
    pub(in crate::stream) slot: Index,
    pub(in crate::stream) generation: u32,
}

/// The origin of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Origin {
    /// A scan found the device without a preceding loss; or the event belongs to a snapshot.
    Scan,
    /// The kernel sent the event.
    Kernel,
    /// A scan or a delta supplied the missing event.
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

    /// Parses a value of `SUREPLUG_ORIGIN`. An unknown word did not come from the kernel either.
    #[must_use]
    pub const fn from_bytes(bytes: &[u8]) -> Self {
        match bytes {
            b"kernel" => Self::Kernel,
            b"scan" => Self::Scan,
            _ => Self::Resync,
        }
    }
}

/// The effect of a step on the devices of a consumer that receives it.
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
    /// Returns the action of an event made for this effect.
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
    /// The device and the effect on it; `None` for an object that the table does not hold, whose
    /// event passes unchanged.
    pub(in crate::stream) device: Option<(Device, Effect)>,
    /// The event; `None` if it is to be made from the table. If its action does not have the
    /// effect, it is delivered with one that does.
    pub(in crate::stream) uevent: Option<Uevent<'e>>,
}

/// Takes the steps in the order of delivery, and returns the number of steps so far.
pub(super) type Out<'o> = &'o mut dyn FnMut(Step<'_>) -> u64;

/// Whether the device of an event can be found in sysfs, and therefore in the table, because it
/// belongs to a class or a bus. `module`, `drivers`, `queues` and the like do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Scope {
    /// A device of a class or bus.
    Tracked,
    /// Anything else.
    Untracked,
}

/// The state of sysfs at an event's devpath when the event is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Directory {
    /// It was not looked up, or could not be read.
    #[default]
    Unknown,
    /// Nothing exists.
    Absent,
    /// A directory with this inode, which is new at each creation.
    Inode(NonZeroU64),
}

impl Directory {
    /// Returns the directory with this inode number; 0 if unknown.
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
