//! Which subsystems somebody wants to hear of.

use core::fmt;

use crate::bytes::{equal, tri};
use crate::limits::MAX_SUBSYSTEM_BYTES;
use crate::uevent::Escaped;

/// Subsystems of one selection at most.
pub const MAX_SUBSYSTEMS: usize = 16;

/// The text that stands for every subsystem.
const ALL: &[u8] = b"all";

/// A set of subsystems, or all of them.
///
/// ```
/// use sureplug_core::selection::{Selection, SelectionError};
///
/// const SELECTION: Selection = match Selection::parse("usb block") {
///     Ok(selection) => selection,
///     Err(error) => panic!("{}", error.message()),
/// };
/// assert!(SELECTION.admits(Some(b"usb")) && !SELECTION.admits(Some(b"usbmisc")));
/// assert!(Selection::ALL.admits(None));
/// assert_eq!(Selection::parse("usb a/b"), Err(SelectionError::BadByte { index: 1, offset: 1 }));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Selection {
    /// None of them stands for all.
    names: [Name; MAX_SUBSYSTEMS],
    count: u8,
}

/// A name, and NULs behind it.
type Name = [u8; MAX_SUBSYSTEM_BYTES];

/// Returns a name without the NULs.
const fn trimmed(name: &Name) -> &[u8] {
    let mut bytes: &[u8] = name;
    while let [rest @ .., 0] = bytes {
        bytes = rest;
    }
    bytes
}

impl Selection {
    /// Every subsystem, and what has none.
    pub const ALL: Self = Self { names: [[0; MAX_SUBSYSTEM_BYTES]; MAX_SUBSYSTEMS], count: 0 };

    /// What USB devices make that an application has a use for: the subsystems of the captured events but for `leds`,
    /// `wakeup`, `bdi`, `workqueue`, `queues` and `bsg`, and `usbmisc` and `video4linux` besides.
    pub const USB: Self = match Self::parse(
        "usb usbmisc usb-serial block scsi scsi_host scsi_device scsi_disk scsi_generic net tty input hid hidraw sound \
         video4linux",
    ) {
        Ok(selection) => selection,
        Err(error) => panic!("{}", error.message()),
    };

    /// Only these. A name that comes twice counts once.
    ///
    /// # Errors
    ///
    /// [`SelectionError`] if there is none, if there are too many, or if one is not a subsystem's name.
    pub const fn of(mut names: &[&[u8]]) -> Result<Self, SelectionError> {
        let mut selection = Self::ALL;
        let mut index = 0;
        // A `for` is not const.
        while let [name, rest @ ..] = names {
            tri!(selection.insert(name, index));
            names = rest;
            index += 1;
        }
        if selection.count == 0 { Err(SelectionError::Empty) } else { Ok(selection) }
    }

    /// Names that are separated by blanks, or the word `all`.
    ///
    /// # Errors
    ///
    /// See [`of`](Self::of); [`SelectionError::AllBesideOthers`] if `all` is not alone.
    pub const fn parse(text: &str) -> Result<Self, SelectionError> {
        let mut selection = Self::ALL;
        let mut all = false;
        let mut index = 0;
        let mut rest = text.as_bytes().trim_ascii();
        while !rest.is_empty() {
            let mut end = 0;
            while end < rest.len() && !rest[end].is_ascii_whitespace() {
                end += 1;
            }
            let (name, behind) = rest.split_at(end);
            if equal(name, ALL) {
                all = true;
            } else {
                tri!(selection.insert(name, index));
            }
            rest = behind.trim_ascii_start();
            index += 1;
        }
        match (all, selection.count) {
            (true, 0) => Ok(Self::ALL),
            (true, _) => Err(SelectionError::AllBesideOthers),
            (false, 0) => Err(SelectionError::Empty),
            (false, _) => Ok(selection),
        }
    }

