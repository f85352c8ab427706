//! Faults of sysfs, unreadable or unaccepted: all are counted, and the first places are named.

use std::fmt;

use heapless::Vec;
use nix::errno::Errno;
use sureplug_core::uevent::{Escaped, EscapedWord};

use super::files::is_absence;
use crate::cause::Cause;

/// The most places that are named. Further ones are only counted.
const MAX_NAMED: usize = 16;

/// Bytes of a path or a line that a notice keeps.
const MAX_KEPT_BYTES: usize = 128;

/// Bytes of a named path that are kept. Devpaths of devices in nested hubs are shorter.
const MAX_PATH_BYTES: usize = 512;

/// Bytes in fixed memory, truncated if too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clipped {
    bytes: [u8; MAX_KEPT_BYTES],
    length: u8,
}

impl Clipped {
    #[allow(clippy::cast_possible_truncation)]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut kept = Self { bytes: [0; MAX_KEPT_BYTES], length: bytes.len().min(MAX_KEPT_BYTES) as u8 };
        kept.bytes.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        kept
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// What a scan could not read. Such a scan has not resynchronised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Number of directories and devices, each counted per attempt.
    pub count: u32,
    /// The error of the first.
    pub errno: Errno,
    /// The path of the first below sysfs, truncated if too long.
    pub path: Clipped,
}

/// `class/net (EMFILE: Too many open files) and 2 more`.
impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", EscapedWord(self.path.as_bytes()), Cause(self.errno))?;
        match self.count {
            0 | 1 => Ok(()),
            count => write!(f, " and {} more", count - 1),
        }
    }
}

/// A path that could not be read, or a device with lines that are ignored.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault<T> {
    /// The path below sysfs, or the devpath, truncated if too long.
    pub path: Vec<u8, MAX_PATH_BYTES>,
    /// The error, or the first such line.
    pub what: T,
}

/// `the uevent file of /devices/x has lines that the kernel did not write, such as "MAJOR=8": they are ignored`.
impl fmt::Display for Fault<Clipped> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (devpath, line) = (EscapedWord(&self.path), Escaped(self.what.as_bytes()));
        write!(
            f,
            "the uevent file of {devpath} has lines that the kernel did not write, such as {line:?}: they are ignored"
        )
    }
}

/// Faults of one kind: their number, and the first places by name, each once.
pub(super) struct Faults<T> {
    pub(super) count: u64,
    named: Box<Vec<Fault<T>, MAX_NAMED>>,
}

impl<T> Faults<T> {
    pub(super) fn new() -> Self {
        Self { count: 0, named: Box::default() }
    }

    /// Counts a fault at a path.
    pub(super) fn note(&mut self, path: &[u8], what: T) {
        self.count += 1;
        let path = &path[..path.len().min(MAX_PATH_BYTES)];
        if let (true, Ok(path)) = (self.named.iter().all(|named| named.path != path), Vec::from_slice(path)) {
            // Beyond the limit a fault is only counted.
            let _ = self.named.push(Fault { path, what });
        }
    }

    /// Returns the next named fault for a reader that has `read` some, and counts it there.
    pub(super) fn next(&self, read: &mut usize) -> Option<&Fault<T>> {
        let fault = self.named.get(*read)?;
        *read += 1;
        Some(fault)
    }
}

/// All places that could not be read, and the gaps of the present scan.
pub(super) struct Troubles {
    pub(super) faults: Faults<Errno>,
    pub(super) missing: Option<Missing>,
}

