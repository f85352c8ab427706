use std::fmt;

use sureplug_core::uevent::{Escaped, EscapedWord};

use super::path::SysfsPath;
use super::trouble::hash;

/// Devices that are named at most; further ones are only counted.
const MAX_NAMED: usize = 16;

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

/// All lines that were not accepted: how many, and each of the first devices by name once.
pub(super) struct Forgeries {
    count: u64,
    /// Hashes of the devices that were named.
    named: [u64; MAX_NAMED],
    named_count: usize,
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
            path: SysfsPath::new(),
            line: [0; LINE_BYTES],
            line_length: 0,
            is_pending: false,
            is_unlogged: false,
            is_waiting: false,
        }
    }

    /// Begins a scan.
    pub(super) const fn rewind(&mut self) {
        self.is_waiting = false;
    }

    /// Counts a line of a device's file.
    pub(super) fn note(&mut self, devpath: &SysfsPath, line: &[u8]) {
        let hash = hash(devpath.as_devpath());
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
            forgeries.note(&path, b"MAJOR=8");
            forgeries.note(&path, &[b'x'; 300]);
            let named = forgeries.take().map(|forgery| (forgery.devpath.to_vec(), forgery.line.to_vec()));
            let expected = (format!("/devices/{number}").into_bytes(), b"MAJOR=8".to_vec());
            assert_eq!(named, (number < MAX_NAMED).then_some(expected));
            forgeries.note(&path, b"MAJOR=8");
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
                forgeries.note(path, b"MAJOR=8");
            }
            let logged = forgeries.take_unlogged().is_some();
            let name = forgeries.take().filter(|_| takes).map(|forgery| forgery.devpath.to_vec());
            (logged, name, forgeries.is_waiting())
        };
        assert_eq!(scan(true), (true, Some(b"/devices/a".to_vec()), true));
        assert_eq!(scan(true), (true, Some(b"/devices/b".to_vec()), false));
        assert_eq!(scan(true), (false, None, false));
    }
}
