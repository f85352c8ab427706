use std::fmt;

use sureplug_core::uevent::{Escaped, EscapedWord};

use super::path::SysfsPath;
use super::trouble::hash;

/// Devices that are named at most; further ones are only counted.
const MAX_NAMED: usize = 16;

/// Bits of a [`Suspects`], far more than devices are added or removed during a scan.
const SUSPECT_BITS: usize = 4_096;

/// Bytes of a line that are kept.
const LINE_BYTES: usize = 128;

/// A device whose `uevent` file has lines that are not accepted.
#[derive(Clone, Copy, Debug)]
pub struct Forgery<'f> {
    /// Its devpath.
    pub devpath: &'f [u8],
    /// The first such line, as far as it is kept.
    pub line: &'f [u8],
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

/// Devices that lack files, because they may just have been added or removed. Each has one bit, by its hash, so that none
/// is without a place; where two share one, the second is reported without another look.
#[derive(Clone, PartialEq, Eq)]
struct Suspects([u64; SUSPECT_BITS / 64]);

impl Suspects {
    const NONE: Self = Self([0; SUSPECT_BITS / 64]);

    fn place(hash: u64) -> (usize, u64) {
        #[allow(clippy::cast_possible_truncation)]
        let bit = hash as usize % SUSPECT_BITS;
        (bit / 64, 1 << (bit % 64))
    }

    fn insert(&mut self, hash: u64) {
        let (word, bit) = Self::place(hash);
        self.0[word] |= bit;
    }

    fn contains(&self, hash: u64) -> bool {
        let (word, bit) = Self::place(hash);
        self.0[word] & bit != 0
    }

    /// Returns `true` if there are none that `other` lacks.
    fn is_within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(these, those)| these & !those == 0)
    }
}

/// All lines that were not accepted: how many, and each of the first devices by name once.
pub(super) struct Forgeries {
    count: u64,
    /// Hashes of the devices that were named.
    named: [u64; MAX_NAMED],
    named_count: usize,
    /// Devices that lacked files in this scan and in the one before it.
    suspects: [Suspects; 2],
    /// The next one to be named.
    path: SysfsPath,
    line: [u8; LINE_BYTES],
    line_length: usize,
    is_pending: bool,
    /// Whether it has not been logged yet either.
    is_unlogged: bool,
    /// Whether another device had to wait for its turn.
    is_waiting: bool,
}

impl Forgeries {
    pub(super) fn new() -> Self {
        Self {
            count: 0,
            named: [0; MAX_NAMED],
            named_count: 0,
            suspects: [Suspects::NONE; 2],
            path: SysfsPath::new(),
            line: [0; LINE_BYTES],
            line_length: 0,
            is_pending: false,
            is_unlogged: false,
            is_waiting: false,
        }
    }

    /// Begins a scan.
    pub(super) fn rewind(&mut self) {
        self.suspects.swap(0, 1);
        self.suspects[0] = Suspects::NONE;
        self.is_waiting = false;
    }

    /// Returns `true` if a device lacked files for the first time in this scan, so that another scan has to decide.
    pub(super) fn is_undecided(&self) -> bool {
        let [now, before] = &self.suspects;
        !now.is_within(before)
    }

    /// Counts a line of a device's file. A device that lacks files may just have been added or removed, so `is_partial`
    /// lines count when they are found again by the next scan.
    pub(super) fn note(&mut self, devpath: &SysfsPath, line: &[u8], is_partial: bool) {
        let hash = hash(devpath.as_devpath());
        if is_partial {
            let [now, before] = &mut self.suspects;
            now.insert(hash);
            if !before.contains(hash) {
                return;
            }
        }
        self.count += 1;
        if self.named[..self.named_count].contains(&hash) {
            return;
        }
        if self.is_pending {
            // It gets its turn at the next scan.
            self.is_waiting = self.named_count < MAX_NAMED;
            return;
        }
        let below = devpath.relative().to_bytes();
        if let (Some(place), Ok(())) = (self.named.get_mut(self.named_count), self.path.set(&[below])) {
            *place = hash;
            self.named_count += 1;
            self.line_length = line.len().min(LINE_BYTES);
            self.line[..self.line_length].copy_from_slice(&line[..self.line_length]);
            (self.is_pending, self.is_unlogged) = (true, true);
        }
    }

