//! A selection of subsystems.

use core::fmt;

use crate::bytes::{equal, tri};
use crate::limits::MAX_SUBSYSTEM_BYTES;
use crate::uevent::Escaped;

/// The most subsystems in one selection.
pub const MAX_SUBSYSTEMS: usize = 16;

/// The word that selects every subsystem.
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
    /// An empty list selects everything.
    names: [Name; MAX_SUBSYSTEMS],
    count: u8,
}

/// A name, padded with NULs.
type Name = [u8; MAX_SUBSYSTEM_BYTES];

/// Returns a name without its padding.
const fn trimmed(name: &Name) -> &[u8] {
    let mut bytes: &[u8] = name;
    while let [rest @ .., 0] = bytes {
        bytes = rest;
    }
    bytes
}

impl Selection {
    /// All subsystems, and devices without one.
    pub const ALL: Self = Self { names: [[0; MAX_SUBSYSTEM_BYTES]; MAX_SUBSYSTEMS], count: 0 };

    /// The subsystems that applications use of USB devices.
    ///
    /// These are the subsystems of the captured events except `leds`, `wakeup`, `bdi`, `workqueue`,
    /// `queues` and `bsg`; plus `usbmisc` and `video4linux`.
    pub const USB: Self = match Self::parse(
        "usb usbmisc usb-serial block scsi scsi_host scsi_device scsi_disk scsi_generic net tty input hid hidraw sound \
         video4linux",
    ) {
        Ok(selection) => selection,
        Err(error) => panic!("{}", error.message()),
    };

    /// Selects the given subsystems. A repeated name counts once.
    ///
    /// # Errors
    ///
    /// Returns a [`SelectionError`] if there is no name, if there are too many, or if one is not a
    /// valid name of a subsystem.
    pub const fn of(mut names: &[&[u8]]) -> Result<Self, SelectionError> {
        let mut selection = Self::ALL;
        let mut index = 0;
        // `for` is not const.
        while let [name, rest @ ..] = names {
            tri!(selection.insert(name, index));
            names = rest;
            index += 1;
        }
        if selection.count == 0 { Err(SelectionError::Empty) } else { Ok(selection) }
    }

    /// Parses names separated by blanks, or the word `all`.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`of`](Self::of), and [`SelectionError::AllBesideOthers`] if `all` is
    /// not alone.
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
            // Buses and classes are directories in sysfs. The other excluded bytes separate names
            // in lists.
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

    /// Returns `true` if every subsystem is selected.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.count == 0
    }

    /// Returns the names; empty if all subsystems are selected.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().take(self.count as usize).map(trimmed)
    }

    /// Returns the number of names; 0 if all subsystems are selected.
    pub(crate) const fn count(&self) -> usize {
        self.count as usize
    }

    /// Returns the name with this index.
    pub(crate) const fn name(&self, index: usize) -> &[u8] {
        assert!(index < self.count as usize, "the index is out of range");
        trimmed(&self.names[index])
    }

    /// Returns `true` if events of this subsystem are selected.
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

/// Writes the names separated by blanks, as [`Selection::parse`] reads them.
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

/// Error parsing a selection of subsystems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SelectionError {
    /// There is no name, so nothing would be selected.
    Empty,
    /// A name has no byte.
    EmptyName {
        /// The index of the name.
        index: usize,
    },
    /// A name is too long.
    NameTooLong {
        /// The index of the name.
        index: usize,
        /// Its length in bytes.
        length: usize,
    },
    /// A name contains a blank, a comma, a semicolon, a slash or a control character.
    BadByte {
        /// The index of the name.
        index: usize,
        /// The offset of the byte in the name.
        offset: usize,
    },
    /// There are more than [`MAX_SUBSYSTEMS`] names.
    TooMany,
    /// `all` stands beside other names.
    AllBesideOthers,
}

impl SelectionError {
    /// Returns the message without figures, for a `const` panic, which cannot format.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        match self {
            Self::Empty => "no subsystem is named: name at least one, such as `usb`, or write `all`",
            Self::EmptyName { .. } => "a name is empty: write a subsystem such as `usb`",
            Self::NameTooLong { .. } => "a name is too long: a subsystem has at most 32 bytes",
            Self::BadByte { .. } => {
                "a subsystem has no blank, comma, slash or control character in its name: write `usb block`"
            }
            Self::TooMany => "more than 16 subsystems: name fewer, or write `all`",
            Self::AllBesideOthers => "`all` stands beside names: leave out either",
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

const _: () = assert!(MAX_SUBSYSTEMS == 16 && MAX_SUBSYSTEM_BYTES == 32, "the messages name these limits");
