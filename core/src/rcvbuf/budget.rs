use super::{
    device::DeviceClass,
    error::SizingError,
    parse::{DEVPATH_MAX_BYTES, MAX_STALL_MS, in_range},
    profile::{LengthBasis, PlugProfile},
    topology::UsbTopology,
    truesize::{PointerWidth, SkbAbi},
};
use crate::bytes::tri;

/// The largest budget: half of what the kernel's `int` holds, as `SO_RCVBUF` doubles what is asked
/// (`__sock_set_rcvbuf` in `net/core/sock.c`).
pub const MAX_BUDGET_BYTES: u32 = i32::MAX as u32 / 2;

/// Which events of other subsystems reach the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Others {
    /// None: a socket filter refuses them before they are charged.
    Filtered,
    /// Only those of what drivers make for a plugged device elsewhere than below it
    /// ([`VIRTUAL_SUBSYSTEMS`](super::VIRTUAL_SUBSYSTEMS)).
    Virtual,
    /// All: the budget has room for one whole coldplug, every device in `/sys` at once, besides.
    Unfiltered,
}

impl Others {
    /// The charge in bytes of what is no port's, which is one whole coldplug: 692 events, measured with Linux 6.1 as 559,616 bytes on arm64
    /// and 463,488 on 32-bit ARM, and 15 % more, because later kernels charge more for short events.
    #[must_use]
    pub const fn bytes(self, abi: SkbAbi) -> u32 {
        match (self, abi.width) {
            (Self::Filtered | Self::Virtual, _) => 0,
            (Self::Unfiltered, PointerWidth::Bits64) => 643_584,
            (Self::Unfiltered, PointerWidth::Bits32) => 533_056,
        }
    }
}

/// What a board asks of its receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Requirements<'a> {
    /// The board's buses and ports.
    pub topology: UsbTopology,
    /// The worst device that is plugged into every port at once.
    pub profile: PlugProfile<'a>,
    /// For how long in milliseconds the reader may not read ([`MAX_STALL_MS`]).
    pub max_stall_ms: u32,
    /// Bytes of the longest devpath of a device in one of the ports ([`DEVPATH_MAX_BYTES`]).
    pub devpath_max: u32,
    /// What the kernel charges; [`SkbAbi::BOUND`] for a kernel that is not known.
    pub abi: SkbAbi,
    /// Which events of other subsystems reach the socket.
    pub others: Others,
}

/// How many bytes the kernel charges at most while nobody reads.
///
/// ```
/// use sureplug_core::rcvbuf::{Budget, DeviceClass, Others, Requirements, SkbAbi, UsbTopology, or_panic};
///
/// const BUDGET: Budget = or_panic(Budget::new(&Requirements {
///     topology: or_panic(UsbTopology::new(2, 4)),
///     profile: DeviceClass::Storage.profile(),
///     max_stall_ms: 2_000,
///     devpath_max: 96,
///     abi: SkbAbi::BOUND_64,
///     others: Others::Filtered,
/// }));
/// assert_eq!(BUDGET.cycles, 1 + 2_000 / 1_400);
/// assert_eq!(BUDGET.total_bytes, 4 * BUDGET.per_port_bytes * BUDGET.cycles);
/// ```
///
/// More devices than the buses have addresses do not compile, nor does a buffer beyond
/// [`MAX_BUDGET_BYTES`]:
///
/// ```compile_fail,E0080
/// # use sureplug_core::rcvbuf::{Budget, DeviceClass, Others, Requirements, SkbAbi, UsbTopology, or_panic};
/// const BUDGET: Budget = or_panic(Budget::new(&Requirements {
///     topology: or_panic(UsbTopology::new(1, 15)),
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
///     topology: or_panic(UsbTopology::new(1, 127)),
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
    /// Bytes charged for one unplug at one port. With a [`CustomDevice`](super::CustomDevice) the plug holds them.
    pub unplug_bytes: u32,
    /// Bytes charged for a plug and an unplug at one port.
    pub per_port_bytes: u32,
    /// How often a device can be plugged and unplugged, begun cycles included, while nothing is read.
    pub cycles: u32,
    /// Bytes charged for all ports and all cycles.
    pub ports_bytes: u32,
    /// Bytes charged for events of other subsystems: those of virtual devices that the ports' devices bring, and a
    /// coldplug. Nothing if they are filtered.
    pub others_bytes: u32,
    /// The budget in bytes.
    pub total_bytes: u32,
    /// Bytes charged on this board for one hub with 8 sticks in and out, which no buffer is smaller than.
    pub hub8_bytes: u32,
}

impl Budget {
    /// The budget that meets the requirements.
    ///
    /// # Errors
    ///
    /// [`SizingError::TooManyDevices`] if the ports' devices need more addresses than the buses have,
    /// [`SizingError::OutOfRange`] for a stall or a devpath outside its range, and
    /// [`SizingError::BudgetTooLarge`] beyond [`MAX_BUDGET_BYTES`].
    pub const fn new(wanted: &Requirements<'_>) -> Result<Self, SizingError> {
        let profile = &wanted.profile;
        tri!(wanted.topology.check_devices(profile.devices));
        tri!(in_range(wanted.max_stall_ms, &MAX_STALL_MS));
        tri!(in_range(wanted.devpath_max, &DEVPATH_MAX_BYTES));
        // Lossless: `DEVPATH_MAX_BYTES` ends far below.
        #[expect(clippy::cast_possible_truncation)]
        let at = LengthBasis::budget(wanted.devpath_max as u16);

        // A profile's cycle is never zero.
        let Some(more_cycles) = wanted.max_stall_ms.checked_div(profile.shortest_cycle_ms) else {
            return Err(SizingError::EmptyProfile {
                events: profile.plug.count(),
                devices: profile.devices,
                shortest_cycle_ms: 0,
            });
        };
        let cycles = more_cycles.saturating_add(1);

        let plug = profile.plug.own_charge(at, wanted.abi);
        let unplug = profile.unplug.own_charge(at, wanted.abi);
        let per_port = plug.saturating_add(unplug);
        let times = (wanted.topology.ports() as u64).saturating_mul(cycles as u64);
        let ports = per_port.saturating_mul(times);
        let of_virtual = match wanted.others {
            Others::Filtered => 0,
            Others::Virtual | Others::Unfiltered => {
                profile.virtual_charge(at, wanted.abi).saturating_mul(times)
            }
        };
        let others = of_virtual.saturating_add(wanted.others.bytes(wanted.abi) as u64);
        let total = ports.saturating_add(others);
        let hub8 = DeviceClass::Hub8.profile();
        let hub8 = hub8.plug.charge(at, wanted.abi).saturating_add(hub8.unplug.charge(at, wanted.abi));

        // The total holds every other figure but the hub with 8 sticks.
        let total_bytes = tri!(bounded(total));
        let hub8_bytes = tri!(bounded(hub8));
        #[expect(clippy::cast_possible_truncation)]
        Ok(Self {
            plug_bytes: plug as u32,
            unplug_bytes: unplug as u32,
            per_port_bytes: per_port as u32,
            cycles,
            ports_bytes: ports as u32,
            others_bytes: others as u32,
            total_bytes,
            hub8_bytes,
        })
    }
}

const fn bounded(bytes: u64) -> Result<u32, SizingError> {
    if bytes > MAX_BUDGET_BYTES as u64 {
        return Err(SizingError::BudgetTooLarge { bytes, limit: MAX_BUDGET_BYTES });
    }
    #[expect(clippy::cast_possible_truncation)]
    Ok(bytes as u32)
}