    pub(super) fn take(&mut self) -> Option<Forgery<'_>> {
        std::mem::take(&mut self.is_pending).then(|| self.pending())
    }

    pub(super) fn take_unlogged(&mut self) -> Option<Forgery<'_>> {
        std::mem::take(&mut self.is_unlogged).then(|| self.pending())
    }

    /// Returns `true` if a device was not named because another one was pending.
    pub(super) const fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    fn pending(&self) -> Forgery<'_> {
        Forgery { devpath: self.path.as_devpath(), line: &self.line[..self.line_length] }
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_is_named_once_and_each_line_counted() {
        let mut forgeries = Forgeries::new();
        let mut path = SysfsPath::new();
        for number in 0..20 {
            path.set(&[format!("devices/{number}").as_bytes()]).unwrap();
            forgeries.note(&path, b"MAJOR=8", false);
            forgeries.note(&path, &[b'x'; 300], false);
            let named = forgeries.take().map(|forgery| (forgery.devpath.to_vec(), forgery.line.to_vec()));
            let expected = (format!("/devices/{number}").into_bytes(), b"MAJOR=8".to_vec());
            assert_eq!(named, (number < MAX_NAMED).then_some(expected));
            forgeries.note(&path, b"MAJOR=8", false);
            assert!(forgeries.take().is_none(), "once");
        }
        assert_eq!(forgeries.count(), 60);
    }

    #[test]
    fn a_device_that_waits_is_named_by_the_next_scan() {
        let mut forgeries = Forgeries::new();
        let mut paths = [SysfsPath::new(), SysfsPath::new()];
        for (path, name) in paths.iter_mut().zip(["devices/a", "devices/b"]) {
            path.set(&[name.as_bytes()]).unwrap();
        }
        let mut scan = |takes: bool| {
            forgeries.rewind();
            for path in &paths {
                forgeries.note(path, b"MAJOR=8", false);
            }
            let logged = forgeries.take_unlogged().is_some();
            let name = forgeries.take().filter(|_| takes).map(|forgery| forgery.devpath.to_vec());
            (logged, name, forgeries.is_waiting())
        };
        assert_eq!(scan(true), (true, Some(b"/devices/a".to_vec()), true));
        assert_eq!(scan(true), (true, Some(b"/devices/b".to_vec()), false));
        assert_eq!(scan(true), (false, None, false));
    }

    #[test]
    fn more_devices_that_lack_files_than_can_be_named_are_counted() {
        let mut forgeries = Forgeries::new();
        let mut path = SysfsPath::new();
        for scan in 0..3 {
            forgeries.rewind();
            for number in 0..100 {
                path.set(&[format!("devices/{number}").as_bytes()]).unwrap();
                forgeries.note(&path, b"MAJOR=8", true);
            }
            assert_eq!((forgeries.count(), forgeries.is_undecided()), (scan * 100, scan == 0));
        }
    }

    #[test]
    fn i8_a_device_that_lacks_files_in_one_scan_only_is_not_reported() {
        let mut forgeries = Forgeries::new();
        let mut path = SysfsPath::new();
        let mut scan = |names: &[&str]| {
            forgeries.rewind();
            for name in names {
                path.set(&[format!("devices/{name}").as_bytes()]).unwrap();
                forgeries.note(&path, b"MAJOR=8", true);
                forgeries.note(&path, b"MINOR=1", true);
            }
            (forgeries.is_undecided(), forgeries.take().is_some(), forgeries.count())
        };
        assert_eq!(scan(&["appears"]), (true, false, 0));
        assert_eq!(scan(&["vanishes"]), (true, false, 0), "the other one is whole now");
        assert_eq!(scan(&[]), (false, false, 0));
        assert_eq!(scan(&["stays"]), (true, false, 0));
        assert_eq!(scan(&["stays"]), (false, true, 2));
        assert_eq!(scan(&["stays"]), (false, false, 4), "it is named once");
    }
}
