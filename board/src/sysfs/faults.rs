//! Faults of sysfs, unreadable or unaccepted: all are counted, and the first places are named.

use std::fmt;
use std::mem;

use heapless::Vec;
use nix::errno::Errno;
use sureplug_core::uevent::{Escaped, EscapedWord};

use super::files::is_absence;
use super::path::SysfsPath;
use crate::cause::Cause;

/// The most places that are named. Further ones are only counted.
const MAX_NAMED: usize = 16;

/// Bytes of a path or a line that are kept.
const MAX_KEPT_BYTES: usize = 128;

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

/// An existing directory or device that could not be read.
#[derive(Debug)]
pub struct Trouble<'t> {
    /// The path below sysfs.
    pub path: &'t [u8],
    /// The kernel's error, or the fault of the data.
    pub error: Errno,
}

/// A device whose `uevent` file has lines that are ignored.
#[derive(Clone, Copy, Debug)]
pub struct Forgery<'f> {
    /// Its devpath.
    pub devpath: &'f [u8],
    /// The first such line, truncated if too long.
    pub line: &'f [u8],
}

impl<'f> Forgery<'f> {
    pub(super) fn of((devpath, line): (&'f SysfsPath, &'f Clipped)) -> Self {
        Self { devpath: devpath.as_devpath(), line: line.as_bytes() }
    }
}

/// `the uevent file of /devices/x has lines that the kernel did not write, such as "MAJOR=8": they are ignored`.
impl fmt::Display for Forgery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (devpath, line) = (EscapedWord(self.devpath), Escaped(self.line));
        write!(
            f,
            "the uevent file of {devpath} has lines that the kernel did not write, such as {line:?}: they are ignored"
        )
    }
}

/// Faults of one kind: their number, and the first places by name, each once.
pub(super) struct Faults<T> {
    pub(super) count: u64,
    /// Hashes of the paths that were named.
    named: Vec<u64, MAX_NAMED>,
    /// The place named last.
    path: SysfsPath,
    /// The fault there.
    fault: Option<T>,
    is_pending: bool,
    /// Whether that place has not been logged either.
    is_unlogged: bool,
    /// Whether another place was left to be named later in this scan.
    pub(super) is_waiting: bool,
}

impl<T> Faults<T> {
    pub(super) fn new() -> Self {
        Self {
            count: 0,
            named: Vec::new(),
            path: SysfsPath::new(),
            fault: None,
            is_pending: false,
            is_unlogged: false,
            is_waiting: false,
        }
    }

    /// Counts a fault at a path below sysfs. A place that cannot be named because another is
    /// pending must be noted again.
    pub(super) fn note(&mut self, path: &[u8], fault: T) {
        self.count += 1;
        let hash = hash(path);
        if self.named.is_full() || self.named.contains(&hash) {
            return;
        }
        if self.is_pending {
            self.is_waiting = true;
        } else if self.path.set(&[path]).is_ok() && self.named.push(hash).is_ok() {
            self.fault = Some(fault);
            (self.is_pending, self.is_unlogged) = (true, true);
        }
    }

    /// Returns the place named last, once.
    pub(super) fn take(&mut self) -> Option<(&SysfsPath, &T)> {
        let fault = self.fault.as_ref().filter(|_| mem::take(&mut self.is_pending))?;
        Some((&self.path, fault))
    }

    /// Returns the place named last for the system's log, once.
    pub(super) fn take_unlogged(&mut self) -> Option<(&SysfsPath, &T)> {
        let fault = self.fault.as_ref().filter(|_| mem::take(&mut self.is_unlogged))?;
        Some((&self.path, fault))
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

/// FNV-1a. Of two paths with one hash the second is only counted.
pub(super) fn hash(path: &[u8]) -> u64 {
    path.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn troubles() -> Troubles {
        Troubles { faults: Faults::new(), missing: None }
    }

    fn take<T: Clone>(faults: &mut Faults<T>) -> Option<(Vec<u8, 32>, T)> {
        let (path, fault) = faults.take()?;
        Some((Vec::from_slice(path.relative().to_bytes()).unwrap(), fault.clone()))
    }

    fn named<T>(path: &[u8], fault: T) -> (Vec<u8, 32>, T) {
        (Vec::from_slice(path).unwrap(), fault)
    }

    #[test]
    fn each_is_named_once_and_counted_always() {
        let mut faults = Faults::new();
        assert_eq!(take(&mut faults), None);
        for _ in 0..3 {
            faults.note(b"class/net", Errno::EACCES);
            faults.note(b"class/tty", Errno::EIO);
        }
        assert_eq!(faults.count, 6);
        assert_eq!(take(&mut faults), Some(named(b"class/net", Errno::EACCES)));
        assert_eq!(take(&mut faults), None);
        // The second one had to wait.
        assert!(faults.is_waiting);
        faults.note(b"class/net", Errno::EACCES);
        faults.note(b"class/tty", Errno::EIO);
        assert_eq!(take(&mut faults), Some(named(b"class/tty", Errno::EIO)));
        faults.note(b"class/tty", Errno::EIO);
        assert_eq!(take(&mut faults), None);
        assert_eq!(faults.count, 9);
    }

    #[test]
    fn the_output_and_the_log_each_get_a_place_once() {
        let mut faults = Faults::new();
        faults.note(b"devices/a", Clipped::of(b"MAJOR=8"));
        faults.note(b"devices/a", Clipped::of(b"MINOR=8"));
        assert_eq!(take(&mut faults), Some(named(b"devices/a", Clipped::of(b"MAJOR=8"))));
        assert!(faults.take().is_none() && !faults.is_waiting);
        assert_eq!(faults.take_unlogged().unwrap().1, &Clipped::of(b"MAJOR=8"));
        assert!(faults.take_unlogged().is_none());
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
        let mut path = SysfsPath::new();
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
        let mut faults = Faults::new();
        let named = (0..20u8).filter(|number| {
            faults.note(&[b'a' + number], Errno::EIO);
            take(&mut faults).is_some()
        });
        assert_eq!(named.count(), MAX_NAMED);
        assert_eq!(faults.count, 20);
    }

    #[test]
    fn missing_entries_are_no_trouble() {
        let mut troubles = troubles();
        for errno in [Errno::ENOENT, Errno::ENOTDIR, Errno::ENODEV] {
            troubles.note(b"class", errno);
        }
        assert_eq!((troubles.faults.count, take(&mut troubles.faults)), (0, None));
    }
}
