//! Shows the state of the stream on a status LED, without a network or a serial line.
//! [`indicator`] has the patterns.

pub mod indicator;
mod sysfs;

use std::io;
use std::path::Path;

use embedded_hal::digital::{ErrorType, OutputPin, PinState};
use sureplug_core::stream::Agreement;

pub use sysfs::{LedError, SysfsLed};

use crate::engine::{Context, Health, Service};
use crate::report::Notice;
use indicator::{Condition, Indicator};
use sureplug_core::time::Instant;

/// The pin of a kernel LED or of a GPIO line.
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
    fn set_state(&mut self, state: PinState) -> Result<(), LedError> {
        match self {
            Self::Sysfs(led) => led.set_state(state),
            #[cfg(feature = "gpio")]
            Self::Gpio(line) => line.set_state(state).map_err(|_| LedError(nix::errno::Errno::EIO)),
        }
    }

    fn set_low(&mut self) -> Result<(), LedError> {
        self.set_state(PinState::Low)
    }

    fn set_high(&mut self) -> Result<(), LedError> {
        self.set_state(PinState::High)
    }
}

/// The LED that the engine drives. A failure is reported once and retried at each change.
#[derive(Debug)]
pub struct StatusLed {
    indicator: Indicator<Pin>,
    has_failed: bool,
}

impl StatusLed {
    /// Opens the LED `class/leds/NAME` below `sysfs`, and removes its trigger.
    ///
    /// # Errors
    ///
    /// Returns the system's error if the LED does not exist or is not writable.
    pub fn of_sysfs(sysfs: &Path, name: &str) -> io::Result<Self> {
        SysfsLed::open(&sysfs.join("class/leds").join(name)).map(Pin::Sysfs).map(Self::new)
    }

    /// Requests a line of a GPIO chip, such as `/dev/gpiochip0`. High switches the LED on.
    ///
    /// # Errors
    ///
    /// Returns the system's error if the chip cannot be opened or the line is in use.
    #[cfg(feature = "gpio")]
    pub fn of_gpio(chip: &Path, line: u32) -> io::Result<Self> {
        // The library's errors carry no errno. Opening two descriptors first, as the library does
        // for chip and line, yields the errno of a failure.
        use crate::file::{self, Usable};
        let open = || file::open(chip, std::fs::OpenOptions::new().read(true), 0, Usable::Stream);
        drop([open()?, open()?]);
        let pin = gpiocdev_embedded_hal::OutputPin::new(chip, line, PinState::Low);
        pin.map(Pin::Gpio).map(Self::new).map_err(|error| io::Error::other(error.to_string()))
    }

    fn new(pin: Pin) -> Self {
        Self { indicator: Indicator::new(pin), has_failed: false }
    }
}

/// Returns the state to show. A limited view counts as a loss.
const fn condition(health: Health) -> Condition {
    match (health.agreement, health.unacknowledged) {
        (Agreement::Lossy, _) => Condition::Resyncing,
        (_, 0) if !health.is_limited() => Condition::Steady,
        (_, _) => Condition::Lossy,
    }
}

impl Service for StatusLed {
    fn deadline(&self) -> Option<Instant> {
        self.indicator.wake_at()
    }

    fn deliver(&mut self, context: &mut Context<'_>) {
        let shown = self.indicator.show(condition(context.health), context.now);
        if let Err(LedError(error)) = shown {
            if !std::mem::replace(&mut self.has_failed, true) {
                context.note(Notice::LedFailed(error));
            }
        }
    }

    /// Switches the LED off.
    fn finish(self: Box<Self>, _context: &mut Context<'_>) {
        let _ = self.indicator.end();
    }
}
