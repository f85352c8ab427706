//! Where sysfs lists the devices of a subsystem, and which subsystems were found there.

use std::ffi::CStr;

use heapless::Vec;
use sureplug_core::limits::MAX_SUBSYSTEM_BYTES;

/// Names that are remembered.
const MAX_KNOWN: usize = 32;

/// A directory of subsystems.
pub(super) struct Place {
    /// Its path.
    pub(super) path: &'static CStr,
    /// Where below a subsystem's directory its devices are listed.
    below: &'static [u8],
}

/// All of them.
pub(super) static PLACES: [Place; 2] =
    [Place { path: c"class", below: b"" }, Place { path: c"bus", below: b"/devices" }];

impl Place {
    /// The parts of the path where the devices of a subsystem are listed.
    pub(super) fn devices<'n>(&self, subsystem: &'n [u8]) -> [&'n [u8]; 4] {
        [self.path.to_bytes(), b"/", subsystem, self.below]
    }
}

/// The subsystem whose devices are listed at a path that [`Place::devices`] makes.
pub(super) fn subsystem_of(path: &CStr) -> &[u8] {
    path.to_bytes().split(|byte| *byte == b'/').nth(1).unwrap_or_default()
}

/// Names of subsystems that were found, each of them a [name](is_name); of too many the oldest is forgotten.
pub(super) struct Known {
    names: Vec<Vec<u8, MAX_SUBSYSTEM_BYTES>, MAX_KNOWN>,
    next: usize,
}

impl Known {
    pub(super) const fn new() -> Self {
        Self { names: Vec::new(), next: 0 }
    }

    pub(super) fn contains(&self, name: &[u8]) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// Remembers a name that is not among them; one that is too long is not remembered.
    pub(super) fn insert(&mut self, name: &[u8]) {
        let Ok(name) = Vec::from_slice(name) else { return };
        if let Err(name) = self.names.push(name) {
            self.names[self.next] = name;
            self.next = (self.next + 1) % MAX_KNOWN;
        }
    }
}

/// Whether a subsystem can be called so: as a file can.
pub(super) fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subsystem_is_found_in_the_path_of_its_devices() {
        assert_eq!(PLACES[0].devices(b"net").concat(), b"class/net");
        assert_eq!(PLACES[1].devices(b"usb").concat(), b"bus/usb/devices");
        assert_eq!(subsystem_of(c"class/net"), b"net");
        assert_eq!(subsystem_of(c"bus/usb/devices"), b"usb");
        assert_eq!(subsystem_of(c""), b"");
    }

    #[test]
    fn the_oldest_name_is_forgotten() {
        let mut known = Known::new();
        let name = |number: usize| format!("subsystem-{number}").into_bytes();
        for number in 0..=MAX_KNOWN {
            known.insert(&name(number));
        }
        assert!(!known.contains(&name(0)) && !known.contains(&name(MAX_KNOWN + 1)));
        assert!((1..=MAX_KNOWN).all(|number| known.contains(&name(number))));
    }

    #[test]
    fn a_name_is_remembered_whole_or_not_at_all() {
        let mut known = Known::new();
        let longest = [b'x'; MAX_SUBSYSTEM_BYTES];
        known.insert(&longest);
        known.insert(&[b'y'; MAX_SUBSYSTEM_BYTES + 1]);
        assert!(known.contains(&longest) && !known.contains(&longest[1..]));
        assert!(
            !known.contains(&[b'y'; MAX_SUBSYSTEM_BYTES + 1])
                && !known.contains(&[b'y'; MAX_SUBSYSTEM_BYTES])
        );
    }

    #[test]
    fn names_that_no_directory_can_have_are_refused() {
        for name in [&b""[..], b".", b"..", b"a/b", b"/", b"usb\0", b"\0"] {
            assert!(!is_name(name), "{name:?}");
        }
        assert!(is_name(b"usb") && is_name(b"...") && is_name(b"\xff"));
    }
}
