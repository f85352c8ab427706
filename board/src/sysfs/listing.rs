//! Reads the entries of a directory into its own buffer: libc's `opendir` allocates.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;

use super::files::open;
use crate::sys::{self, retry};

/// Bytes read at a time, about 200 entries.
const BUFFER_BYTES: usize = 8_192;

/// The offset of the length in `linux_dirent64`, a u16 (getdents(2)).
const LENGTH_AT: usize = 16;

/// The offset of the kind.
const KIND_AT: usize = 18;

/// The offset of the name, which ends with a NUL.
const NAME_AT: usize = 19;

/// The kernel writes 64-bit numbers into it.
#[repr(align(8))]
struct AlignedBuffer([u8; BUFFER_BYTES]);

/// A directory being read, or none.
pub(crate) struct Listing {
    directory: Option<OwnedFd>,
    buffer: Box<AlignedBuffer>,
    /// Bytes of the buffer that were read.
    filled: usize,
    /// The offset of the next entry in them.
    at: usize,
}

/// An entry of a directory.
pub(crate) struct Entry<'l> {
    directory: BorrowedFd<'l>,
    name: &'l CStr,
    kind: u8,
}

impl Listing {
    /// Creates a listing without a directory.
    pub(crate) fn new() -> Self {
        Self { directory: None, buffer: Box::new(AlignedBuffer([0; BUFFER_BYTES])), filled: 0, at: 0 }
    }

    /// Opens a directory below `root`, before its first entry. After an error no directory is open.
    pub(crate) fn open(&mut self, root: BorrowedFd<'_>, path: &CStr) -> nix::Result<()> {
        self.close();
        self.directory = Some(open(root, path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?);
        Ok(())
    }

    /// Closes the directory.
    pub(crate) fn close(&mut self) {
        (self.directory, self.filled, self.at) = (None, 0, 0);
    }

    /// Returns the next entry; `None` at the end. After an error the listing must be closed.
    pub(crate) fn next(&mut self) -> nix::Result<Option<Entry<'_>>> {
        self.fill()?;
        let Some(directory) = &self.directory else { return Ok(None) };
        let (name, kind, length) = parse(&self.buffer.0[self.at..self.filled]).ok_or(Errno::EBADMSG)?;
        self.at += length;
        Ok(Some(Entry { directory: directory.as_fd(), name, kind }))
    }

    /// Reads on when all entries of the buffer were returned, and closes the directory at its end.
    fn fill(&mut self) -> nix::Result<()> {
        if let (true, Some(directory)) = (self.at == self.filled, &self.directory) {
            (self.filled, self.at) = (retry(|| sys::read_directory(directory, &mut self.buffer.0))?, 0);
            if self.filled == 0 {
                self.close();
            }
        }
        Ok(())
    }
}

impl Entry<'_> {
    pub(crate) fn name(&self) -> &[u8] {
        self.name.to_bytes()
    }

    /// Returns `true` for the entries `.` and `..`.
    pub(crate) fn is_dots(&self) -> bool {
        matches!(self.name(), b"." | b"..")
    }

    /// Reads the link's target. Returns 0 if the entry is not a link.
    pub(crate) fn read_target(&self, buffer: &mut [u8]) -> nix::Result<usize> {
        // Not every file system states the kind.
        if !matches!(self.kind, libc::DT_LNK | libc::DT_UNKNOWN) {
            return Ok(0);
        }
        match sys::read_link(self.directory, self.name, buffer) {
            // The target may have been truncated.
            Ok(length) if length == buffer.len() => Err(Errno::ENAMETOOLONG),
            Err(Errno::EINVAL) => Ok(0),
            other => other,
        }
    }
}

