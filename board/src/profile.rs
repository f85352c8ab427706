//! The board's profile: fixed when the image is built, overridden by options, or counted at start.

use std::fmt;

use sureplug_core::filter::Filter;
use sureplug_core::rcvbuf::{
    Budget, DEFAULT_DEVPATH_MAX_BYTES, DEVICES_PER_PORT, DEVPATH_MAX_BYTES, DeviceClass, MAX_BUDGET_BYTES,
    MAX_DEVICES_PER_BUS, MAX_STALL_MS, Others, PlugProfile, PortDevice, RcvBuf, Requirements, SizingError,
    SkbAbi, USB_PORTS, UsbTopology, parse_u32,
};
use sureplug_core::selection::Selection;

pub use crate::sysfs::BoardPorts;

/// The default for the longest stall, in milliseconds.
pub const DEFAULT_MAX_STALL_MS: u32 = 1_000;

/// The fewest ports assumed if none are stated. Most machines have at least as many.
pub const MIN_COUNTED_PORTS: u32 = 4;

/// The default of `net.core.rmem_default` in any kernel since 2.6.
const USUAL_RMEM_DEFAULT: u32 = 212_992;

/// The properties of a board that its image or the daemon's options state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The board's USB ports; `None` counts them at start.
    pub ports: Option<u32>,
    /// The worst device that is plugged into each port.
    pub port_device: PortDevice,
    /// The number of such devices in each port at once, behind hubs.
    pub devices_per_port: u32,
    /// The longest time in milliseconds without a read of the socket.
    pub max_stall_ms: u32,
    /// Bytes of the longest devpath of a device in one of the ports; `None` if not stated.
    pub devpath_max: Option<u32>,
}

/// Parses a build-time variable. A bad value ends the build with a message that names the variable.
macro_rules! from_environment {
    ($name:literal, $wanted:literal, |$text:ident| $parsed:expr) => {
        match option_env!($name) {
            None => None,
            Some($text) => match $parsed {
                Ok(value) => Some(value),
                Err(_) => panic!(concat!($name, " must be ", $wanted)),
            },
        }
    };
}

/// The subsystems that the image was built for, from `SUREPLUG_SUBSYSTEMS` in the build's
/// environment: names separated by blanks, or `all`. The default is [`Selection::USB`].
pub const SUBSYSTEMS: Selection = match from_environment!(
    "SUREPLUG_SUBSYSTEMS",
    "at most 16 names of subsystems of up to 32 bytes, separated by blanks, or `all`",
    |text| Selection::parse(text)
) {
    Some(selection) => selection,
    None => Selection::USB,
};

/// A selection that no kernel can filter fails the build.
const _: () = {
    // The largest default of any kernel: since 6.8 (`net/core/sock.c`).
    let optmem_max = 131_072;
    assert!(
        SUBSYSTEMS.is_all() || Filter::new(&SUBSYSTEMS, optmem_max).is_ok(),
        "SUREPLUG_SUBSYSTEMS needs a larger filter than any kernel accepts: name fewer subsystems, or `all`"
    );
};

// Each is a constant of its own, so that a build reports all bad values at once.
const BUILD_PORTS: Option<u32> =
    from_environment!("SUREPLUG_USB_PORTS", "a whole number from 1 to 127, such as 4", |text| parse_u32(
        text, &USB_PORTS
    ));
const BUILD_PORT_DEVICE: Option<PortDevice> = from_environment!(
    "SUREPLUG_PORT_DEVICE",
    "hub, mouse, keyboard, storage, card-reader, serial, audio, ethernet, uas, phone, smart-card, \
     hub8 or custom:EVENTSxBYTES[+EVENTSxBYTES...]@CYCLE_MS",
    |text| PortDevice::parse(text)
);
const BUILD_DEVICES_PER_PORT: Option<u32> =
    from_environment!("SUREPLUG_DEVICES_PER_PORT", "a whole number from 1 to 127, such as 8", |text| {
        parse_u32(text, &DEVICES_PER_PORT)
    });
