//! The wire format of a uevent, as the kernel multicasts it to `NETLINK_KOBJECT_UEVENT`, group 1.
//!
//! ```text
//! add@/devices/…/usb2/2-1\0ACTION=add\0DEVPATH=/devices/…/usb2/2-1\0SUBSYSTEM=usb\0…SEQNUM=966\0
//! ```
//!
//! The kernel side is `kobject_uevent_env` and `alloc_uevent_skb` in `lib/kobject_uevent.c`.
//! [`Uevent::parse`] checks the whole datagram once; after that, no accessor panics or fails
//! because of the datagram's shape.

mod action;
mod encode;
mod error;
mod escape;
#[cfg(feature = "defmt")]
mod field;
mod owned;
mod parse;
mod properties;

pub use action::Action;
pub(crate) use encode::compose;
pub use encode::{EncodeError, Encoder};
pub use error::{ParseError, ParseFault};
pub use escape::{Escaped, EscapedWord, is_visible};
pub use owned::UeventBuf;
pub use properties::{Product, Property};

use crate::bytes::decimal;
use parse::Layout;
pub(crate) use properties::{split, value};

/// One uevent, borrowed from its datagram.
///
/// Keys and values are bytes. A value may be empty, contain `=`, and be invalid UTF-8. If a key is
/// repeated, [`property`](Self::property) returns the first value.
///
/// ```
/// use sureplug_core::uevent::{Action, Uevent};
///
/// let datagram = b"add@/devices/usb2/2-1\0ACTION=add\0DEVPATH=/devices/usb2/2-1\0\
///     SUBSYSTEM=usb\0PRODUCT=46f4/1/0\0BUSNUM=002\0SEQNUM=966\0";
/// let uevent = Uevent::parse(datagram)?;
/// assert_eq!(uevent.action(), Action::Add);
/// assert_eq!(uevent.devpath(), b"/devices/usb2/2-1");
/// assert_eq!(uevent.subsystem(), Some(&b"usb"[..]));
/// assert_eq!(uevent.product().map(|p| p.vendor), Some(0x46f4));
/// assert_eq!(uevent.busnum(), Some(2));
/// assert_eq!(uevent.seqnum(), Some(966));
/// # Ok::<(), sureplug_core::uevent::ParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Uevent<'a> {
    datagram: &'a [u8],
    layout: Layout,
}

impl<'a> Uevent<'a> {
    /// Checks a whole datagram and borrows it.
    ///
    /// # Errors
    ///
    /// Returns the first fault with its offset, in this order: an empty datagram, a frame of
    /// libudev, a missing NUL at the end, the header, the length of all properties, then each
    /// property in turn. See [`ParseFault`].
    pub fn parse(datagram: &'a [u8]) -> Result<Self, ParseError> {
        Ok(Self { datagram, layout: parse::datagram(datagram)? })
    }

    /// Checks a datagram that the kernel sent: its last property must be `SEQNUM`.
    ///
    /// The kernel appends `SEQNUM` to every event (`kobject_uevent_env` and `uevent_net_broadcast`
    /// in `lib/kobject_uevent.c`). Without it the datagram was cut short between two properties,
    /// which the socket filter of another listener can do to every listener's datagrams.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`parse`](Self::parse), and [`ParseFault::NoSeqnum`].
    pub fn from_kernel(datagram: &'a [u8]) -> Result<Self, ParseError> {
        let uevent = Self::parse(datagram)?;
        if parse::ends_with_seqnum(datagram) {
            Ok(uevent)
        } else {
            Err(ParseError { offset: datagram.len(), fault: ParseFault::NoSeqnum })
        }
    }