    const fn insert(&mut self, name: &[u8], index: usize) -> Result<(), SelectionError> {
        if name.is_empty() {
            return Err(SelectionError::EmptyName { index });
        }
        if name.len() > MAX_SUBSYSTEM_BYTES {
            return Err(SelectionError::NameTooLong { index, length: name.len() });
        }
        let mut bytes = [0; MAX_SUBSYSTEM_BYTES];
        let mut at = 0;
        while at < name.len() {
            // A class and a bus are directories of sysfs; the rest keeps lists of names unambiguous.
            if matches!(name[at], 0..=b' ' | b',' | b'/' | b';' | 0x7f) {
                return Err(SelectionError::BadByte { index, offset: at });
            }
            bytes[at] = name[at];
            at += 1;
        }
        if self.contains(name) {
            return Ok(());
        }
        if self.count as usize == MAX_SUBSYSTEMS {
            return Err(SelectionError::TooMany);
        }
        self.names[self.count as usize] = bytes;
        self.count += 1;
        Ok(())
    }

    /// Whether it is every subsystem.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.count == 0
    }

    /// The names; none if it is all.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().take(self.count as usize).map(trimmed)
    }

    /// How many names there are; 0 stands for all.
    pub(crate) const fn count(&self) -> usize {
        self.count as usize
    }

    /// The name at this place, from 0.
    pub(crate) const fn name(&self, index: usize) -> &[u8] {
        assert!(index < self.count as usize, "there are not so many names");
        trimmed(&self.names[index])
    }

    /// Whether events of this subsystem are wanted.
    #[must_use]
    pub const fn admits(&self, subsystem: Option<&[u8]>) -> bool {
        match subsystem {
            _ if self.is_all() => true,
            Some(name) => self.contains(name),
            None => false,
        }
    }

    const fn contains(&self, wanted: &[u8]) -> bool {
        let mut index = 0;
        while index < self.count as usize {
            if equal(trimmed(&self.names[index]), wanted) {
                return true;
            }
            index += 1;
        }
        false
    }
}

/// The names with blanks between them, as [`Selection::parse`] takes them.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() {
            return f.write_str("all");
        }
        for (index, name) in self.names().enumerate() {
            let blank = if index == 0 { "" } else { " " };
            write!(f, "{blank}{}", Escaped(name))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selection({self})")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Selection {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Selection({} names)", self.count);
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
    /// A blank, a slash or a control character, which no subsystem has in its name.
    BadByte {
        /// Which name, from 0.
        index: usize,
        /// The byte's place in it, from 0.
        offset: usize,
    },
    /// More than [`MAX_SUBSYSTEMS`] names.
    TooMany,
    /// `all`, and names besides.
    AllBesideOthers,
}

impl SelectionError {
    /// What is wrong and what to do, without figures: for a `const` panic, which can show no more.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        match self {
            Self::Empty => "no subsystem is named: name one at least, such as `usb`, or write `all`",
            Self::EmptyName { .. } => "a name is empty: write a subsystem such as `usb`",
            Self::NameTooLong { .. } => "a name is too long: a subsystem has 32 bytes at most",
            Self::BadByte { .. } => {
                "a subsystem has no blank, comma, slash or control character in its name: write `usb block`"
            }
            Self::TooMany => "more than 16 subsystems: name fewer, or write `all`",
            Self::AllBesideOthers => "`all` stands alone: leave out the other names, or leave out `all`",
        }
    }
}

impl fmt::Display for SelectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyName { index } => write!(f, "name {}: ", index + 1)?,
            Self::NameTooLong { index, length } => write!(f, "name {} has {length} bytes: ", index + 1)?,
            Self::BadByte { index, offset } => write!(f, "name {}, byte {}: ", index + 1, offset + 1)?,
            Self::Empty | Self::TooMany | Self::AllBesideOthers => {}
        }
        f.write_str(self.message())
    }
}

impl core::error::Error for SelectionError {}

const _: () = assert!(MAX_SUBSYSTEMS == 16 && MAX_SUBSYSTEM_BYTES == 32, "as the messages say");
