use core::fmt;

use memchr::memchr;

use super::Escaped;
use crate::bytes;

/// One property of a uevent: `key=value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Property<'a> {
    /// The part before the first `=`; never empty.
    pub key: &'a [u8],
    /// The part after the first `=`; may be empty, contain `=`, and be invalid UTF-8.
    pub value: &'a [u8],
}

impl<'a> Property<'a> {
    /// Splits `key=value`; `None` if there is no `=`.
    pub(crate) fn of(property: &'a [u8]) -> Option<Self> {
        // For keys this short a loop is faster than a vector search.
        let equals = property.iter().position(|&byte| byte == b'=')?;
        Some(Self { key: &property[..equals], value: &property[equals + 1..] })
    }
}

impl fmt::Display for Property<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", Escaped(self.key), Escaped(self.value))
    }
}

/// Splits a block of properties that each end with a NUL. Bytes after the last NUL are left out.
pub(crate) fn split(mut block: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    core::iter::from_fn(move || {
        let (property, rest) = block.split_at(memchr(0, block)?);
        block = &rest[1..];
        Some(property)
    })
}

/// Returns the value of the first property with this key in a block.
pub(crate) fn value<'a>(block: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    split(block).find_map(|property| property.strip_prefix(key)?.strip_prefix(b"="))
}

/// `PRODUCT` of a USB device or interface: three hexadecimal numbers of any width, separated by `/`
/// (`usb_dev_uevent` in `drivers/usb/core/usb.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Product {
    /// `idVendor`.
    pub vendor: u16,
    /// `idProduct`.
    pub product: u16,
    /// `bcdDevice`: the device's release number in binary-coded decimal.
    pub bcd_device: u16,
}

impl Product {
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let mut parts = value.split(|&b| b == b'/').map(|part| bytes::number(part, 16));
        let product = Self { vendor: parts.next()??, product: parts.next()??, bcd_device: parts.next()?? };
        parts.next().is_none().then_some(product)
    }
}
