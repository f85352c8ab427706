use super::device::DeviceClass;
use super::error::SizingError;
use super::parse::{DEVPATH_MAX_BYTES, MAX_STALL_MS, in_range};
use super::profile::{LengthBasis, PlugProfile};
use super::truesize::{PointerWidth, SkbAbi};
use crate::bytes::tri;

/// The largest budget: half the maximum of the kernel's `int`, as `SO_RCVBUF` doubles the request
/// (`__sock_set_rcvbuf` in `net/core/sock.c`).
pub const MAX_BUDGET_BYTES: u32 = i32::MAX as u32 / 2;

/// The most devices on one bus: USB addresses are 1 to 127 (`devnum` in `drivers/usb/core/hub.c`).
pub const MAX_DEVICES_PER_BUS: u32 = 127;

/// A board's USB ports and buses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UsbTopology {
    /// USB buses.
    pub buses: u32,
    /// Ports that a user can plug into.
    pub ports: u32,
}

impl UsbTopology {
    /// Checks that the buses have addresses for this many devices in every port.
    const fn check(self, per_port: u32) -> Result<(), SizingError> {
        if self.buses == 0 {
            return Err(SizingError::NoBuses);
        }
        if self.ports == 0 {
            return Err(SizingError::NoPorts);
        }
        let limit = self.buses.saturating_mul(MAX_DEVICES_PER_BUS);
        match self.ports.checked_mul(per_port) {
            Some(devices) if devices <= limit => Ok(()),
            _ => Err(SizingError::TooManyDevices { ports: self.ports, per_port, limit }),
        }
    }
}

/// Which events of other subsystems reach the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Others {
    /// No events: a socket filter refuses them before they are charged.
    Filtered,
    /// Only those of objects that drivers make for a plugged device outside its own devpath
    /// ([`VIRTUAL_SUBSYSTEMS`](super::VIRTUAL_SUBSYSTEMS)).
    Virtual,
    /// All events: the budget includes one whole coldplug, every device in `/sys` at once.
    Unfiltered,
}

impl Others {
    /// Returns the charge in bytes of events that belong to no port: one whole coldplug of 692
    /// events.
    ///
    /// Linux 6.1 charges 559,616 bytes on arm64 and 463,488 on 32-bit ARM, as measured. 15 % are
    /// added because later kernels charge more for short events.
    #[must_use]
    pub const fn bytes(self, abi: SkbAbi) -> u32 {
        match (self, abi.width) {
            (Self::Filtered | Self::Virtual, _) => 0,
            (Self::Unfiltered, PointerWidth::Bits64) => 643_584,
            (Self::Unfiltered, PointerWidth::Bits32) => 533_056,
        }
    }
}

/// A board's requirements for its receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Requirements<'a> {
    /// The board's buses and ports.
    pub topology: UsbTopology,
    /// The worst device, plugged into every port at once.
    pub profile: PlugProfile<'a>,
    /// The longest time in milliseconds without a read of the socket ([`MAX_STALL_MS`]).
    pub max_stall_ms: u32,
    /// The longest devpath of a device in one of the ports, in bytes ([`DEVPATH_MAX_BYTES`]).
    pub devpath_max: u32,
    /// The kernel's charges; [`SkbAbi::BOUND`] for an unknown kernel.
    pub abi: SkbAbi,
    /// Which events of other subsystems reach the socket.
    pub others: Others,
}

