use super::{classes, custom::CustomDevice, error::SizingError, profile::PlugProfile};
use crate::bytes::{equal, tri};

/// Defines the classes from rows of a variant, its name in configuration and its profile.
macro_rules! device_classes {
    ($($(#[$doc:meta])* $class:ident = $name:literal, $profile:ident;)*) => {
        /// A class of USB devices whose events were measured.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[non_exhaustive]
        pub enum DeviceClass {
            $($(#[$doc])* $class,)*
        }

        impl DeviceClass {
            /// Every class.
            pub const ALL: &'static [Self] = &[$(Self::$class),*];

            /// Returns the name in configuration.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$class => $name,)*
                }
            }

            /// Returns the plug profile.
            #[must_use]
            pub const fn profile(self) -> PlugProfile<'static> {
                match self {
                    $(Self::$class => classes::$profile,)*
                }
            }
        }
    };
}

device_classes! {
    /// A hub without devices.
    Hub = "hub", HUB;
    /// A mouse.
    Mouse = "mouse", MOUSE;
    /// A keyboard with its LEDs.
    Keyboard = "keyboard", KEYBOARD;
    /// A stick with four partitions, driven by `usb-storage`.
    Storage = "storage", STORAGE;
    /// A card reader with two slots of four partitions each.
    CardReader = "card-reader", CARD_READER;
    /// A serial adapter.
    Serial = "serial", SERIAL;
    /// A sound card with one output.
    Audio = "audio", AUDIO;
    /// An Ethernet adapter.
    Ethernet = "ethernet", ETHERNET;
    /// A disk with four partitions, driven by `uas`, which is faster than `usb-storage`.
    Uas = "uas", UAS;
    /// A phone that offers its files (MTP); no driver of the kernel takes it.
    Phone = "phone", PHONE;
    /// A smart-card reader (CCID); no driver of the kernel takes it.
    SmartCard = "smart-card", SMART_CARD;
    /// A hub with eight sticks of four partitions each.
    Hub8 = "hub8", HUB8;
}

impl DeviceClass {
    /// Returns the class with this name.
    ///
    /// # Errors
    ///
    /// Returns [`SizingError::UnknownDevice`] for any other name.
    pub const fn from_name(name: &str) -> Result<Self, SizingError> {
        let mut classes = Self::ALL;
        while let [class, rest @ ..] = classes {
            if equal(name.as_bytes(), class.name().as_bytes()) {
                return Ok(*class);
            }
            classes = rest;
        }
        Err(SizingError::UnknownDevice)
    }
}

/// The worst device that an image expects in a port: a class by its name, or a device described by
/// figures.
///
/// ```
/// use sureplug_core::rcvbuf::{DeviceClass, PortDevice, or_panic};
///
/// const DEVICE: PortDevice = or_panic(PortDevice::parse("storage"));
/// assert_eq!(DEVICE, PortDevice::Class(DeviceClass::Storage));
///
/// const MODEM: PortDevice = or_panic(PortDevice::parse("custom:12x180+4x420@900"));
/// assert_eq!(MODEM.profile().plug.count(), 16);
/// ```
///
/// ```compile_fail,E0080
/// use sureplug_core::rcvbuf::{PortDevice, or_panic};
///
/// const DEVICE: PortDevice = or_panic(PortDevice::parse("toaster"));
/// println!("{DEVICE:?}");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PortDevice {
    /// A measured class.
    Class(DeviceClass),
    /// A device described by figures.
    Custom(CustomDevice),
}

impl PortDevice {
    /// Parses a class's name, or the figures that [`CustomDevice::parse`] reads.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`DeviceClass::from_name`] and [`CustomDevice::parse`].
    pub const fn parse(text: &str) -> Result<Self, SizingError> {
        match CustomDevice::parse(text) {
            Ok(custom) => Ok(Self::Custom(custom)),
            // A text without the prefix names a class.
            Err(SizingError::CustomSyntax { offset: 0 }) => {
                Ok(Self::Class(tri!(DeviceClass::from_name(text))))
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the plug profile.
    #[must_use]
    pub const fn profile(&self) -> PlugProfile<'_> {
        match self {
            Self::Class(class) => class.profile(),
            Self::Custom(custom) => custom.profile(),
        }
    }
}
