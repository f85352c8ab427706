use super::path::SysfsPath;
use super::trouble::hash;

/// Devices that are named at most; further ones are only counted.
const MAX_NAMED: usize = 16;

/// Devices that are remembered because they may just have been added or removed.
const MAX_SUSPECTS: usize = 16;

/// Bytes of a line that are kept.
const LINE_BYTES: usize = 128;

/// A device whose `uevent` file has lines that are not accepted.
#[derive(Debug)]
pub struct Forgery<'f> {
    /// Its devpath.
    pub devpath: &'f [u8],
    /// The first such line, as far as it is kept.
    pub line: &'f [u8],
}

/// All lines that were not accepted: how many, and each of the first devices by name once.
pub(super) struct Forgeries {
    count: u64,
    /// Hashes of the devices that were named.
    named: [u64; MAX_NAMED],
    named_count: usize,
    /// Hashes of devices that lacked files in this scan and in the one before it.
    suspects: [[u64; MAX_SUSPECTS]; 2],
    suspect_counts: [usize; 2],
    /// The next one to be named.
    path: SysfsPath,
    line: [u8; LINE_BYTES],
    line_length: usize,
    is_pending: bool,
}

impl Forgeries {
    pub(super) fn new() -> Self {
        Self {
            count: 0,
            named: [0; MAX_NAMED],
            named_count: 0,
            suspects: [[0; MAX_SUSPECTS]; 2],
            suspect_counts: [0; 2],
            path: SysfsPath::new(),
            line: [0; LINE_BYTES],
            line_length: 0,
            is_pending: false,
        }
    }

    /// Begins a scan.
    pub(super) fn rewind(&mut self) {
        self.suspects.swap(0, 1);
        self.suspect_counts = [0, self.suspect_counts[0]];
    }

    /// Returns `true` if a device lacked files for the first time in this scan, so that another scan has to decide.
    pub(super) fn is_undecided(&self) -> bool {
        let [now, before] = &self.suspects;
        let before = &before[..self.suspect_counts[1]];
        now[..self.suspect_counts[0]].iter().any(|hash| !before.contains(hash))
    }

    /// Counts a line of a device's file. A device that lacks files may just have been added or removed, so `is_partial`
    /// lines count when they are found again by the next scan.
    pub(super) fn note(&mut self, devpath: &SysfsPath, line: &[u8], is_partial: bool) {
        let hash = hash(devpath.as_devpath());
        if is_partial {
            let [now, before] = &mut self.suspects;
            let [count, before_count] = &mut self.suspect_counts;
            if !now[..*count].contains(&hash) {
                let Some(place) = now.get_mut(*count) else { return };
                *place = hash;
                *count += 1;
            }
            if !before[..*before_count].contains(&hash) {
                return;
            }
        }
        self.count += 1;
        // What has to wait because another one is pending gets its turn at the next scan.
        if self.is_pending || self.named[..self.named_count].contains(&hash) {
            return;
        }
        let below = devpath.relative().to_bytes();
        if let (Some(place), Ok(())) = (self.named.get_mut(self.named_count), self.path.set(&[below])) {
            *place = hash;
            self.named_count += 1;
            self.line_length = line.len().min(LINE_BYTES);
            self.line[..self.line_length].copy_from_slice(&line[..self.line_length]);
            self.is_pending = true;
        }
    }

    pub(super) fn take(&mut self) -> Option<Forgery<'_>> {
        std::mem::take(&mut self.is_pending)
            .then(|| Forgery { devpath: self.path.as_devpath(), line: &self.line[..self.line_length] })
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