/// The most bytes that the kernel charges while the reader does not read.
///
/// ```
/// use sureplug_core::rcvbuf::{Budget, DeviceClass, Others, Requirements, SkbAbi, UsbTopology, or_panic};
///
/// const BUDGET: Budget = or_panic(Budget::new(&Requirements {
///     topology: UsbTopology { buses: 2, ports: 4 },
///     profile: DeviceClass::Storage.profile(),
///     max_stall_ms: 2_000,
///     devpath_max: 96,
///     abi: SkbAbi::BOUND_64,
///     others: Others::Filtered,
/// }));
/// assert_eq!(BUDGET.cycles, 1 + 2_000 / 1_200);
/// assert_eq!(BUDGET.total_bytes, 4 * BUDGET.per_port_bytes * BUDGET.cycles);
/// ```
///
/// A board without ports does not compile, nor one with more devices than addresses on its buses,
/// nor one that needs a buffer beyond [`MAX_BUDGET_BYTES`]:
///
/// ```compile_fail,E0080
/// # use sureplug_core::rcvbuf::{Budget, DeviceClass, Others, Requirements, SkbAbi, UsbTopology, or_panic};
/// const BUDGET: Budget = or_panic(Budget::new(&Requirements {
///     topology: UsbTopology { buses: 1, ports: 0 },
///     profile: DeviceClass::Storage.profile(),
///     max_stall_ms: 2_000,
///     devpath_max: 96,
///     abi: SkbAbi::BOUND_64,
///     others: Others::Filtered,
/// }));
/// println!("{BUDGET:?}");
/// ```
///
/// ```compile_fail,E0080
/// # use sureplug_core::rcvbuf::{Budget, DeviceClass, Others, Requirements, SkbAbi, UsbTopology, or_panic};
/// const BUDGET: Budget = or_panic(Budget::new(&Requirements {
///     topology: UsbTopology { buses: 1, ports: 15 },
///     profile: DeviceClass::Hub8.profile(), // 15 × 9 devices
///     max_stall_ms: 2_000,
///     devpath_max: 96,
///     abi: SkbAbi::BOUND_64,
///     others: Others::Filtered,
/// }));
/// println!("{BUDGET:?}");
/// ```
///
/// ```compile_fail,E0080
/// # use sureplug_core::rcvbuf::{Budget, DeviceClass, Others, Requirements, SkbAbi, UsbTopology, or_panic};
/// const BUDGET: Budget = or_panic(Budget::new(&Requirements {
///     topology: UsbTopology { buses: 1, ports: 127 },
///     profile: DeviceClass::Keyboard.profile(),
///     max_stall_ms: 600_000,
///     devpath_max: 1_000,
///     abi: SkbAbi::BOUND_64,
///     others: Others::Filtered,
/// }));
/// println!("{BUDGET:?}");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Budget {
    /// Bytes charged for one plug at one port, without events of other subsystems.
    pub plug_bytes: u32,
    /// Bytes charged for one unplug at one port. For a [`CustomDevice`](super::CustomDevice) they
    /// are part of the plug.
    pub unplug_bytes: u32,
    /// Bytes charged for a plug and an unplug at one port.
    pub per_port_bytes: u32,
    /// The number of plug-unplug cycles while nothing is read, including one that has only begun.
    pub cycles: u32,
    /// Bytes charged for all ports and all cycles.
    pub ports_bytes: u32,
    /// Bytes charged for events of other subsystems: those of virtual devices that belong to the
    /// ports' devices, and those of a coldplug. Zero if they are filtered.
    pub others_bytes: u32,
    /// The budget in bytes.
    pub total_bytes: u32,
    /// Bytes charged on this board for a plug and an unplug of one hub with 8 sticks: the minimum
    /// of every buffer.
    pub hub8_bytes: u32,
}

impl Budget {
    /// Computes the budget that meets the requirements.
    ///
    /// # Errors
    ///
    /// Returns [`SizingError::NoPorts`] or [`SizingError::NoBuses`];
    /// [`SizingError::TooManyDevices`] if the devices in the ports need more addresses than the
    /// buses have; [`SizingError::EmptyProfile`]; [`SizingError::OutOfRange`] for a stall or a
    /// devpath outside its range; and [`SizingError::BudgetTooLarge`] beyond [`MAX_BUDGET_BYTES`].
    pub const fn new(wanted: &Requirements<'_>) -> Result<Self, SizingError> {
        let &Requirements { topology, profile, max_stall_ms, devpath_max, abi, others } = wanted;
        let PlugProfile { plug, unplug, devices, copies, shortest_cycle_ms } = profile;
        tri!(topology.check((devices as u32).saturating_mul(copies)));
        tri!(in_range(max_stall_ms, &MAX_STALL_MS));
        tri!(in_range(devpath_max, &DEVPATH_MAX_BYTES));
        if plug.count() == 0 && unplug.count() == 0 || devices == 0 || copies == 0 || shortest_cycle_ms == 0 {
            return Err(SizingError::EmptyProfile);
        }
        // Lossless: the end of `DEVPATH_MAX_BYTES` is far below.
        #[expect(clippy::cast_possible_truncation)]
        let at = LengthBasis::budget(devpath_max as u16);
        let cycles = max_stall_ms / shortest_cycle_ms + 1;

        let port = if copies == 1 { at } else { at.behind_hubs() };
        let copies = copies as u64;
        let plug_bytes = plug.own_charge(port, abi).saturating_mul(copies);
        let unplug_bytes = unplug.own_charge(port, abi).saturating_mul(copies);
        let per_port = plug_bytes.saturating_add(unplug_bytes);
        let times = (topology.ports as u64).saturating_mul(cycles as u64);
        let ports_bytes = per_port.saturating_mul(times);
        let of_virtual = match others {
            Others::Filtered => 0,
            Others::Virtual | Others::Unfiltered => {
                profile.virtual_charge(port, abi).saturating_mul(copies).saturating_mul(times)
            }
        };
        let others_bytes = of_virtual.saturating_add(others.bytes(abi) as u64);
        let hub8 = DeviceClass::Hub8.profile();
        let hub8_bytes = hub8.plug.charge(at, abi).saturating_add(hub8.unplug.charge(at, abi));

        // The total exceeds every other figure except the one of the hub with 8 sticks.
        let total_bytes = tri!(bounded(ports_bytes.saturating_add(others_bytes)));
        #[expect(clippy::cast_possible_truncation)]
        Ok(Self {
            plug_bytes: plug_bytes as u32,
            unplug_bytes: unplug_bytes as u32,
            per_port_bytes: per_port as u32,
            cycles,
            ports_bytes: ports_bytes as u32,
            others_bytes: others_bytes as u32,
            total_bytes,
            hub8_bytes: tri!(bounded(hub8_bytes)),
        })
    }
}

const fn bounded(bytes: u64) -> Result<u32, SizingError> {
    if bytes > MAX_BUDGET_BYTES as u64 {
        return Err(SizingError::BudgetTooLarge { bytes });
    }
    #[expect(clippy::cast_possible_truncation)]
    Ok(bytes as u32)
}
