/// `PRODUCT` of a USB device or interface: three hexadecimal numbers of any width with `/` between
/// them (`usb_dev_uevent` in `drivers/usb/core/usb.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Product {
    /// `idVendor`.
    pub vendor: u16,
    /// `idProduct`.
    pub product: u16,
    /// `bcdDevice`: the device's release as a binary-coded decimal.
    pub bcd_device: u16,
}

impl Product {
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let mut parts = value.split(|&b| b == b'/').map(hexadecimal);
        let product = Self { vendor: parts.next()??, product: parts.next()??, bcd_device: parts.next()?? };
        parts.next().is_none().then_some(product)
    }
}

/// A decimal number of digits alone: no sign, no blank.
pub(crate) fn decimal<N: TryFrom<u64>>(value: &[u8]) -> Option<N> {
    N::try_from(digits(value, 10)?).ok()
}

fn hexadecimal(value: &[u8]) -> Option<u16> {
    u16::try_from(digits(value, 16)?).ok()
}

pub(super) fn digits(value: &[u8], radix: u32) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |number, &byte| {
        let digit = char::from(byte).to_digit(radix)?;
        number.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))
    })
}
