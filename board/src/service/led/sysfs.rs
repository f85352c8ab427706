use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use embedded_hal::digital::{Error, ErrorKind, ErrorType, OutputPin};
use heapless::Vec;
use nix::errno::Errno;

use crate::file::{self, Usable};

/// The most digits of a brightness value.
const MAX_DIGITS: usize = 10;

/// A kernel LED, `/sys/class/leds/NAME` (`Documentation/ABI/testing/sysfs-class-led`).
#[derive(Debug)]
pub struct SysfsLed {
    brightness: File,
    paths: Paths,
    full: Vec<u8, MAX_DIGITS>,
}

#[derive(Debug)]
struct Paths {
    brightness: PathBuf,
    trigger: PathBuf,
}

impl Paths {
    /// Opens the brightness file, and removes the LED's trigger if it has one.
    fn claim(&self) -> io::Result<File> {
        let brightness = file::open(&self.brightness, OpenOptions::new().write(true), 0, Usable::Stream)?;
        match file::write_text(&self.trigger, "none") {
            // A kernel without CONFIG_LEDS_TRIGGERS has no such file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
        Ok(brightness)
    }
}

impl SysfsLed {
    /// Opens the LED's directory, and removes its trigger if it has one.
    ///
    /// # Errors
    ///
    /// Returns the system's error if the brightness file cannot be opened, or the trigger removed.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let paths = Paths { brightness: directory.join("brightness"), trigger: directory.join("trigger") };
        let brightness = paths.claim()?;
        let text = file::read_text(&directory.join("max_brightness")).unwrap_or_default();
        let text = text.trim();
        let text = if text.is_empty() || text.len() > MAX_DIGITS { "1" } else { text };
        Ok(Self { brightness, paths, full: text.bytes().collect() })
    }

    /// Writes the brightness. If that fails, reopens the file once: the LED's device may have been
    /// unplugged and plugged in again.
    fn set(&mut self, digits: &[u8]) -> Result<(), LedError> {
        if self.brightness.write_all_at(digits, 0).is_err() {
            let error =
                |error: io::Error| LedError(error.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw));
            let again = self.paths.claim().map_err(error)?;
            again.write_all_at(digits, 0).map_err(error)?;
            self.brightness = again;
        }
        Ok(())
    }
}

/// Error switching an LED.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedError(pub Errno);

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
        self.set(b"0")
    }

    fn set_high(&mut self) -> Result<(), LedError> {
        let full = self.full.clone();
        self.set(&full)
    }
}
