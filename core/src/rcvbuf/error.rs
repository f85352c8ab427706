use core::fmt;

/// Error sizing a receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SizingError {
    /// There is no port.
    NoPorts,
    /// There is no bus.
    NoBuses,
    /// There are more devices than addresses.
    TooManyDevices {
        /// The number of ports.
        ports: u32,
        /// The number of devices in each.
        per_port: u32,
        /// The number of addresses on all buses.
        limit: u32,
    },
    /// A profile has no events, no device, or a cycle of no duration.
    EmptyProfile,
    /// The buffer exceeds the maximum of a socket ([`MAX_BUDGET_BYTES`](super::MAX_BUDGET_BYTES)).
    BudgetTooLarge {
        /// The bytes needed.
        bytes: u64,
    },
    /// A number is outside its range.
    OutOfRange {
        /// The number.
        found: u32,
        /// The smallest allowed number.
        min: u32,
        /// The largest allowed number.
        max: u32,
    },
    /// A text is not a decimal number.
    NotANumber {
        /// The offset of the first byte that is not a digit.
        offset: usize,
    },
    /// No device class has this name.
    UnknownDevice,
    /// Figures do not have the form `custom:EVENTSxBYTES[+EVENTSxBYTES…]@CYCLE_MS`.
    CustomSyntax {
        /// The offset at which they deviate.
        offset: usize,
    },
    /// A custom device has too many groups of events
    /// ([`MAX_CUSTOM_GROUPS`](super::MAX_CUSTOM_GROUPS)).
    TooManyGroups {
        /// The offset of the first group too many.
        offset: usize,
    },
}

impl SizingError {
    /// Returns the message without figures, for a `const` panic, which cannot format.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        match self {
            Self::NoPorts => "no USB port: declare at least 1",
            Self::NoBuses => "no USB bus: declare at least 1",
            Self::TooManyDevices { .. } => {
                "more devices than addresses (127 per USB bus): declare fewer ports, or fewer devices in \
                 each"
            }
            Self::EmptyProfile => "a plug profile needs at least 1 event, 1 device and a cycle of 1 ms",
            Self::BudgetTooLarge { .. } => {
                "the receive buffer would exceed 1,073,741,823 bytes: declare fewer ports, a shorter stall or a \
                 slower device"
            }
            Self::OutOfRange { .. } => {
                "a number is out of range: 1 to 127 ports, a stall of 1 to 600,000 ms, a devpath of 16 to \
                 1,000 bytes"
            }
            Self::NotANumber { .. } => "not a decimal number: write digits only",
            Self::UnknownDevice => {
                "unknown device class: write hub, mouse, keyboard, storage, card-reader, serial, audio, \
                 ethernet, uas, phone, smart-card, hub8 or custom:EVENTSxBYTES[+EVENTSxBYTES...]@CYCLE_MS, which \
                 `sureplug measure` prints for any other device"
            }
            Self::CustomSyntax { .. } => {
                "a custom device is custom:EVENTSxBYTES[+EVENTSxBYTES...]@CYCLE_MS with 1 to 65,535 events, 1 to \
                 4,096 bytes and 1 to 600,000 ms"
            }
            Self::TooManyGroups { .. } => {
                "a custom device has at most 32 groups of events: merge some at the larger length"
            }
        }
    }
}

impl fmt::Display for SizingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooManyDevices { ports, per_port, limit } => {
                write!(
                    f,
                    "{ports} ports with {per_port} devices each, but {limit} addresses (127 per USB bus): "
                )?;
                return match limit / per_port.max(1) {
                    0 => f.write_str("declare fewer devices in each"),
                    most => write!(f, "declare at most {most} ports, or fewer devices in each"),
                };
            }
            Self::BudgetTooLarge { bytes } => {
                return write!(
                    f,
                    "the receive buffer needs {bytes} bytes, but at most 1073741823 are possible: declare fewer ports, a \
                     shorter stall or a slower device"
                );
            }
            Self::OutOfRange { found, min, max } => {
                return write!(f, "{found} is out of range: write a number from {min} to {max}");
            }
            Self::NotANumber { offset } | Self::CustomSyntax { offset } | Self::TooManyGroups { offset } => {
                write!(f, "byte {offset}: ")?;
            }
            Self::NoPorts | Self::NoBuses | Self::EmptyProfile | Self::UnknownDevice => {}
        }
        f.write_str(self.message())
    }
}

impl core::error::Error for SizingError {}

/// Returns the value, or panics with the error's [`message`](SizingError::message): in a const
/// context the build fails with that message.
///
/// # Panics
///
/// Panics if `result` is an error. At run time handle the error instead.
pub const fn or_panic<T: Copy>(result: Result<T, SizingError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{}", error.message()),
    }
}