/// Parses the first record: its name, kind and length; `None` if it is damaged.
fn parse(records: &[u8]) -> Option<(&CStr, u8, usize)> {
    let length = records.get(LENGTH_AT..KIND_AT)?;
    let length = u16::from_ne_bytes(length.try_into().ok()?).into();
    let record = records.get(..length)?;
    let name = CStr::from_bytes_until_nul(record.get(NAME_AT..)?).ok()?;
    Some((name, record[KIND_AT], length))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn record(name: &[u8], kind: u8, padding: usize) -> Vec<u8> {
        let length = u16::try_from(NAME_AT + name.len() + padding).unwrap();
        let mut record = vec![0xff; LENGTH_AT];
        record.extend_from_slice(&length.to_ne_bytes());
        record.push(kind);
        record.extend_from_slice(name);
        record.resize(length.into(), 0xff);
        record
    }

    #[test]
    fn records_are_taken_one_by_one() {
        let records =
            [record(b"usb1\0", libc::DT_LNK, 0), record(b"\xff\xfe\0", libc::DT_UNKNOWN, 5)].concat();
        assert_eq!(parse(&records), Some((c"usb1", libc::DT_LNK, 24)));
        assert_eq!(parse(&records[24..]), Some((c"\xff\xfe", libc::DT_UNKNOWN, 27)));
        assert_eq!(parse(&records[24 + 27..]), None);
    }

    #[test]
    fn damaged_records_are_none() {
        let good = record(b"usb1\0", libc::DT_LNK, 3);
        for end in 0..good.len() {
            assert_eq!(parse(&good[..end]), None, "{end} bytes");
        }
        for length in [0, 1, 15, 16, 18, 19, 20, 23, 28, 255, u16::MAX] {
            let mut lying = good.clone();
            lying[LENGTH_AT..KIND_AT].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(parse(&lying), None, "{length} said");
        }
        assert_eq!(parse(&record(b"usb1", libc::DT_LNK, 0)), None, "a name without an end");
        assert_eq!(parse(&record(b"", libc::DT_LNK, 0)), None, "no name");
    }

    #[test]
    fn a_damaged_record_is_an_error() {
        let mut listing = Listing::new();
        listing.directory = Some(File::open("/proc/self").unwrap().into());
        listing.filled = 30;
        assert!(matches!(listing.next(), Err(Errno::EBADMSG)));
        listing.close();
        assert!(matches!(listing.next(), Ok(None)));
    }

    #[test]
    fn an_entry_of_an_unknown_kind_is_a_link_if_it_has_a_target() {
        let directory = File::open("/proc/self").unwrap();
        let entry = |name, kind| Entry { directory: directory.as_fd(), name, kind };
        let mut buffer = [0; 4_096];
        let length = entry(c"exe", libc::DT_LNK).read_target(&mut buffer).unwrap();
        assert!(length > 0);
        assert_eq!(entry(c"exe", libc::DT_UNKNOWN).read_target(&mut buffer), Ok(length));
        assert_eq!(entry(c"status", libc::DT_UNKNOWN).read_target(&mut buffer), Ok(0));
        assert_eq!(entry(c"exe", libc::DT_REG).read_target(&mut buffer), Ok(0));
        assert_eq!(entry(c"nothing", libc::DT_LNK).read_target(&mut buffer), Err(Errno::ENOENT));
        assert_eq!(entry(c"exe", libc::DT_LNK).read_target(&mut buffer[..length]), Err(Errno::ENAMETOOLONG));
    }

    #[test]
    fn every_entry_comes_once() {
        let root = File::open("/proc/self").unwrap();
        let mut listing = Listing::new();
        assert!(matches!(listing.next(), Ok(None)));
        listing.open(root.as_fd(), c"task").unwrap();
        let mut names = Vec::new();
        while let Some(entry) = listing.next().unwrap() {
            names.push((entry.is_dots(), entry.name().to_owned()));
        }
        assert_eq!(names.iter().filter(|(is_dots, _)| *is_dots).count(), 2, "{names:?}");
        assert!(names.len() > 2);
        assert_eq!(listing.open(root.as_fd(), c"status"), Err(Errno::ENOTDIR));
        assert!(matches!(listing.next(), Ok(None)));
    }
}
