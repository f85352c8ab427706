use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use embedded_hal::digital::{Error, ErrorKind, ErrorType, OutputPin};

/// Bytes of the largest brightness.
const MAX_DIGITS: usize = 10;

/// An LED of the kernel's: `/sys/class/leds/NAME` (`Documentation/ABI/testing/sysfs-class-led`).
#[derive(Debug)]
pub struct SysfsLed {
    brightness: File,
    full: ([u8; MAX_DIGITS], usize),
}

impl SysfsLed {
    /// Opens the LED's directory, and takes its trigger away, if it has any.
    ///
    /// # Errors
    ///
    /// What the system says of its files.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let brightness = OpenOptions::new().write(true).open(directory.join("brightness"))?;
        match fs::write(directory.join("trigger"), "none") {
            // A kernel without triggers.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
        let text = fs::read_to_string(directory.join("max_brightness")).unwrap_or_default();
        let text = text.trim();
        let text = if text.is_empty() || text.len() > MAX_DIGITS { "1" } else { text };
        let mut digits = [0; MAX_DIGITS];
        digits[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { brightness, full: (digits, text.len()) })
    }
}

/// An LED could not be switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedError(pub io::ErrorKind);

impl Error for LedError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl ErrorType for SysfsLed {
    type Error = LedError;
}

impl OutputPin for SysfsLed {
    fn set_low(&mut self) -> Result<(), LedError> {
        self.brightness.write_all_at(b"0", 0).map_err(|error| LedError(error.kind()))
    }

    fn set_high(&mut self) -> Result<(), LedError> {
        let (digits, length) = &self.full;
        self.brightness.write_all_at(&digits[..*length], 0).map_err(|error| LedError(error.kind()))
    }
}
