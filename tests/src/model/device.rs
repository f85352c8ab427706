use super::datagram::uevent;

/// The properties that distinguish a device from its predecessor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// None.
    Nothing,
    /// Those of what is plugged again: the same each time.
    SameProduct,
    /// `BUSNUM` and `DEVNUM`.
    Usb,
    /// `MAJOR` and `MINOR`.
    Node,
    /// `DISKSEQ`.
    Disk,
    /// `IFINDEX`.
    Interface,
}

impl Identity {
    /// One for each number.
    #[must_use]
    pub const fn of(number: u8) -> Self {
        [Self::Nothing, Self::SameProduct, Self::Usb, Self::Node, Self::Disk, Self::Interface]
            [number as usize % 6]
    }

    /// Returns `true` if it distinguishes a device from another one with that identity.
    #[must_use]
    pub fn tells_from(self, other: Self) -> bool {
        self.subsystem() != other.subsystem()
            || self == other && !matches!(self, Self::Nothing | Self::SameProduct)
    }

    const fn subsystem(self) -> &'static str {
        match self {
            Self::Nothing => "usbmisc",
            Self::SameProduct => "hid",
            Self::Usb => "usb",
            Self::Node => "tty",
            Self::Disk => "block",
            Self::Interface => "net",
        }
    }

    /// Of all disks and media, no two have the same number.
    fn properties(self, incarnation: u64, media: u64) -> Vec<(&'static str, String)> {
        let number = || incarnation.to_string();
        match self {
            Self::Nothing => Vec::new(),
            Self::SameProduct => vec![("PRODUCT", "46f4/1/0".to_owned())],
            Self::Usb => vec![("BUSNUM", "001".to_owned()), ("DEVNUM", number())],
            Self::Node => vec![("MAJOR", "166".to_owned()), ("MINOR", number())],
            Self::Disk => vec![("DISKSEQ", (incarnation * 1_000 + media).to_string())],
            Self::Interface => vec![("IFINDEX", number())],
        }
    }
}

/// A device in the kernel's tree.
#[derive(Clone, Debug)]
pub struct Device {
    /// Which of all devices that ever were; the inode of its directory follows from it.
    pub incarnation: u64,
    /// What distinguishes it.
    pub identity: Identity,
    /// Which driver has it.
    pub driver: Option<u8>,
    /// Changes with each `change`.
    pub state: u64,
    /// Media that a disk has had, which its `DISKSEQ` counts.
    pub media: u64,
}

impl Device {
    /// Its `SUBSYSTEM`.
    #[must_use]
    pub fn subsystem(&self) -> &'static [u8] {
        self.identity.subsystem().as_bytes()
    }

    pub(super) fn datagram(&self, action: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
        let (incarnation, driver) = (self.incarnation.to_string(), self.driver.map(|d| d.to_string()));
        let (identity, state) =
            (self.identity.properties(self.incarnation, self.media), self.state.to_string());
        let mut properties = vec![("SUBSYSTEM", self.identity.subsystem())];
        // What the caller of `kobject_uevent_env` adds comes first, and the number last.
        let is_last = |(key, _): &&(&str, &str)| *key == "SEQNUM";
        properties.extend(more.iter().filter(|property| !is_last(property)));
        properties.extend(identity.iter().map(|(key, value)| (*key, value.as_str())));
        properties.push(("INCARNATION", &incarnation));
        properties.extend(driver.as_deref().map(|driver| ("DRIVER", driver)));
        // As some properties of a battery, it is not always there.
        properties.extend((self.state % 3 != 2).then_some(("STATE", &*state)));
        properties.extend(more.iter().filter(is_last));
        uevent(action, path, &properties)
    }
}
