//! How the rest of a uevent is written to `defmt`.

use defmt::{Display2Format, Format, Formatter, Str, intern, write};

use super::Field;
use crate::uevent::{Escaped, Property, Uevent, UeventBuf};

macro_rules! words {
    ($($word:literal)*) => {
        /// The word as an index into the strings that are not on the device, if it is a frequent one.
        pub(super) fn word(text: &str) -> Option<Str> {
            match text {
                $($word => Some(intern!($word)),)*
                _ => None,
            }
        }
    };
}

words! {
    // Subsystems and types of devices that a USB port brings.
    "usb" "usb_device" "usb_interface" "usbmisc" "usb-serial" "tty" "net" "sound" "video4linux"
    "input" "hid" "hidraw" "leds"
    "block" "disk" "partition" "bdi" "bsg" "scsi" "scsi_device" "scsi_disk" "scsi_generic" "scsi_host" "scsi_target"
    // Drivers.
    "hub" "usbhid" "hid-generic" "usb-storage" "uas" "sd" "snd-usb-audio" "cdc_ether" "ftdi_sio"
    // The mark of an event that user space asked for, and an LED's trigger that does nothing.
    "0" "none"
}

/// Writes a text, or its index if it is a frequent word.
macro_rules! text_or_word {
    ($f:expr, $text:expr, $as_text:literal, $as_word:literal) => {
        match $crate::uevent::field::format::word($text) {
            Some(word) => defmt::write!($f, $as_word, word),
            None => defmt::write!($f, $as_text, $text),
        }
    };
}
pub(super) use text_or_word;

/// Writes a number in 32 bits if it fits, since most do.
macro_rules! number {
    ($f:expr, $number:expr, $in_32_bits:literal, $in_64_bits:literal) => {
        match u32::try_from($number) {
            Ok(number) => defmt::write!($f, $in_32_bits, number),
            Err(_) => defmt::write!($f, $in_64_bits, $number),
        }
    };
}
pub(super) use number;

impl Format for Escaped<'_> {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "{}", Display2Format(self));
    }
}

impl Format for Property<'_> {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "{}", Display2Format(self));
    }
}

/// `action@devpath KEY=value KEY=value …`, without `ACTION` and `DEVPATH` where they say what the header
/// says.
impl Format for Uevent<'_> {
    fn format(&self, f: Formatter<'_>) {
        // All in one sequence: a nested value would cost four bytes more.
        self.action().format(f);
        write!(f, "@{}", Display2Format(&Escaped(self.devpath())));
        for property in self.properties() {
            let repeats_header = match property.key {
                b"ACTION" => property.value == self.action().as_bytes(),
                b"DEVPATH" => property.value == self.devpath(),
                _ => false,
            };
            if !repeats_header {
                Field::from(property).format(f);
            }
        }
    }
}

impl<const N: usize> Format for UeventBuf<N> {
    fn format(&self, f: Formatter<'_>) {
        self.as_uevent().format(f);
    }
}
