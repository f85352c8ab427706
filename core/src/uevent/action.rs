use core::fmt;

use super::Escaped;

/// What a uevent reports: `enum kobject_action` in `include/linux/kobject.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action<'a> {
    /// A device appeared.
    Add,
    /// A device is gone.
    Remove,
    /// Something about a device changed; the properties say what.
    Change,
    /// A device has another devpath than before, which `DEVPATH_OLD` holds.
    Move,
    /// A device that can be taken offline is back.
    Online,
    /// A device was taken offline.
    Offline,
    /// A driver took the device.
    Bind,
    /// The driver let the device go.
    Unbind,
    /// An action that is not known here, as it was sent.
    Other(&'a [u8]),
}

impl<'a> Action<'a> {
    /// The action as it stands on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        match self {
            Self::Add => b"add",
            Self::Remove => b"remove",
            Self::Change => b"change",
            Self::Move => b"move",
            Self::Online => b"online",
            Self::Offline => b"offline",
            Self::Bind => b"bind",
            Self::Unbind => b"unbind",
            Self::Other(bytes) => bytes,
        }
    }
}

impl<'a> From<&'a [u8]> for Action<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        match bytes {
            b"add" => Self::Add,
            b"remove" => Self::Remove,
            b"change" => Self::Change,
            b"move" => Self::Move,
            b"online" => Self::Online,
            b"offline" => Self::Offline,
            b"bind" => Self::Bind,
            b"unbind" => Self::Unbind,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Action<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(self.as_bytes()).fmt(f)
    }
}
