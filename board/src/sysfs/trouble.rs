use std::fmt;

use nix::errno::Errno;
use sureplug_core::uevent::EscapedWord;

use super::files::is_absence;
use super::path::SysfsPath;

/// What is named at most; further ones are only counted.
const MAX_NAMED: usize = 16;

/// Bytes of a path that are kept to name it.
const MAX_PATH_BYTES: usize = 120;

/// Bytes in fixed memory, cut off where they are very many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clipped {
    bytes: [u8; MAX_PATH_BYTES],
    length: u8,
}

impl Clipped {
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn of(bytes: &[u8]) -> Self {
        let length = bytes.len().min(MAX_PATH_BYTES);
        let mut kept = [0; MAX_PATH_BYTES];
        kept[..length].copy_from_slice(&bytes[..length]);
        Self { bytes: kept, length: length as u8 }
    }

    /// Returns them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// What a scan could not read: without it the scan has not resynced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Directories and devices, each as often as it was tried.
    pub count: u32,
    /// Why the first of them could not be read.
    pub errno: Errno,
    path: Clipped,
}

impl Missing {
    fn first(path: &[u8], errno: Errno) -> Self {
        Self { count: 1, errno, path: Clipped::of(path) }
    }

    /// Returns the path of the first below sysfs, cut off where it is very long.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }
}

/// `class/net (EMFILE: Too many open files) and 2 more`.
impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", EscapedWord(self.path()), self.errno)?;
        match self.count {
            0 | 1 => Ok(()),
            count => write!(f, " and {} more", count - 1),
        }
    }
}

/// A directory or a device that is there but could not be read.
#[derive(Debug)]
pub struct Trouble<'t> {
    /// Where it is below sysfs.
    pub path: &'t [u8],
    /// What the kernel said, or what is wrong with the answer.
    pub error: Errno,
}

/// All that could not be read: how often, and each of the first by name once.
pub(super) struct Troubles {
    count: u64,
    /// Hashes of what was named.
    named: [u64; MAX_NAMED],
    named_count: usize,
    /// The next one to be named.
    path: SysfsPath,
    /// Why, if there is one.
    pending: Option<Errno>,
    /// Those of the present scan.
    missing: Option<Missing>,
}

impl Troubles {
    pub(super) fn new() -> Self {
        Self {
            count: 0,
            named: [0; MAX_NAMED],
            named_count: 0,
            path: SysfsPath::new(),
            pending: None,
            missing: None,
        }
    }

    /// Counts an attempt to read what is at `path` that failed. What is not there is no trouble.
    pub(super) fn note(&mut self, path: &[u8], errno: Errno) {
        if is_absence(errno) {
            return;
        }
        self.count += 1;
        match &mut self.missing {
            Some(missing) => missing.count = missing.count.saturating_add(1),
            None => self.missing = Some(Missing::first(path, errno)),
        }
        let hash = hash(path);
        // What has to wait because another one is pending gets its turn when it fails again.
        if self.pending.is_some() || self.named[..self.named_count].contains(&hash) {
            return;
        }
        if let (Some(place), Ok(())) = (self.named.get_mut(self.named_count), self.path.set(&[path])) {
            *place = hash;
            self.named_count += 1;
            self.pending = Some(errno);
        }
    }

    pub(super) fn take(&mut self) -> Option<Trouble<'_>> {
        let error = self.pending.take()?;
        Some(Trouble { path: self.path.relative().to_bytes(), error })
    }

    /// Forgets what the last scan could not read.
    pub(super) const fn begin_scan(&mut self) {
        self.missing = None;
    }

    pub(super) const fn missing(&self) -> Option<Missing> {
        self.missing
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }
}

/// FNV-1a. Two paths with one hash: the second is only counted.
pub(super) fn hash(path: &[u8]) -> u64 {
    path.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(troubles: &mut Troubles) -> Option<(Vec<u8>, Option<i32>)> {
        troubles.take().map(|trouble| (trouble.path.to_owned(), Some(trouble.error as i32)))
    }

    #[test]
    fn each_is_named_once_and_counted_always() {
        let mut troubles = Troubles::new();
        assert_eq!(take(&mut troubles), None);
        for _ in 0..3 {
            troubles.note(b"class/net", Errno::EACCES);
            troubles.note(b"class/tty", Errno::EIO);
        }
        assert_eq!(troubles.count(), 6);
        assert_eq!(take(&mut troubles), Some((b"class/net".to_vec(), Some(Errno::EACCES as i32))));
        assert_eq!(take(&mut troubles), None);
        // The second one had to wait.
        troubles.note(b"class/net", Errno::EACCES);
        troubles.note(b"class/tty", Errno::EIO);
        assert_eq!(take(&mut troubles), Some((b"class/tty".to_vec(), Some(Errno::EIO as i32))));
        troubles.note(b"class/tty", Errno::EIO);
        assert_eq!(take(&mut troubles), None);
        assert_eq!(troubles.count(), 9);
    }

    #[test]
    fn i9_a_scan_knows_what_it_could_not_read() {
        let mut troubles = Troubles::new();
        for scan in 0..2 {
            troubles.begin_scan();
            assert_eq!(troubles.missing(), None, "scan {scan}");
            troubles.note(b"class/net", Errno::ENOENT);
            assert_eq!(troubles.missing(), None, "a device that vanished is not missing");
            troubles.note(b"class/net", Errno::EMFILE);
            assert_eq!(troubles.missing().unwrap().to_string(), "class/net (EMFILE: Too many open files)");
            troubles.note(&[b'x'; 200], Errno::EIO);
            let missing = troubles.missing().unwrap();
            assert_eq!(missing.to_string(), "class/net (EMFILE: Too many open files) and 1 more");
        }
        assert_eq!(Missing::first(&[b'x'; 200], Errno::EIO).path(), [b'x'; MAX_PATH_BYTES]);
    }

    #[test]
    fn named_troubles_are_limited() {
        let mut troubles = Troubles::new();
        let named = (0..20u8).filter(|number| {
            troubles.note(&[b'a' + number], Errno::EIO);
            take(&mut troubles).is_some()
        });
        assert_eq!(named.count(), MAX_NAMED);
        assert_eq!(troubles.count(), 20);
    }

    #[test]
    fn missing_entries_are_no_trouble() {
        let mut troubles = Troubles::new();
        for errno in [Errno::ENOENT, Errno::ENOTDIR, Errno::ENODEV] {
            troubles.note(b"class", errno);
        }
        assert_eq!((troubles.count(), take(&mut troubles)), (0, None));
    }
}
