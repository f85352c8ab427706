use core::fmt;

use super::Escaped;

/// Defines the actions from rows of a variant and its word, as bytes and as text.
macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $bytes:literal, $word:literal;)*) => {
        /// What a uevent reports: `enum kobject_action` in `include/linux/kobject.h`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action<'a> {
            $($(#[$doc])* $action,)*
            /// Any other action, as received.
            Other(&'a [u8]),
        }

        impl<'a> Action<'a> {
            /// Returns the action in wire format.
            #[must_use]
            pub const fn as_bytes(&self) -> &'a [u8] {
                match self {
                    $(Self::$action => $bytes,)*
                    Self::Other(bytes) => bytes,
                }
            }
        }

        impl<'a> From<&'a [u8]> for Action<'a> {
            fn from(bytes: &'a [u8]) -> Self {
                match bytes {
                    $($bytes => Self::$action,)*
                    other => Self::Other(other),
                }
            }
        }

        #[cfg(feature = "defmt")]
        impl defmt::Format for Action<'_> {
            fn format(&self, f: defmt::Formatter<'_>) {
                match self {
                    $(Self::$action => defmt::write!(f, $word),)*
                    Self::Other(bytes) => Escaped(bytes).format(f),
                }
            }
        }
    };
}

actions! {
    /// A device appeared.
    Add = b"add", "add";
    /// A device was removed.
    Remove = b"remove", "remove";
    /// A device changed; the properties describe the change.
    Change = b"change", "change";
    /// A device was moved or renamed; `DEVPATH_OLD` is its previous devpath.
    Move = b"move", "move";
    /// A device that can be taken offline is online again.
    Online = b"online", "online";
    /// A device was taken offline.
    Offline = b"offline", "offline";
    /// A driver was bound to the device.
    Bind = b"bind", "bind";
    /// The driver was unbound from the device.
    Unbind = b"unbind", "unbind";
}

impl fmt::Display for Action<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(self.as_bytes()).fmt(f)
    }
}
