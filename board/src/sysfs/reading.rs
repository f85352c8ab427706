use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::fstat;
use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::uevent::{Action, EncodeError, Encoder, Uevent};

use super::faults::{Clipped, Faults, Troubles};
use super::files::{is_absence, open, read_to_end};
use super::path::SysfsPath;
use super::uevent_file::{Facts, FilePart, lacks_files, read, text_files};
use crate::sys;

/// The most bytes of a `uevent` file: `sysfs_emit_at` ends at a page (`fs/sysfs/file.c`). With
/// larger pages there are no more, because the kernel first collects the lines in the smaller
/// `UEVENT_BUFFER_SIZE`.
const MAX_TEXT_BYTES: usize = 4_096;

/// Bytes for links and attributes, each of at most a page, and most of them short.
const MAX_FACTS_BYTES: usize = 4 * 4_096;

/// The result of reading a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading<'d> {
    /// The device exists.
    Present {
        /// The inode of its directory, which is new at each creation.
        inode: u64,
        /// The event that an `add` would be: `ACTION`, `DEVPATH`, `SUBSYSTEM`, and the properties
        /// of the `uevent` file that [are the kernel's](super::uevent_file). It has no `SEQNUM`.
        uevent: Uevent<'d>,
    },
    /// The device lacks files, as it does while the kernel adds or removes it: an event is about to
    /// follow. If not, the next scan takes it as it is.
    Partial,
    /// The device does not exist.
    Gone,
    /// The device exists but cannot be read.
    Unreadable,
}

impl Reading<'_> {
    /// Returns what a failed attempt shows, and notes its error.
    pub(super) fn failed(errno: Errno, path: &[u8], troubles: &mut Troubles) -> Self {
        troubles.note(path, errno);
        if is_absence(errno) { Self::Gone } else { Self::Unreadable }
    }
}

/// The memory for reading a device.
pub(super) struct DeviceReader {
    /// One byte more than the maximum, to detect longer files.
    text: Box<[u8]>,
    facts: Box<[u8]>,
    datagram: Box<[u8]>,
    pub(super) suspects: Suspects,
    /// Lines of `uevent` files that the kernel did not write.
    pub(super) forgeries: Faults<Clipped>,
}

impl DeviceReader {
    pub(super) fn new() -> Self {
        Self {
            text: vec![0; MAX_TEXT_BYTES + 1].into_boxed_slice(),
            facts: vec![0; MAX_FACTS_BYTES].into_boxed_slice(),
            datagram: vec![0; MAX_DATAGRAM_BYTES].into_boxed_slice(),
            suspects: Suspects::new(),
            forgeries: Faults::new(),
        }
    }

    /// Reads the device at a devpath below `root`. `subsystem` is the one that lists it.
    pub(super) fn read(
        &mut self,
        root: BorrowedFd<'_>,
        devpath: &SysfsPath,
        subsystem: &[u8],
    ) -> nix::Result<Reading<'_>> {
        // Everything is read through this one directory, so that no file of a device that replaces
        // this one gets mixed in.
        let directory = open(root, devpath.relative(), OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        // The field has 32 bits in the C library of some 32-bit targets.
        #[allow(clippy::useless_conversion)]
        let inode = u64::from(fstat(&directory)?.st_ino);
        // A device without this file is being added or removed: `device_add` creates it before it
        // sends the `add`, and `device_del` removes it before it sends the `remove`
        // (`drivers/base/core.c`).
        let length = read_to_end(open_file(&directory, c"uevent")?, &mut self.text)?;
        if length > MAX_TEXT_BYTES {
            return Err(Errno::EFBIG);
        }
        let text = &self.text[..length];

        let mut scratch = Scratch(&mut self.facts);
        // The listing place may be an alias: `class/i2c-adapter` holds devices of the bus `i2c`
        // (`class_compat_create_link` in `drivers/base/class.c`).
        let subsystem = scratch.link(&directory, c"subsystem")?.unwrap_or(subsystem);
        let mut facts = Facts {
            subsystem,
            name: devpath.as_devpath().rsplit(|byte| *byte == b'/').next().unwrap_or_default(),
            driver: scratch.link(&directory, c"driver")?,
            dev: scratch.attribute(&directory, c"dev")?,
            modalias: scratch.attribute(&directory, c"modalias")?,
            texts: [None; 5],
        };
        for (place, file) in facts.texts.iter_mut().zip(text_files(subsystem)) {
            if let Some(file) = file {
                *place = scratch.attribute(&directory, file)?;
            }
        }

        let mut encoder =
            Encoder::new(&mut self.datagram, Action::Add, devpath.as_devpath()).map_err(refused)?;
        encoder.property(b"ACTION", Action::Add.as_bytes()).map_err(refused)?;
        encoder.property(b"DEVPATH", devpath.as_devpath()).map_err(refused)?;
        if !subsystem.is_empty() {
            encoder.property(b"SUBSYSTEM", subsystem).map_err(refused)?;
        }
        if lacks_files(text, &facts) && !self.suspects.has_stayed(devpath.as_devpath()) {
            return Ok(Reading::Partial);
        }
        let mut error = None;
        read(text, &facts, &mut |part| match part {
            FilePart::Property { key, value } => {
                error = error.or_else(|| encoder.property(key, value).err());
            }
            FilePart::Refused(line) => {
                self.forgeries.note(devpath.as_devpath(), Clipped::of(line));
            }
        });
        if let Some(error) = error {
            return Err(refused(error));
        }
        let uevent = Uevent::parse(encoder.finish()).map_err(|_| Errno::EBADMSG)?;
        Ok(Reading::Present { inode, uevent })
    }
}

