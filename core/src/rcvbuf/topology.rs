use super::error::SizingError;
use crate::bytes::tri;

/// Devices of one bus at most: USB addresses are 1 to 127 (`devnum` in `drivers/usb/core/hub.c`).
pub const MAX_DEVICES_PER_BUS: u32 = 127;

/// How many USB ports a board offers, on how many buses.
///
/// ```
/// use sureplug_core::rcvbuf::{SizingError, UsbTopology};
///
/// assert_eq!(UsbTopology::new(2, 4)?.ports(), 4);
/// assert_eq!(UsbTopology::new(1, 0), Err(SizingError::NoPorts));
/// # Ok::<(), SizingError>(())
/// ```
///
/// An impossible board does not compile:
///
/// ```compile_fail,E0080
/// use sureplug_core::rcvbuf::{UsbTopology, or_panic};
///
/// const NO_PORTS: UsbTopology = or_panic(UsbTopology::new(1, 0));
/// println!("{NO_PORTS:?}");
/// ```
///
/// ```compile_fail,E0080
/// use sureplug_core::rcvbuf::{UsbTopology, or_panic};
///
/// const TOO_MANY: UsbTopology = or_panic(UsbTopology::new(1, 128));
/// println!("{TOO_MANY:?}");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UsbTopology {
    buses: u32,
    ports: u32,
}

impl UsbTopology {
    /// A board with that many buses and ports.
    ///
    /// # Errors
    ///
    /// [`SizingError::NoBuses`], [`SizingError::NoPorts`], and [`SizingError::TooManyDevices`] for more ports
    /// than the buses have addresses.
    pub const fn new(buses: u32, ports: u32) -> Result<Self, SizingError> {
        if buses == 0 {
            return Err(SizingError::NoBuses);
        }
        if ports == 0 {
            return Err(SizingError::NoPorts);
        }
        let topology = Self { buses, ports };
        tri!(topology.check_devices(1));
        Ok(topology)
    }

    /// Ports that a user can plug into.
    #[must_use]
    pub const fn ports(&self) -> u32 {
        self.ports
    }

    /// Have the buses addresses for that many devices at every port?
    pub(super) const fn check_devices(self, per_port: u8) -> Result<(), SizingError> {
        let limit = self.buses.saturating_mul(MAX_DEVICES_PER_BUS);
        match self.ports.checked_mul(per_port as u32) {
            Some(devices) if devices <= limit => Ok(()),
            _ => Err(SizingError::TooManyDevices { ports: self.ports, per_port, limit }),
        }
    }
}
