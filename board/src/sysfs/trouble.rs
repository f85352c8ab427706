use std::io;

use nix::errno::Errno;

use super::files::is_absence;
use super::path::SysfsPath;

/// What is named at most; further ones are only counted.
const MAX_NAMED: usize = 16;

/// A directory or a device that is there but could not be read.
#[derive(Debug)]
pub struct Trouble<'t> {
    /// Where it is below sysfs.
    pub path: &'t [u8],
    /// What the kernel said, or what is wrong with the answer.
    pub error: io::Error,
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
}

impl Troubles {
    pub(super) fn new() -> Self {
        Self { count: 0, named: [0; MAX_NAMED], named_count: 0, path: SysfsPath::new(), pending: None }
    }

    /// Counts an attempt to read what is at `path` that failed. What is not there is no trouble.
    pub(super) fn note(&mut self, path: &[u8], errno: Errno) {
        if is_absence(errno) {
            return;
        }
        self.count += 1;
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
        let error = self.pending.take()?.into();
        Some(Trouble { path: self.path.relative().to_bytes(), error })
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }
}

/// FNV-1a. Two paths with one hash: the second is only counted.
fn hash(path: &[u8]) -> u64 {
    path.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(troubles: &mut Troubles) -> Option<(Vec<u8>, Option<i32>)> {
        troubles.take().map(|trouble| (trouble.path.to_owned(), trouble.error.raw_os_error()))
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
    fn so_many_are_named_and_no_more() {
        let mut troubles = Troubles::new();
        let named = (0..20u8).filter(|number| {
            troubles.note(&[b'a' + number], Errno::EIO);
            take(&mut troubles).is_some()
        });
        assert_eq!(named.count(), MAX_NAMED);
        assert_eq!(troubles.count(), 20);
    }

    #[test]
    fn what_is_not_there_is_no_trouble() {
        let mut troubles = Troubles::new();
        for errno in [Errno::ENOENT, Errno::ENOTDIR, Errno::ENODEV] {
            troubles.note(b"class", errno);
        }
        assert_eq!((troubles.count(), take(&mut troubles)), (0, None));
    }
}
