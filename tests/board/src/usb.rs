use std::fmt;

use crate::truth::Truth;

/// A device to plug in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usb {
    /// A keyboard.
    Keyboard,
    /// A mouse.
    Mouse,
    /// A hub with 8 ports of its own.
    Hub,
    /// A stick with this many partitions, at most 4.
    Stick(u8),
    /// A disk with UAS and this many partitions, at most 4.
    Uas(u8),
    /// A card reader with two cards, each with this many partitions, at most 4.
    CardReader(u8),
    /// An FTDI serial adapter.
    Serial,
    /// A sound card.
    Audio,
    /// A network adapter.
    Ethernet,
}

impl Usb {
    /// One of each kind, and two of the sticks.
    pub const ALL: [Self; 10] = [
        Self::Keyboard,
        Self::Mouse,
        Self::Hub,
        Self::Stick(2),
        Self::Stick(4),
        Self::Uas(4),
        Self::CardReader(4),
        Self::Serial,
        Self::Audio,
        Self::Ethernet,
    ];

    /// Whether all that the device brings is in that port.
    #[must_use]
    pub fn is_complete(self, truth: &Truth, port: &str) -> bool {
        match self {
            // A disk's partitions come last.
            Self::Stick(partitions) | Self::Uas(partitions) => {
                truth.count(port, "block") == 1 + usize::from(partitions)
            }
            Self::CardReader(partitions) => {
                truth.count(port, "block") == usize::from(self.disks() * (1 + partitions))
            }
            Self::Keyboard | Self::Mouse => truth.count(port, "input") >= 2,
            Self::Hub => truth.count(port, "usb") >= 2,
            Self::Serial => truth.count(port, "tty") == 1,
            Self::Audio => truth.count(port, "sound") >= 3,
            Self::Ethernet => truth.count(port, "net") == 1,
        }
    }

    /// Its disks that are logical units of their own in QEMU.
    pub(crate) const fn disks(self) -> u8 {
        match self {
            Self::Uas(_) => 1,
            Self::CardReader(_) => 2,
            _ => 0,
        }
    }

    /// QEMU's name of the device.
    pub(crate) const fn driver(self) -> &'static str {
        match self {
            Self::Keyboard => "usb-kbd",
            Self::Mouse => "usb-mouse",
            Self::Hub => "usb-hub",
            Self::Stick(_) => "usb-storage",
            Self::Uas(_) => "usb-uas",
            Self::CardReader(_) => "usb-bot",
            Self::Serial => "usb-serial",
            Self::Audio => "usb-audio",
            Self::Ethernet => "usb-net",
        }
    }
}

impl fmt::Display for Usb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stick(partitions) => write!(f, "stick with {partitions} partitions"),
            Self::Uas(partitions) => write!(f, "UAS disk with {partitions} partitions"),
            Self::CardReader(partitions) => {
                write!(f, "card reader with two cards of {partitions} partitions")
            }
            other => f.write_str(other.driver()),
        }
    }
}