const BUILD_MAX_STALL_MS: Option<u32> = from_environment!(
    "SUREPLUG_MAX_STALL_MS",
    "a whole number of milliseconds from 1 to 600000, such as 1000",
    |text| parse_u32(text, &MAX_STALL_MS)
);
const BUILD_DEVPATH_MAX: Option<u32> = from_environment!(
    "SUREPLUG_DEVPATH_MAX",
    "a whole number of bytes from 16 to 1000, such as 96",
    |text| parse_u32(text, &DEVPATH_MAX_BYTES)
);

impl Profile {
    /// The profile that the image was built with, from `SUREPLUG_USB_PORTS`,
    /// `SUREPLUG_PORT_DEVICE`, `SUREPLUG_DEVICES_PER_PORT`, `SUREPLUG_MAX_STALL_MS` and
    /// `SUREPLUG_DEVPATH_MAX` in the build's environment.
    pub const BUILD: Self = Self {
        ports: BUILD_PORTS,
        port_device: match BUILD_PORT_DEVICE {
            Some(device) => device,
            None => PortDevice::Class(DeviceClass::Storage),
        },
        devices_per_port: match BUILD_DEVICES_PER_PORT {
            Some(devices) => devices,
            None => 1,
        },
        max_stall_ms: match BUILD_MAX_STALL_MS {
            Some(ms) => ms,
            None => DEFAULT_MAX_STALL_MS,
        },
        devpath_max: BUILD_DEVPATH_MAX,
    };

    /// Returns the plug profile of all devices in one port.
    #[must_use]
    pub const fn plug(&self) -> PlugProfile<'_> {
        PlugProfile { copies: self.devices_per_port, ..self.port_device.profile() }
    }

    /// Returns `true` if the number of ports is stated. The daemon then refuses to start with a
    /// buffer smaller than the budget.
    #[must_use]
    pub const fn is_fixed(&self) -> bool {
        self.ports.is_some()
    }
}

/// An image's profile that is impossible as a whole fails the build.
const _: () = {
    if let Some(ports) = Profile::BUILD.ports {
        let sized = Sizing::of(
            &Profile::BUILD,
            UsbTopology { buses: 1, ports },
            default_devpath(&Profile::BUILD),
            USUAL_RMEM_DEFAULT,
            Others::Unfiltered,
        );
        if let Err(error) = sized {
            panic!(
                "{}",
                match error {
                    SizingError::TooManyDevices { .. } =>
                        "SUREPLUG_USB_PORTS times the devices of SUREPLUG_PORT_DEVICE exceeds the 127 of a USB \
                         bus: lower one of them, or SUREPLUG_DEVICES_PER_PORT",
                    SizingError::BudgetTooLarge { .. } =>
                        "SUREPLUG_USB_PORTS, SUREPLUG_PORT_DEVICE, SUREPLUG_MAX_STALL_MS and \
                         SUREPLUG_DEVPATH_MAX together need a larger buffer than a socket can have: lower one \
                         of them",
                    other => other.message(),
                }
            );
        }
    }
};

const fn default_devpath(profile: &Profile) -> u32 {
    match profile.devpath_max {
        Some(bytes) => bytes,
        None => DEFAULT_DEVPATH_MAX_BYTES,
    }
}

/// A profile applied to this board: its budget, and the buffer that meets it.
#[derive(Clone, Copy, Debug)]
pub struct Sizing {
    /// The stated profile.
    pub profile: Profile,
    /// The buses and ports that the budget covers.
    pub topology: UsbTopology,
    /// Bytes of the longest devpath that the budget covers.
    pub devpath_max: u32,
    /// The budget.
    pub budget: Budget,
    /// `net.core.rmem_default`.
    pub rmem_default: u32,
    /// The buffer.
    pub rcvbuf: RcvBuf,
}

