use core::fmt;

use super::{Action, Property, Uevent};
use crate::bytes::append;
use crate::limits::{MAX_HEADER_BYTES, MAX_PROPERTIES, MAX_PROPERTY_BYTES};

/// Writes a uevent in the kernel's wire format into a buffer of the caller.
///
/// [`Uevent::parse`] accepts everything that it writes: what would not parse is an error here.
///
/// ```
/// use sureplug_core::uevent::{Action, Encoder};
///
/// let mut buffer = [0; 64];
/// let mut encoder = Encoder::new(&mut buffer, Action::Add, b"/devices/usb2/2-1")?;
/// encoder.property(b"SUBSYSTEM", b"usb")?;
/// assert_eq!(encoder.finish(), b"add@/devices/usb2/2-1\0SUBSYSTEM=usb\0");
/// # Ok::<(), sureplug_core::uevent::EncodeError>(())
/// ```
#[derive(Debug)]
pub struct Encoder<'b> {
    buffer: &'b mut [u8],
    /// Bytes written.
    length: usize,
    /// Bytes of the header, its NUL included.
    header_length: usize,
    /// Bytes of the action in the header.
    action_length: usize,
    property_count: usize,
    action_written: bool,
    devpath_written: bool,
}

impl<'b> Encoder<'b> {
    /// Writes the header `action@devpath`. It does not write the properties `ACTION` and `DEVPATH`,
    /// with which the kernel repeats the header.
    ///
    /// # Errors
    ///
    /// Returns an [`EncodeError`] if the action is empty or contains `@`, if the devpath does not
    /// begin with `/`, if either contains a NUL, or if the header exceeds the kernel's limit or the
    /// buffer.
    pub fn new(buffer: &'b mut [u8], action: Action<'_>, devpath: &[u8]) -> Result<Self, EncodeError> {
        let action = action.as_bytes();
        if action.is_empty() || action.contains(&b'@') || action.contains(&0) {
            return Err(EncodeError::BadAction);
        }
        if devpath.first() != Some(&b'/') || devpath.contains(&0) {
            return Err(EncodeError::BadDevpath);
        }
        let header_length = action.len() + 1 + devpath.len() + 1;
        if header_length > MAX_HEADER_BYTES {
            return Err(EncodeError::TooLong { length: header_length });
        }
        let mut encoder = Self {
            buffer,
            length: 0,
            header_length,
            action_length: action.len(),
            property_count: 0,
            action_written: false,
            devpath_written: false,
        };
        encoder.write([action, b"@", devpath, b"\0"])?;
        Ok(encoder)
    }

    /// Writes one property. An error leaves nothing of it in the buffer.
    ///
    /// # Errors
    ///
    /// Returns an [`EncodeError`] if the key is empty or contains `=` or a NUL, if the value
    /// contains a NUL, if the first `ACTION` or `DEVPATH` differs from the header, or if the
    /// properties exceed the kernel's limits or the buffer.
    pub fn property(&mut self, key: &[u8], value: &[u8]) -> Result<&mut Self, EncodeError> {
        if key.is_empty() || key.contains(&b'=') || key.contains(&0) {
            return Err(EncodeError::BadKey);
        }
        if value.contains(&0) {
            return Err(EncodeError::NulInValue);
        }
        if self.property_count == MAX_PROPERTIES {
            return Err(EncodeError::TooManyProperties);
        }
        let (is_action, is_devpath) = (key == b"ACTION", key == b"DEVPATH");
        let header = &self.buffer[..self.header_length - 1];
        if is_action && !self.action_written && value != &header[..self.action_length]
            || is_devpath && !self.devpath_written && value != &header[self.action_length + 1..]
        {
            return Err(EncodeError::Disagrees);
        }
        let length = self.length - self.header_length + key.len() + 1 + value.len() + 1;
        if length > MAX_PROPERTY_BYTES {
            return Err(EncodeError::TooLong { length });
        }
        self.write([key, b"=", value, b"\0"])?;
        self.property_count += 1;
        self.action_written |= is_action;
        self.devpath_written |= is_devpath;
        Ok(self)
    }

    /// Returns the datagram.
    #[must_use]
    pub fn finish(self) -> &'b [u8] {
        &self.buffer[..self.length]
    }

    fn write(&mut self, parts: [&[u8]; 4]) -> Result<(), EncodeError> {
        if append(self.buffer, &mut self.length, &parts) {
            return Ok(());
        }
        let wanted = self.length + parts.iter().map(|part| part.len()).sum::<usize>();
        Err(EncodeError::BufferFull { wanted, capacity: self.buffer.len() })
    }
}

impl Uevent<'_> {
    /// Writes the uevent in wire format, part by part. The bytes equal
    /// [`datagram`](Self::datagram).
    ///
    /// # Errors
    ///
    /// Returns [`EncodeError::BufferFull`] if the buffer is smaller than the datagram.
    pub fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
        let mut encoder = Encoder::new(buffer, self.action(), self.devpath())?;
        for Property { key, value } in self.properties() {
            encoder.property(key, value)?;
        }
        Ok(encoder.finish())
    }
}

/// Writes an event with as many of the properties as the kernel's limits allow; `None` if even the
/// header does not fit.
pub(crate) fn compose<'b, 'p>(
    buffer: &'b mut [u8],
    action: Action<'_>,
    devpath: &[u8],
    properties: impl Iterator<Item = Property<'p>>,
) -> Option<Uevent<'b>> {
    let mut encoder = Encoder::new(buffer, action, devpath).ok()?;
    for Property { key, value } in properties {
        let _ = encoder.property(key, value);
    }
    Uevent::parse(encoder.finish()).ok()
}

/// Error writing a uevent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EncodeError {
    /// The action is empty or contains `@` or a NUL.
    BadAction,
    /// The devpath does not begin with `/` or contains a NUL.
    BadDevpath,
    /// The key is empty or contains `=` or a NUL.
    BadKey,
    /// The value contains a NUL.
    NulInValue,
    /// The first `ACTION` or `DEVPATH` differs from the header.
    Disagrees,
    /// The header or the properties exceed the kernel's limit.
    TooLong {
        /// Their length in bytes.
        length: usize,
    },
    /// There are more properties than the kernel allows.
    TooManyProperties,
    /// The buffer is too small.
    BufferFull {
        /// Bytes needed so far.
        wanted: usize,
        /// Bytes in the buffer.
        capacity: usize,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadAction => f.write_str("an action must not be empty or contain `@` or NUL"),
            Self::BadDevpath => f.write_str("a devpath must begin with `/` and contain no NUL"),
            Self::BadKey => f.write_str("a key must not be empty or contain `=` or NUL"),
            Self::NulInValue => f.write_str("a value must contain no NUL"),
            Self::Disagrees => f.write_str("the first ACTION and DEVPATH must equal the header's"),
            Self::TooLong { length } => {
                write!(f, "{length} bytes exceed the kernel's limit of {MAX_PROPERTY_BYTES}")
            }
            Self::TooManyProperties => write!(f, "more than the kernel's {MAX_PROPERTIES} properties"),
            Self::BufferFull { wanted, capacity } => {
                write!(f, "{wanted} bytes do not fit into a buffer of {capacity}")
            }
        }
    }
}

impl core::error::Error for EncodeError {}
