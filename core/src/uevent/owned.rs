use core::fmt;

use heapless::Vec;

use super::parse::Layout;
use super::{EncodeError, Uevent};

/// A uevent that owns its bytes, at most `N`, stored inline.
///
/// With `N` = [`MAX_DATAGRAM_BYTES`](crate::limits::MAX_DATAGRAM_BYTES) it holds every event that
/// the kernel can send. Borrowing the event again does not parse it.
///
/// ```
/// use sureplug_core::uevent::{Uevent, UeventBuf};
///
/// let kept = {
///     let datagram = *b"remove@/devices/usb2/2-1\0SEQNUM=9\0";
///     UeventBuf::<64>::copy_of(&Uevent::parse(&datagram)?)?
/// };
/// assert_eq!(kept.as_uevent().seqnum(), Some(9));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct UeventBuf<const N: usize> {
    bytes: Vec<u8, N>,
    layout: Layout,
}

impl<const N: usize> UeventBuf<N> {
    /// Copies a uevent.
    ///
    /// # Errors
    ///
    /// Returns [`EncodeError::BufferFull`] if its datagram has more than `N` bytes.
    pub fn copy_of(uevent: &Uevent<'_>) -> Result<Self, EncodeError> {
        let wanted = uevent.datagram.len();
        let bytes = Vec::from_slice(uevent.datagram);
        let bytes = bytes.map_err(|_| EncodeError::BufferFull { wanted, capacity: N })?;
        Ok(Self { bytes, layout: uevent.layout })
    }

    /// Borrows the uevent.
    #[must_use]
    pub fn as_uevent(&self) -> Uevent<'_> {
        Uevent { datagram: &self.bytes, layout: self.layout }
    }
}

impl<const N: usize> fmt::Debug for UeventBuf<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_uevent().fmt(f)
    }
}