impl Sizing {
    /// Sizes the buffer from the profile, and from sysfs where the profile states nothing.
    ///
    /// `rmem_default` is `None` if it cannot be read. `others` are the events of other subsystems
    /// that reach the socket.
    ///
    /// # Errors
    ///
    /// Returns a [`SizingError`] if the figures are impossible together.
    pub fn for_board(
        profile: &Profile,
        board: &BoardPorts,
        rmem_default: Option<u32>,
        others: Others,
    ) -> Result<Self, SizingError> {
        let ports = profile.ports.unwrap_or(board.ports.max(MIN_COUNTED_PORTS));
        let plug = profile.plug();
        let devices = ports.saturating_mul(u32::from(plug.devices).saturating_mul(plug.copies));
        // Devices of counted ports have addresses: only a stated profile can be impossible.
        let buses = if profile.is_fixed() { 1 } else { devices.div_ceil(MAX_DEVICES_PER_BUS) };
        let topology = UsbTopology { buses: board.buses.max(buses), ports };
        let devpath_max = match profile.devpath_max {
            None if !profile.is_fixed() => {
                board.longest_devpath.clamp(DEFAULT_DEVPATH_MAX_BYTES, *DEVPATH_MAX_BYTES.end())
            }
            _ => default_devpath(profile),
        };
        let rmem_default = rmem_default.unwrap_or(USUAL_RMEM_DEFAULT).min(MAX_BUDGET_BYTES / 2);
        Self::of(profile, topology, devpath_max, rmem_default, others)
    }

    const fn of(
        profile: &Profile,
        topology: UsbTopology,
        devpath_max: u32,
        rmem_default: u32,
        others: Others,
    ) -> Result<Self, SizingError> {
        let requirements = Requirements {
            topology,
            profile: profile.plug(),
            max_stall_ms: profile.max_stall_ms,
            devpath_max,
            // A 32-bit program may run on a 64-bit kernel, which charges more.
            abi: SkbAbi::BOUND_64,
            others,
        };
        let budget = match Budget::new(&requirements) {
            Ok(budget) => budget,
            Err(error) => return Err(error),
        };
        match RcvBuf::new(&budget, rmem_default) {
            Ok(rcvbuf) => Ok(Self { profile: *profile, topology, devpath_max, budget, rmem_default, rcvbuf }),
            Err(error) => Err(error),
        }
    }

    /// Returns the figures in which the board exceeds its stated profile.
    #[must_use]
    pub fn mismatches(&self, board: &BoardPorts) -> [Option<Mismatch>; 2] {
        let ports = self.profile.ports.filter(|&stated| board.ports > stated);
        let longer = board.longest_devpath > self.devpath_max;
        let ports = ports.map(|stated| Mismatch::Ports { stated, found: board.ports });
        let devpath =
            longer.then_some(Mismatch::Devpath { stated: self.devpath_max, found: board.longest_devpath });
        [ports, devpath]
    }
}

/// A figure in which the board exceeds its profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// The board has more ports.
    Ports {
        /// The number in the profile.
        stated: u32,
        /// The number in sysfs.
        found: u32,
    },
    /// The board has longer devpaths.
    Devpath {
        /// Bytes in the profile.
        stated: u32,
        /// Bytes in sysfs.
        found: u32,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ports { stated, found } => write!(
                f,
                "the profile is too small for this board: it states {stated} USB ports, but sysfs shows {found} of \
                 the board's own. Build the image with SUREPLUG_USB_PORTS={found}, or start with --ports {found}"
            ),
            Self::Devpath { stated, found } => write!(
                f,
                "the profile is too small for this board: it states devpaths of up to {stated} bytes, but sysfs \
                 shows ports with {found}. Build the image with SUREPLUG_DEVPATH_MAX={found}, or start with \
                 --devpath-max {found}"
            ),
        }
    }
}
