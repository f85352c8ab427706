use super::{
    classes,
    custom::{CUSTOM_PREFIX, CustomDevice},
    error::SizingError,
    profile::PlugProfile,
};
use crate::bytes::equal;

/// A class of USB devices whose events were measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DeviceClass {
    /// A hub without devices.
    Hub,
    /// A mouse.
    Mouse,
    /// A keyboard with its LEDs.
    Keyboard,
    /// A stick with four partitions, driven by `usb-storage`.
    Storage,
    /// A card reader with two slots of four partitions each.
    CardReader,
    /// A serial adapter.
    Serial,
    /// A sound card with one output.
    Audio,
    /// An Ethernet adapter.
    Ethernet,
    /// A disk with four partitions, driven by `uas`, which does not wait as `usb-storage` does.
    Uas,
    /// A hub with eight sticks of four partitions each.
    Hub8,
}

impl DeviceClass {
    /// Every class.
    pub const ALL: &'static [Self] = &[
        Self::Hub,
        Self::Mouse,
        Self::Keyboard,
        Self::Storage,
        Self::CardReader,
        Self::Serial,
        Self::Audio,
        Self::Ethernet,
        Self::Uas,
        Self::Hub8,
    ];

    /// The name in configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Mouse => "mouse",
            Self::Keyboard => "keyboard",
            Self::Storage => "storage",
            Self::CardReader => "card-reader",
            Self::Serial => "serial",
            Self::Audio => "audio",
            Self::Ethernet => "ethernet",
            Self::Uas => "uas",
            Self::Hub8 => "hub8",
        }
    }

    /// The class of that name.
    ///
    /// # Errors
    ///
    /// [`SizingError::UnknownDevice`].
    pub const fn from_name(name: &str) -> Result<Self, SizingError> {
        let mut classes = Self::ALL;
        while let [class, rest @ ..] = classes {
            if equal(name.as_bytes(), class.name().as_bytes()) {
                return Ok(*class);
            }
            classes = rest;
        }
        Err(SizingError::UnknownDevice { name_len: name.len() })
    }

    /// What such a device raises.
    #[must_use]
    pub const fn profile(self) -> PlugProfile<'static> {
        match self {
            Self::Hub => classes::HUB,
            Self::Mouse => classes::MOUSE,
            Self::Keyboard => classes::KEYBOARD,
            Self::Storage => classes::STORAGE,
            Self::CardReader => classes::CARD_READER,
            Self::Serial => classes::SERIAL,
            Self::Audio => classes::AUDIO,
            Self::Ethernet => classes::ETHERNET,
            Self::Uas => classes::UAS,
            Self::Hub8 => classes::HUB8,
        }
    }
}

/// The worst device that an image expects at a port: a class by its name, or figures of its own.
///
/// ```
/// use sureplug_core::rcvbuf::{DeviceClass, PortDevice, or_panic};
///
/// const DEVICE: PortDevice = or_panic(PortDevice::parse("storage"));
/// assert_eq!(DEVICE, PortDevice::Class(DeviceClass::Storage));
///
/// const MODEM: PortDevice = or_panic(PortDevice::parse("custom:12x180+4x420@900"));
/// assert_eq!(MODEM.profile().plug_events(), 16);
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
    /// Figures of the image's own.
    Custom(CustomDevice),
}

impl PortDevice {
    /// A class's name, or the figures that [`CustomDevice::parse`] takes.
    ///
    /// # Errors
    ///
    /// Those of [`DeviceClass::from_name`] and [`CustomDevice::parse`].
    pub const fn parse(text: &str) -> Result<Self, SizingError> {
        if let Some((prefix, _)) = text.as_bytes().split_at_checked(CUSTOM_PREFIX.len()) {
            if equal(prefix, CUSTOM_PREFIX.as_bytes()) {
                return match CustomDevice::parse(text) {
                    Ok(custom) => Ok(Self::Custom(custom)),
                    Err(error) => Err(error),
                };
            }
        }
        match DeviceClass::from_name(text) {
            Ok(class) => Ok(Self::Class(class)),
            Err(error) => Err(error),
        }
    }

    /// What such a device raises.
    #[must_use]
    pub const fn profile(&self) -> PlugProfile<'_> {
        match self {
            Self::Class(class) => class.profile(),
            Self::Custom(custom) => custom.profile(),
        }
    }
}
