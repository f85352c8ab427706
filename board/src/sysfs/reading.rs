use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::fstat;
use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::uevent::{Action, EncodeError, Encoder, Uevent};

use super::faults::{Clipped, Faults, hash};
use super::files::{is_absence, open, read_to_end};
use super::path::SysfsPath;
use super::uevent_file::{Facts, Part, lacks_files, read, text_files};
use crate::sys;

/// Bytes of a `uevent` file at most: `sysfs_emit_at` ends at a page (`fs/sysfs/file.c`). Where pages are
/// larger there are no more, because the kernel collects the lines in `UEVENT_BUFFER_SIZE` first: less.
const MAX_TEXT_BYTES: usize = 4_096;

/// Bytes of what is read beside it: links and attributes, each of a page at most, and most of them short.
const MAX_FACTS_BYTES: usize = 4 * 4_096;

/// What became of an attempt to read a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading<'d> {
    /// It is there.
    Present {
        /// That of its directory, which is new at each creation.
        inode: u64,
        /// What an `add` would say of it: `ACTION`, `DEVPATH`, `SUBSYSTEM`, and then the properties of its
        /// `uevent` file that [are the kernel's](super::uevent_file). It has no `SEQNUM`.
        uevent: Uevent<'d>,
    },
    /// It lacks files, as a device does while the kernel adds or removes it: an event is about to say what it is. The
    /// next scan takes it as it is then.
    Partial,
    /// Nothing is there.
    Gone,
    /// It is there, but does not let itself be read.
    Unreadable,
}

/// The memory that a device is read into.
pub(super) struct Reader {
    /// One byte more than there may be, to notice what is longer.
    text: Box<[u8]>,
    facts: Box<[u8]>,
    datagram: Box<[u8]>,
    pub(super) suspects: Suspects,
    /// Lines of `uevent` files that the kernel did not write as they stand.
    pub(super) forgeries: Faults<Clipped>,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self {
            text: vec![0; MAX_TEXT_BYTES + 1].into_boxed_slice(),
            facts: vec![0; MAX_FACTS_BYTES].into_boxed_slice(),
            datagram: vec![0; MAX_DATAGRAM_BYTES].into_boxed_slice(),
            suspects: Suspects::new(),
            forgeries: Faults::new(),
        }
    }

    /// Reads the device at a devpath below `root`, and says why if it is unreadable. `subsystem` is what it
    /// is listed under.
    pub(super) fn read(
        &mut self,
        root: BorrowedFd<'_>,
        devpath: &SysfsPath,
        subsystem: &[u8],
    ) -> nix::Result<Reading<'_>> {
        match self.read_present(root, devpath, subsystem) {
            Err(errno) if is_absence(errno) => Ok(Reading::Gone),
            other => other,
        }
    }

    fn read_present(
        &mut self,
        root: BorrowedFd<'_>,
        devpath: &SysfsPath,
        subsystem: &[u8],
    ) -> nix::Result<Reading<'_>> {
        // All is read through this one directory: if another device takes its place meanwhile, nothing of
        // that gets mixed in.
        let directory = open(root, devpath.relative(), OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        // The C library of some 32-bit targets says it in 32 bits.
        #[allow(clippy::useless_conversion)]
        let inode = u64::from(fstat(&directory)?.st_ino);
        // Without the file it is not there yet or no longer: `device_add` makes it before it sends that the
        // device was added, `device_del` takes it away before it sends that it was removed
        // (`drivers/base/core.c`).
        let length = read_to_end(open_file(&directory, c"uevent")?, &mut self.text)?;
        if length > MAX_TEXT_BYTES {
            return Err(Errno::EFBIG);
        }
        let text = &self.text[..length];

        let mut scratch = Scratch(&mut self.facts);
        // The place where it is listed can be another, an alias: `class/i2c-adapter` holds devices of the bus `i2c`
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
            *place = match file {
                Some(file) => scratch.attribute(&directory, file)?,
                None => None,
            };
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
            Part::Property { key, value } => {
                error = error.or_else(|| encoder.property(key, value).err());
            }
            Part::Refused(line) => {
                self.forgeries.note(devpath.relative().to_bytes(), Clipped::of(line));
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

/// Memory for what is read, which becomes shorter with each piece.
struct Scratch<'b>(&'b mut [u8]);

impl<'b> Scratch<'b> {
    /// Reads an attribute; `None` if the device has none.
    fn attribute(&mut self, directory: &OwnedFd, name: &CStr) -> nix::Result<Option<&'b [u8]>> {
        match open_file(directory, name).and_then(|file| read_to_end(&file, self.0)) {
            Ok(length) => self.split_off(length).map(Some),
            Err(errno) if is_absence(errno) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Reads the last part of a link's target; `None` if the device has no such link.
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

    /// Takes the front. What fills all of it may have been cut.
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