    /// Returns the datagram.
    #[must_use]
    pub const fn datagram(&self) -> &'a [u8] {
        self.datagram
    }

    /// Returns the action: the part of the header before `@`.
    #[must_use]
    pub fn action(&self) -> Action<'a> {
        Action::from(&self.datagram[..self.layout.at.into()])
    }

    /// Returns the device's path in sysfs, without `/sys`: the part of the header after `@`.
    #[must_use]
    pub fn devpath(&self) -> &'a [u8] {
        &self.datagram[usize::from(self.layout.at) + 1..self.layout.header_end.into()]
    }

    /// Returns all properties in the order of the datagram, repeated keys included.
    pub fn properties(&self) -> impl Iterator<Item = Property<'a>> + Clone + use<'a> {
        split(self.property_bytes()).filter_map(Property::of)
    }

    /// Returns the bytes of all properties, each with its NUL.
    pub(crate) fn property_bytes(&self) -> &'a [u8] {
        &self.datagram[usize::from(self.layout.header_end) + 1..]
    }

    /// Returns the value of the first property with this key.
    #[must_use]
    pub fn property(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.properties().find(|p| p.key == key).map(|p| p.value)
    }

    /// Returns `SUBSYSTEM`, such as `usb` or `block`.
    #[must_use]
    pub fn subsystem(&self) -> Option<&'a [u8]> {
        self.layout.subsystem.of(self.datagram)
    }

    /// Returns `true` if user space requested the event (`kobject_synth_uevent` in
    /// `lib/kobject_uevent.c`).
    pub(crate) fn is_synthetic(&self) -> bool {
        value(self.property_bytes(), b"SYNTH_UUID").is_some()
    }

    /// Returns `SEQNUM`, the kernel's serial number of the event; `None` if absent or not a decimal
    /// number of 64 bits.
    ///
    /// Gaps prove no loss: events come out of order, and those of other network namespaces are
    /// missing.
    #[must_use]
    pub fn seqnum(&self) -> Option<u64> {
        decimal(self.layout.seqnum.of(self.datagram)?)
    }
}

/// Defines one accessor per property from rows of its name, type, key and parser.
macro_rules! properties {
    ($($(#[$doc:meta])* $name:ident: $value:ty = $key:literal, $read:expr;)*) => {
        impl<'a> Uevent<'a> {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(&self) -> Option<$value> {
                    self.property($key).and_then($read)
                }
            )*
        }
    };
}

properties! {
    /// Returns `DEVTYPE`, such as `usb_device`, `usb_interface`, `disk` or `partition`.
    devtype: &'a [u8] = b"DEVTYPE", Some;
    /// Returns `DEVNAME`, the device node's name below `/dev`.
    devname: &'a [u8] = b"DEVNAME", Some;
    /// Returns `DRIVER`, the driver that the device is bound to.
    driver: &'a [u8] = b"DRIVER", Some;
    /// Returns `MODALIAS`, from which `modprobe` finds the device's driver.
    modalias: &'a [u8] = b"MODALIAS", Some;
    /// Returns `DEVPATH_OLD`, the previous devpath of a device that was moved or renamed.
    devpath_old: &'a [u8] = b"DEVPATH_OLD", Some;
    /// Returns `SYNTH_UUID`, the mark of an event that user space requested through sysfs; `0` if
    /// it named no UUID (`Documentation/ABI/testing/sysfs-uevent`).
    synth_uuid: &'a [u8] = b"SYNTH_UUID", Some;
    /// Returns `MAJOR`, the device node's major number.
    ///
    /// `None` if the property is absent or not a decimal number that fits.
    /// [`property`](Self::property) distinguishes the two, for this number and those below.
    major: u32 = b"MAJOR", decimal;
    /// Returns `MINOR`, the device node's minor number. `None` if absent or not a decimal number
    /// that fits.
    minor: u32 = b"MINOR", decimal;
    /// Returns `BUSNUM`, the number of the USB bus. `None` if absent or not a decimal number that
    /// fits.
    busnum: u16 = b"BUSNUM", decimal;
    /// Returns `DEVNUM`, the device's address on its USB bus. `None` if absent or not a decimal
    /// number that fits.
    devnum: u16 = b"DEVNUM", decimal;
    /// Returns `IFINDEX`, the network interface's index. `None` if absent or not a decimal number
    /// that fits.
    ifindex: u32 = b"IFINDEX", decimal;
    /// Returns `DISKSEQ`, a number unique to the disk since boot. `None` if absent or not a decimal
    /// number that fits.
    diskseq: u64 = b"DISKSEQ", decimal;
    /// Returns `PRODUCT` of a USB device or interface. `None` if absent or not three 16-bit
    /// hexadecimal numbers: an input device has four.
    product: Product = b"PRODUCT", Product::parse;
}

impl core::fmt::Debug for Uevent<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_map().entries(self.properties().map(|p| (Escaped(p.key), Escaped(p.value)))).finish()
    }
}

impl core::fmt::Display for Uevent<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}@{}", self.action(), Escaped(self.devpath()))
    }
}
