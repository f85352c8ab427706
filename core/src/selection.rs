//! Which subsystems somebody wants to hear of.

use core::fmt;

use heapless::Vec;

/// Subsystems of one selection at most.
pub const MAX_SUBSYSTEMS: usize = 16;

/// Bytes of a subsystem's name at most.
pub const MAX_SUBSYSTEM_BYTES: usize = 32;

/// A set of subsystems, or all of them.
///
/// ```
/// use sureplug_core::selection::Selection;
///
/// let selection = Selection::of([&b"usb"[..], b"block"])?;
/// assert!(selection.admits(Some(b"usb")) && !selection.admits(Some(b"usbmisc")));
/// assert!(Selection::ALL.admits(None));
/// # Ok::<(), sureplug_core::selection::SelectionError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// None of them stands for all.
    names: Vec<Vec<u8, MAX_SUBSYSTEM_BYTES>, MAX_SUBSYSTEMS>,
}

impl Selection {
    /// Every subsystem, and what has none.
    pub const ALL: Self = Self { names: Vec::new() };

    /// Only these.
    ///
    /// # Errors
    ///
    /// [`SelectionError`] if there is none, if there are too many, or if one is empty or too long.
    pub fn of<'n>(names: impl IntoIterator<Item = &'n [u8]>) -> Result<Self, SelectionError> {
        let mut selection = Self::ALL;
        for (index, name) in names.into_iter().enumerate() {
            if name.is_empty() {
                return Err(SelectionError::EmptyName { index });
            }
            let too_long = SelectionError::NameTooLong { index, length: name.len() };
            let name = Vec::from_slice(name).map_err(|_| too_long)?;
            selection.names.push(name).map_err(|_| SelectionError::TooMany { limit: MAX_SUBSYSTEMS })?;
        }
        if selection.names.is_empty() { Err(SelectionError::Empty) } else { Ok(selection) }
    }

    /// Whether events of this subsystem are wanted.
    #[must_use]
    pub fn admits(&self, subsystem: Option<&[u8]>) -> bool {
        self.names.is_empty() || subsystem.is_some_and(|wanted| self.names.iter().any(|name| name == wanted))
    }
}

/// Why a set of subsystems is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SelectionError {
    /// No name at all, which would select nothing.
    Empty,
    /// A name without a byte.
    EmptyName {
        /// Which, from 0.
        index: usize,
    },
    /// A name that is too long.
    NameTooLong {
        /// Which, from 0.
        index: usize,
        /// Bytes that it has.
        length: usize,
    },
    /// Too many names.
    TooMany {
        /// How many are allowed.
        limit: usize,
    },
}

impl fmt::Display for SelectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no subsystem is named: name one at least, such as `usb`"),
            Self::EmptyName { index } => write!(f, "name {index} is empty: write a subsystem such as `usb`"),
            Self::NameTooLong { index, length } => {
                write!(f, "name {index} has {length} bytes: a subsystem has {MAX_SUBSYSTEM_BYTES} at most")
            }
            Self::TooMany { limit } => write!(f, "more than {limit} subsystems: select fewer, or all"),
        }
    }
}

impl core::error::Error for SelectionError {}
