//! The status LED of a board: how the stream is, for who has neither a network nor a serial line. The patterns are
//! those of [`indicator`].

pub mod indicator;
mod sysfs;

use std::io;
use std::path::Path;

use crate::service::led::indicator::{Condition, Indicator};
#[cfg(feature = "gpio")]
use embedded_hal::digital::PinState;
use embedded_hal::digital::{ErrorType, OutputPin};
use sureplug_core::time::Instant;

pub use sysfs::{LedError, SysfsLed};

/// An LED of whatever kind.
#[derive(Debug)]
enum Pin {
    Sysfs(SysfsLed),
    #[cfg(feature = "gpio")]
    Gpio(gpiocdev_embedded_hal::OutputPin),
}

impl ErrorType for Pin {
    type Error = LedError;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), LedError> {
        match self {
            Self::Sysfs(led) => led.set_low(),
            #[cfg(feature = "gpio")]
            Self::Gpio(line) => line.set_low().map_err(|_| LedError(io::ErrorKind::Other)),
        }
    }

    fn set_high(&mut self) -> Result<(), LedError> {
        match self {
            Self::Sysfs(led) => led.set_high(),
            #[cfg(feature = "gpio")]
            Self::Gpio(line) => line.set_high().map_err(|_| LedError(io::ErrorKind::Other)),
        }
    }
}

/// The LED that the worker drives. One that fails is said once, and tried again with each change.
#[derive(Debug)]
pub struct StatusLed {
    indicator: Indicator<Pin>,
    has_failed: bool,
}

impl StatusLed {
    /// Takes an LED of `class/leds` below `sysfs`, by its name, away from whatever drives it.
    ///
    /// # Errors
    ///
    /// What the system says: there is none of that name, or it is not for this user.
    pub fn of_sysfs(sysfs: &Path, name: &str) -> io::Result<Self> {
        SysfsLed::open(&sysfs.join("class/leds").join(name)).map(Pin::Sysfs).map(Self::new)
    }

    /// Takes a line of a GPIO chip, such as `/dev/gpiochip0`, which is high when the LED is on.
    ///
    /// # Errors
    ///
    /// What the system says, in a sentence.
    #[cfg(feature = "gpio")]
    pub fn of_gpio(chip: &Path, line: u32) -> io::Result<Self> {
        let pin = gpiocdev_embedded_hal::OutputPin::new(chip, line, PinState::Low);
        pin.map(Pin::Gpio).map(Self::new).map_err(|error| io::Error::other(error.to_string()))
    }

    fn new(pin: Pin) -> Self {
        Self { indicator: Indicator::new(pin), has_failed: false }
    }

    /// When it has something to do if nothing changes.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        self.indicator.wake_at()
    }

    /// Shows how things are now. Returns why it cannot, the first time.
    pub fn show(&mut self, condition: Condition, now: Instant) -> Option<io::ErrorKind> {
        let LedError(kind) = self.indicator.show(condition, now).err()?;
        (!std::mem::replace(&mut self.has_failed, true)).then_some(kind)
    }

    /// Switches it off.
    pub fn end(self) {
        let _ = self.indicator.end();
    }
}