impl Troubles {
    /// Notes a failed attempt to read a path. The absence of a file is not a fault.
    pub(super) fn note(&mut self, path: &[u8], errno: Errno) {
        if is_absence(errno) {
            return;
        }
        match &mut self.missing {
            Some(missing) => missing.count = missing.count.saturating_add(1),
            None => self.missing = Some(Missing { count: 1, errno, path: Clipped::of(path) }),
        }
        self.faults.note(path, errno);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn troubles() -> Troubles {
        Troubles { faults: Faults::new(), missing: None }
    }

    fn path(path: &[u8]) -> Vec<u8, MAX_PATH_BYTES> {
        Vec::from_slice(path).unwrap()
    }

    #[test]
    fn each_is_named_once_and_counted_always() {
        let mut faults = Faults::new();
        let mut read = 0;
        assert_eq!(faults.next(&mut read), None);
        for _ in 0..3 {
            faults.note(b"class/net", Errno::EACCES);
            faults.note(b"class/tty", Errno::EIO);
        }
        assert_eq!(faults.count, 6);
        assert_eq!(faults.next(&mut read), Some(&Fault { path: path(b"class/net"), what: Errno::EACCES }));
        assert_eq!(faults.next(&mut read), Some(&Fault { path: path(b"class/tty"), what: Errno::EIO }));
        faults.note(b"class/tty", Errno::EIO);
        assert_eq!((faults.next(&mut read), faults.count), (None, 7));
    }

    #[test]
    fn each_reader_gets_a_fault_once() {
        let mut faults = Faults::new();
        faults.note(b"/devices/a", Clipped::of(b"MAJOR=8"));
        faults.note(b"/devices/a", Clipped::of(b"MINOR=8"));
        for mut read in [0, 0] {
            let shown = faults.next(&mut read).unwrap().to_string();
            assert!(shown.contains("/devices/a") && shown.contains("\"MAJOR=8\""), "{shown}");
            assert_eq!(faults.next(&mut read), None);
        }
    }

    #[test]
    fn long_paths_are_cut_and_named_once() {
        let (mut faults, mut read) = (Faults::new(), 0);
        faults.note(&[b'x'; 3 * MAX_PATH_BYTES], Errno::EIO);
        faults.note(&[b'x'; 2 * MAX_PATH_BYTES], Errno::EIO);
        assert_eq!(faults.next(&mut read).unwrap().path, [b'x'; MAX_PATH_BYTES]);
        assert_eq!((faults.next(&mut read), faults.count), (None, 2));
    }

    #[test]
    fn i9_a_scan_knows_what_it_could_not_read() {
        let mut troubles = troubles();
        for scan in 0..2 {
            troubles.missing = None;
            troubles.note(b"class/net", Errno::ENOENT);
            assert_eq!(troubles.missing, None, "scan {scan}: a device that vanished is not missing");
            troubles.note(b"class/net", Errno::EIO);
            assert_eq!(troubles.missing.unwrap().to_string(), "class/net (EIO: I/O error)");
            troubles.note(&[b'x'; 200], Errno::EINVAL);
            let missing = troubles.missing.unwrap();
            assert_eq!(missing.to_string(), "class/net (EIO: I/O error) and 1 more");
        }
        assert_eq!(Clipped::of(&[b'x'; 200]).as_bytes(), [b'x'; MAX_KEPT_BYTES]);
    }

    #[test]
    fn missing_descriptor_is_shown_with_the_limit() {
        let mut troubles = troubles();
        troubles.note(b"class/net", Errno::EMFILE);
        let shown = troubles.missing.unwrap().to_string();
        let limit = crate::sys::descriptor_limit();
        let wanted =
            format!("class/net (EMFILE: Too many open files; RLIMIT_NOFILE allows this process {limit} ");
        assert!(shown.starts_with(&wanted), "{shown}");
    }

    #[test]
    fn damaged_paths_are_shown_with_their_error() {
        let mut path = crate::sysfs::path::SysfsPath::new();
        for (devpath, wanted) in [
            (&b"/devices/a\0b"[..], "EINVAL: Invalid argument"),
            (&[b'x'; 5_000], "ENAMETOOLONG: File name too long"),
        ] {
            let mut troubles = troubles();
            troubles.note(b"devices", path.set_devpath(devpath).unwrap_err());
            assert_eq!(troubles.missing.unwrap().to_string(), format!("devices ({wanted})"));
        }
    }

    #[test]
    fn named_faults_are_limited() {
        let (mut faults, mut read) = (Faults::new(), 0);
        (0..20u8).for_each(|number| faults.note(&[b'a' + number], Errno::EIO));
        while faults.next(&mut read).is_some() {}
        assert_eq!((read, faults.count), (MAX_NAMED, 20));
    }

    #[test]
    fn missing_entries_are_no_trouble() {
        let mut troubles = troubles();
        for errno in [Errno::ENOENT, Errno::ENOTDIR, Errno::ENODEV] {
            troubles.note(b"class", errno);
        }
        assert_eq!((troubles.faults.count, troubles.faults.next(&mut 0)), (0, None));
    }
}
