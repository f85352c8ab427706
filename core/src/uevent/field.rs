//! Writes a uevent to `defmt`: completely, and in fewer bytes than its text.

use defmt::{Display2Format, Format, Formatter, Str, intern, write};

use super::escape::is_plain;
use super::{Escaped, Property, Uevent, UeventBuf};
use crate::bytes;

/// Writes the first value that is present, and returns.
macro_rules! write_first {
    ($f:ident, $($value:pat = $read:expr => $format:literal, $($argument:expr),+;)+) => {{
        $(if let Some($value) = $read {
            return write!($f, $format, $($argument),+);
        })+
    }};
}

/// One property after a blank. A known key is part of the format string and is not sent; a number
/// is sent as one.
///
/// A value is typed only if its text can be restored exactly. All other values and keys are sent as
/// text, so nothing is lost.
struct Field<'a>(Property<'a>);

impl Format for Field<'_> {
    #[rustfmt::skip]
    #[expect(clippy::match_same_arms, reason = "the arms differ in their strings, which clippy does not see")]
    fn format(&self, f: Formatter<'_>) {
        let Property { key, value: v } = self.0;
        match key {
            b"SUBSYSTEM" => write_first!(f,
                t = word(v) => " SUBSYSTEM={=istr}", t;
                t = text(v) => " SUBSYSTEM={=str}", t;
            ),
            b"DEVTYPE" => write_first!(f,
                t = word(v) => " DEVTYPE={=istr}", t;
                t = text(v) => " DEVTYPE={=str}", t;
            ),
            b"DRIVER" => write_first!(f,
                t = word(v) => " DRIVER={=istr}", t;
                t = text(v) => " DRIVER={=str}", t;
            ),
            b"SYNTH_UUID" => write_first!(f,
                t = word(v) => " SYNTH_UUID={=istr}", t;
                t = text(v) => " SYNTH_UUID={=str}", t;
            ),
            // An LED.
            b"TRIGGER" => write_first!(f,
                t = word(v) => " TRIGGER={=istr}", t;
                t = text(v) => " TRIGGER={=str}", t;
            ),
            b"DEVNAME" => write_first!(f, t = text(v) => " DEVNAME={=str}", t;),
            b"MODALIAS" => write_first!(f, t = text(v) => " MODALIAS={=str}", t;),
            b"DEVPATH_OLD" => write_first!(f, t = text(v) => " DEVPATH_OLD={=str}", t;),
            b"HID_ID" => write_first!(f, t = text(v) => " HID_ID={=str}", t;),
            b"HID_NAME" => write_first!(f, t = text(v) => " HID_NAME={=str}", t;),
            b"HID_PHYS" => write_first!(f, t = text(v) => " HID_PHYS={=str}", t;),
            b"HID_UNIQ" => write_first!(f, t = text(v) => " HID_UNIQ={=str}", t;),
            b"MAJOR" => write_first!(f, n = number(v, 10, 1) => " MAJOR={=u32}", n;),
            b"MINOR" => write_first!(f, n = number(v, 10, 1) => " MINOR={=u32}", n;),
            b"PARTN" => write_first!(f, n = number(v, 10, 1) => " PARTN={=u32}", n;),
            b"IFINDEX" => write_first!(f, n = number(v, 10, 1) => " IFINDEX={=u32}", n;),
            // Most values fit into 32 bits.
            b"DISKSEQ" => write_first!(f,
                n = number(v, 10, 1) => " DISKSEQ={=u32}", n;
                n = number(v, 10, 1) => " DISKSEQ={=u64}", n;
            ),
            b"SEQNUM" => write_first!(f,
                n = number(v, 10, 1) => " SEQNUM={=u32}", n;
                n = number(v, 10, 1) => " SEQNUM={=u64}", n;
            ),
            b"BUSNUM" => write_first!(f, n = number(v, 10, 3) => " BUSNUM={=u16:03}", n;),
            b"DEVNUM" => write_first!(f, n = number(v, 10, 3) => " DEVNUM={=u16:03}", n;),
            // A USB device or interface has three numbers; an input device has four, the first of
            // which is its bus type.
            b"PRODUCT" => write_first!(f,
                [a, b, c] = numbers(v, 16) => " PRODUCT={=u16:x}/{=u16:x}/{=u16:x}", a, b, c;
                [a, b, c, d] = numbers(v, 16) => " PRODUCT={=u16:x}/{=u16:x}/{=u16:x}/{=u16:x}", a, b, c, d;
            ),
            b"TYPE" => write_first!(f, [a, b, c] = numbers(v, 10) => " TYPE={=u8}/{=u8}/{=u8}", a, b, c;),
            b"INTERFACE" => write_first!(f, [a, b, c] = numbers(v, 10) => " INTERFACE={=u8}/{=u8}/{=u8}", a, b, c;),
            _ => {}
        }
        write!(f, " {}", Display2Format(&self.0));
    }
}

/// Returns the value as text if [`Escaped`] would leave it unchanged.
fn text(value: &[u8]) -> Option<&str> {
    str::from_utf8(value).ok().filter(|text| text.chars().all(is_plain))
}

/// Parses a number padded with zeros to `width` digits, with lower-case hexadecimal digits.
fn number<N: TryFrom<u64>>(value: &[u8], radix: u32, width: usize) -> Option<N> {
    let width_fits = value.len() == width || value.len() > width && value[0] != b'0';
    if !width_fits || value.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    bytes::number(value, radix)
}

/// Parses numbers separated by `/`.
fn numbers<N: TryFrom<u64> + Default + Copy, const COUNT: usize>(
    value: &[u8],
    radix: u32,
) -> Option<[N; COUNT]> {
    let mut numbers = [N::default(); COUNT];
    let mut parts = value.split(|&byte| byte == b'/');
    for found in &mut numbers {
        *found = number(parts.next()?, radix, 1)?;
    }
    parts.next().is_none().then_some(numbers)
}

macro_rules! words {
    ($($word:literal)*) => {
        /// Returns a frequent word as an index into the strings kept off the device.
        fn word(value: &[u8]) -> Option<Str> {
            match str::from_utf8(value).ok()? {
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
    // The `SYNTH_UUID` of an anonymous event, and the trigger of an LED without one.
    "0" "none"
}

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

/// Writes `action@devpath KEY=value KEY=value …`, without `ACTION` and `DEVPATH` where they repeat
/// the header.
impl Format for Uevent<'_> {
    fn format(&self, f: Formatter<'_>) {
        // A nested value would cost four bytes more.
        self.action().format(f);
        write!(f, "@{}", Display2Format(&Escaped(self.devpath())));
        for property in self.properties() {
            let repeats_header = match property.key {
                b"ACTION" => property.value == self.action().as_bytes(),
                b"DEVPATH" => property.value == self.devpath(),
                _ => false,
            };
            if !repeats_header {
                Field(property).format(f);
            }
        }
    }
}

impl<const N: usize> Format for UeventBuf<N> {
    fn format(&self, f: Formatter<'_>) {
        self.as_uevent().format(f);
    }
}
