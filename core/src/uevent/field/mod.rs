//! What a uevent looks like in a log of `defmt`: complete, and smaller than its text.

mod canonical;
mod format;

use super::Property;
use canonical::{decimal, parts_of_decimals, parts_of_hexadecimals, text, three_digits};
use format::{number, text_or_word};

/// Makes the enum with all that depends on its rows:
/// `Variant(type) = key, what reads it from the value, what writes it`.
macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident($type:ty) = $key:literal, $read:expr, |$f:ident, $value:pat_param| $write:expr;)*) => {
        /// One property of a uevent as `defmt` sends it: a known key is a variant, so that its name is
        /// not sent, and a number is sent as one.
        ///
        /// A value is typed only if its text can be rebuilt from it. Any other is [`Other`](Self::Other),
        /// as is any other key, so that nothing is lost. What is written begins with a blank, which parts
        /// it from what stands before.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Field<'a> {
            $($(#[$doc])* $variant($type),)*
            /// Any other property.
            Other(Property<'a>),
        }

        impl<'a> From<Property<'a>> for Field<'a> {
            fn from(property: Property<'a>) -> Self {
                $(if property.key == $key {
                    if let Some(value) = $read(property.value) {
                        return Self::$variant(value);
                    }
                })*
                Self::Other(property)
            }
        }

        impl defmt::Format for Field<'_> {
            fn format(&self, formatter: defmt::Formatter<'_>) {
                match *self {
                    $(Self::$variant($value) => { let $f = formatter; $write })*
                    Self::Other(property) => {
                        defmt::write!(formatter, " {}", defmt::Display2Format(&property));
                    }
                }
            }
        }
    };
}

fields! {
    /// `SUBSYSTEM`.
    Subsystem(&'a str) = b"SUBSYSTEM", text,
        |f, value| text_or_word!(f, value, " SUBSYSTEM={=str}", " SUBSYSTEM={=istr}");
    /// `DEVTYPE`.
    Devtype(&'a str) = b"DEVTYPE", text,
        |f, value| text_or_word!(f, value, " DEVTYPE={=str}", " DEVTYPE={=istr}");
    /// `DRIVER`.
    Driver(&'a str) = b"DRIVER", text,
        |f, value| text_or_word!(f, value, " DRIVER={=str}", " DRIVER={=istr}");
    /// `DEVNAME`.
    Devname(&'a str) = b"DEVNAME", text, |f, value| defmt::write!(f, " DEVNAME={=str}", value);
    /// `MODALIAS`.
    Modalias(&'a str) = b"MODALIAS", text, |f, value| defmt::write!(f, " MODALIAS={=str}", value);
    /// `DEVPATH_OLD`.
    DevpathOld(&'a str) = b"DEVPATH_OLD", text, |f, value| defmt::write!(f, " DEVPATH_OLD={=str}", value);
    /// `SYNTH_UUID`.
    SynthUuid(&'a str) = b"SYNTH_UUID", text,
        |f, value| text_or_word!(f, value, " SYNTH_UUID={=str}", " SYNTH_UUID={=istr}");
    /// `TRIGGER` of an LED.
    Trigger(&'a str) = b"TRIGGER", text,
        |f, value| text_or_word!(f, value, " TRIGGER={=str}", " TRIGGER={=istr}");
    /// `HID_ID`.
    HidId(&'a str) = b"HID_ID", text, |f, value| defmt::write!(f, " HID_ID={=str}", value);
    /// `HID_NAME`.
    HidName(&'a str) = b"HID_NAME", text, |f, value| defmt::write!(f, " HID_NAME={=str}", value);
    /// `HID_PHYS`.
    HidPhys(&'a str) = b"HID_PHYS", text, |f, value| defmt::write!(f, " HID_PHYS={=str}", value);
    /// `HID_UNIQ`.
    HidUniq(&'a str) = b"HID_UNIQ", text, |f, value| defmt::write!(f, " HID_UNIQ={=str}", value);
    /// `MAJOR`.
    Major(u32) = b"MAJOR", decimal, |f, value| defmt::write!(f, " MAJOR={=u32}", value);
    /// `MINOR`.
    Minor(u32) = b"MINOR", decimal, |f, value| defmt::write!(f, " MINOR={=u32}", value);
    /// `PARTN`: the partition's number.
    Partn(u32) = b"PARTN", decimal, |f, value| defmt::write!(f, " PARTN={=u32}", value);
    /// `IFINDEX`.
    Ifindex(u32) = b"IFINDEX", decimal, |f, value| defmt::write!(f, " IFINDEX={=u32}", value);
    /// `DISKSEQ`.
    Diskseq(u64) = b"DISKSEQ", decimal, |f, value| number!(f, value, " DISKSEQ={=u32}", " DISKSEQ={=u64}");
    /// `SEQNUM`.
    Seqnum(u64) = b"SEQNUM", decimal, |f, value| number!(f, value, " SEQNUM={=u32}", " SEQNUM={=u64}");
    /// `BUSNUM`.
    Busnum(u16) = b"BUSNUM", three_digits, |f, value| defmt::write!(f, " BUSNUM={=u16:03}", value);
    /// `DEVNUM`.
    Devnum(u16) = b"DEVNUM", three_digits, |f, value| defmt::write!(f, " DEVNUM={=u16:03}", value);
    /// `PRODUCT` of a USB device or interface: `idVendor`, `idProduct` and `bcdDevice`.
    Product([u16; 3]) = b"PRODUCT", parts_of_hexadecimals,
        |f, [vendor, product, device]|
            defmt::write!(f, " PRODUCT={=u16:x}/{=u16:x}/{=u16:x}", vendor, product, device);
    /// `PRODUCT` of an input device: bus type, vendor, product and version.
    InputProduct([u16; 4]) = b"PRODUCT", parts_of_hexadecimals,
        |f, [bus, vendor, product, version]|
            defmt::write!(f, " PRODUCT={=u16:x}/{=u16:x}/{=u16:x}/{=u16:x}", bus, vendor, product, version);
    /// `TYPE` of a USB device: class, subclass and protocol.
    Type([u8; 3]) = b"TYPE", parts_of_decimals,
        |f, [class, subclass, protocol]|
            defmt::write!(f, " TYPE={=u8}/{=u8}/{=u8}", class, subclass, protocol);
    /// `INTERFACE` of a USB interface: class, subclass and protocol.
    Interface([u8; 3]) = b"INTERFACE", parts_of_decimals,
        |f, [class, subclass, protocol]|
            defmt::write!(f, " INTERFACE={=u8}/{=u8}/{=u8}", class, subclass, protocol);
}
