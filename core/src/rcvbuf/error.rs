use core::fmt;

/// Why a receive buffer cannot be sized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SizingError {
    /// No port.
    NoPorts,
    /// No bus.
    NoBuses,
    /// More devices than the buses have addresses.
    TooManyDevices {
        /// The ports.
        ports: u32,
        /// The devices behind each.
        per_port: u32,
        /// The addresses of all buses.
        limit: u32,
    },
    /// A profile without events, without a device, or with a cycle that takes no time.
    EmptyProfile,
    /// More bytes than a socket's buffer can have ([`MAX_BUDGET_BYTES`](super::MAX_BUDGET_BYTES)).
    BudgetTooLarge {
        /// The bytes needed.
        bytes: u64,
    },
    /// A number outside its range.
    OutOfRange {
        /// The number.
        found: u32,
        /// The smallest that is allowed.
        min: u32,
        /// The largest that is allowed.
        max: u32,
    },
    /// A text that is no decimal number.
    NotANumber {
        /// The first byte that is no digit.
        offset: usize,
    },
    /// No class of devices has that name.
    UnknownDevice,
    /// Figures that are not of the form `custom:EVENTSxBYTES[+EVENTSxBYTES…]@CYCLE_MS`.
    CustomSyntax {
        /// The byte at which that shows.
        offset: usize,
    },
    /// More groups of events than a custom device can have ([`MAX_CUSTOM_GROUPS`](super::MAX_CUSTOM_GROUPS)).
    TooManyGroups {
        /// Where the first group that is too much begins.
        offset: usize,
    },
}

impl SizingError {
    /// The error without its numbers, for a panic in a const context, which cannot format any.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        match self {
            Self::NoPorts => "no USB port: declare at least 1",
            Self::NoBuses => "no USB bus: declare at least 1",
            Self::TooManyDevices { .. } => {
                "more devices than addresses (127 a USB bus): declare fewer ports, or fewer devices in \
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
                 ethernet, uas, hub8 or custom:EVENTSxBYTES[+EVENTSxBYTES...]@CYCLE_MS"
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
                    "{ports} ports with {per_port} devices each, but {limit} addresses (127 a USB bus): "
                )?;
                return match limit / per_port.max(1) {
                    0 => f.write_str("declare fewer devices in each"),
                    most => write!(f, "declare at most {most} ports, or fewer devices in each"),
                };
            }
            Self::BudgetTooLarge { bytes } => {
                return write!(
                    f,
                    "the receive buffer needs {bytes} bytes, but 1073741823 are possible: declare fewer ports, a \
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

/// The value, or a panic with the error's [`message`](SizingError::message): in a const context the build
/// fails with that sentence.
///
/// # Panics
///
/// If `result` is an error. At run time handle the error instead.
pub const fn or_panic<T: Copy>(result: Result<T, SizingError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{}", error.message()),
    }
}
