use core::fmt;

use super::Escaped;

/// Makes the actions from their rows: variant and word, as bytes and as text.
macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $bytes:literal, $word:literal;)*) => {
        /// What a uevent reports: `enum kobject_action` in `include/linux/kobject.h`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action<'a> {
            $($(#[$doc])* $action,)*
            /// An action that is not known here, as it was sent.
            Other(&'a [u8]),
        }

        impl<'a> Action<'a> {
            /// Returns the action as it stands on the wire.
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
    /// A device is gone.
    Remove = b"remove", "remove";
    /// Something about a device changed; the properties say what.
    Change = b"change", "change";
    /// A device has another devpath than before, which `DEVPATH_OLD` holds.
    Move = b"move", "move";
    /// A device that can be taken offline is back.
    Online = b"online", "online";
    /// A device was taken offline.
    Offline = b"offline", "offline";
    /// A driver took the device.
    Bind = b"bind", "bind";
    /// The driver let the device go.
    Unbind = b"unbind", "unbind";
}

impl fmt::Display for Action<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(self.as_bytes()).fmt(f)
    }
}