/// Opens a file of a device.
fn open_file(directory: &OwnedFd, name: &CStr) -> nix::Result<OwnedFd> {
    open(directory.as_fd(), name, OFlag::O_RDONLY | OFlag::O_NOFOLLOW)
}

/// Memory that shrinks with each piece read into it.
struct Scratch<'b>(&'b mut [u8]);

impl<'b> Scratch<'b> {
    /// Reads an attribute; `None` if the device does not have it.
    fn attribute(&mut self, directory: &OwnedFd, name: &CStr) -> nix::Result<Option<&'b [u8]>> {
        match open_file(directory, name).and_then(|file| read_to_end(&file, self.0)) {
            Ok(length) => self.split_off(length).map(Some),
            Err(errno) if is_absence(errno) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Reads the last part of a link's target; `None` if the device does not have the link.
    fn link(&mut self, directory: &OwnedFd, name: &CStr) -> nix::Result<Option<&'b [u8]>> {
        match sys::read_link(directory, name, self.0) {
            Ok(length) => {
                let target = self.split_off(length)?;
                Ok(target.rsplit(|byte| *byte == b'/').next().filter(|name| !name.is_empty()))
            }
            Err(errno) if is_absence(errno) || errno == Errno::EINVAL => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Returns the first bytes. A piece that fills all memory may have been truncated.
    fn split_off(&mut self, length: usize) -> nix::Result<&'b [u8]> {
        if length == self.0.len() {
            return Err(Errno::EFBIG);
        }
        let (front, rest) = std::mem::take(&mut self.0).split_at_mut(length);
        self.0 = rest;
        Ok(front)
    }
}

fn refused(error: EncodeError) -> Errno {
    match error {
        EncodeError::TooLong { .. } | EncodeError::TooManyProperties | EncodeError::BufferFull { .. } => {
            Errno::EMSGSIZE
        }
        _ => Errno::EBADMSG,
    }
}

/// FNV-1a.
fn hash(path: &[u8]) -> u64 {
    path.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Far more bits than such devices at a time.
const BITS: usize = 4_096;

/// A set of devices. The hash of each selects a bit, so the set never overflows.
type Set = [u64; BITS / 64];

/// The devices that lacked files in this scan and in the last one. A device that lacks them in both
/// is no longer assumed to be in the middle of its addition or removal. If two devices share a bit,
/// the second is not given that grace.
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

    /// Notes a device that lacks files. Returns `true` if it lacked them in the last scan too.
    pub(super) fn has_stayed(&mut self, devpath: &[u8]) -> bool {
        #[allow(clippy::cast_possible_truncation)]
        let place = hash(devpath) as usize % BITS;
        let (word, bit) = (place / 64, 1 << (place % 64));
        self.now[word] |= bit;
        self.before[word] & bit != 0
    }

    /// Returns `true` if a device lacked files for the first time in this scan, so that another
    /// scan must decide.
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
