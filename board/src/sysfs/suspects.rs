//! Devices that lack files while the kernel adds or removes them.

use super::trouble::hash;

/// Far more bits than there are such devices at a time.
const BITS: usize = 4_096;

/// A set of devices. Each has one bit, by its hash, so that none is without a place.
type Set = [u64; BITS / 64];

/// The devices that lacked files in this scan and in the one before it. A device that lacks them in both is no longer
/// taken for one that is being added or removed; where two devices share a bit, the second is not taken for one at all.
pub(super) struct Suspects {
    now: Set,
    before: Set,
}

impl Suspects {
    pub(super) const fn new() -> Self {
        Self { now: [0; BITS / 64], before: [0; BITS / 64] }
    }

    /// Begins a scan.
    pub(super) const fn rewind(&mut self) {
        self.before = self.now;
        self.now = [0; BITS / 64];
    }

    /// Notes a device that lacks files, and returns `true` if it lacked them in the scan before too.
    pub(super) fn has_stayed(&mut self, devpath: &[u8]) -> bool {
        #[allow(clippy::cast_possible_truncation)]
        let place = hash(devpath) as usize % BITS;
        let (word, bit) = (place / 64, 1 << (place % 64));
        self.now[word] |= bit;
        self.before[word] & bit != 0
    }

    /// Returns `true` if a device lacked files for the first time in this scan, so that another scan has to decide.
    pub(super) fn is_undecided(&self) -> bool {
        self.now.iter().zip(&self.before).any(|(now, before)| now & !before != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i8_a_device_that_lacks_files_in_one_scan_only_has_not_stayed() {
        let mut suspects = Suspects::new();
        let mut scan = |devpaths: &[&[u8]]| {
            suspects.rewind();
            let stayed: Vec<bool> = devpaths.iter().map(|devpath| suspects.has_stayed(devpath)).collect();
            (suspects.is_undecided(), stayed)
        };
        assert_eq!(scan(&[b"/devices/appears"]), (true, vec![false]));
        assert_eq!(scan(&[b"/devices/vanishes"]), (true, vec![false]), "the other one is whole now");
        assert_eq!(scan(&[]), (false, vec![]));
        assert_eq!(scan(&[b"/devices/stays", b"/devices/stays"]), (true, vec![false, false]));
        assert_eq!(scan(&[b"/devices/stays"]), (false, vec![true]));
        assert_eq!(scan(&[b"/devices/stays"]), (false, vec![true]));
    }

    #[test]
    fn every_suspect_has_a_place() {
        let mut suspects = Suspects::new();
        for is_second in [false, true] {
            suspects.rewind();
            for number in 0..1_000 {
                let stayed = suspects.has_stayed(format!("/devices/{number}").as_bytes());
                assert!(stayed || !is_second, "{number}");
            }
        }
        assert!(!suspects.is_undecided());
    }
}
