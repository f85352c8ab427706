use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::fstat;
use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::uevent::{Action, EncodeError, Encoder, Uevent};

use super::files::{is_absence, open, read_to_end};
use super::path::SysfsPath;
use crate::sys;

/// Bytes of a `uevent` file at most: `sysfs_emit_at` ends at a page (`fs/sysfs/file.c`). Where pages are
/// larger there are no more, because the kernel collects the lines in `UEVENT_BUFFER_SIZE` first: less.
const MAX_TEXT_BYTES: usize = 4_096;

/// What is told by the place of a device, not by its file.
const KEYS_OF_PLACE: [&[u8]; 4] = [b"ACTION", b"DEVPATH", b"SUBSYSTEM", b"SEQNUM"];

/// What became of an attempt to read a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading<'d> {
    /// It is there.
    Present {
        /// That of its directory, which is new at each creation.
        inode: u64,
        /// What an `add` would say of it: `ACTION`, `DEVPATH`, `SUBSYSTEM`, and then the lines of its
        /// `uevent` file. It has no `SEQNUM`.
        uevent: Uevent<'d>,
    },
    /// Nothing is there.
    Gone,
    /// It is there, but does not let itself be read.
    Unreadable,
}

/// The memory that a device is read into.
pub(super) struct Reader {
    /// One byte more than there may be, to notice what is longer.
    text: Box<[u8]>,
    datagram: Box<[u8]>,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self {
            text: vec![0; MAX_TEXT_BYTES + 1].into_boxed_slice(),
            datagram: vec![0; MAX_DATAGRAM_BYTES].into_boxed_slice(),
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
        let mut encoder =
            Encoder::new(&mut self.datagram, Action::Add, devpath.as_devpath()).map_err(refused)?;
        encoder.property(b"ACTION", Action::Add.as_bytes()).map_err(refused)?;
        encoder.property(b"DEVPATH", devpath.as_devpath()).map_err(refused)?;
        let subsystem = own_subsystem(&directory, &mut self.text).unwrap_or(subsystem);
        if !subsystem.is_empty() {
            encoder.property(b"SUBSYSTEM", subsystem).map_err(refused)?;
        }

        // Without the file it is not there yet or no longer: `device_add` makes it before it sends that the
        // device was added, `device_del` takes it away before it sends that it was removed
        // (`drivers/base/core.c`). In a stand-in for sysfs the flags keep a pipe from blocking.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let file = open(directory.as_fd(), c"uevent", flags)?;
        let length = read_to_end(&file, &mut self.text)?;
        if length > MAX_TEXT_BYTES {
            return Err(Errno::EFBIG);
        }
        for line in self.text[..length].split(|byte| *byte == b'\n') {
            if let Some((key, value)) = property(line) {
                encoder.property(key, value).map_err(refused)?;
            }
        }
        let uevent = Uevent::parse(encoder.finish()).map_err(|_| Errno::EBADMSG)?;
        Ok(Reading::Present { inode, uevent })
    }
}

/// The subsystem that a device says it is of by its link of that name: what its events say too. The place
/// where it is listed can be another, an alias: `class/i2c-adapter` holds devices of the bus `i2c`
/// (`class_compat_create_link` in `drivers/base/class.c`).
fn own_subsystem(directory: impl AsFd, buffer: &mut [u8]) -> Option<&[u8]> {
    let length = sys::read_link(directory, c"subsystem", buffer).ok()?;
    let name = buffer[..length].rsplit(|byte| *byte == b'/').next()?;
    (!name.is_empty() && length < buffer.len()).then_some(name)
}

/// The key and the value that a line holds.
fn property(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = line.iter().position(|byte| *byte == b'=')?;
    let key = &line[..end];
    (!key.is_empty() && !KEYS_OF_PLACE.contains(&key)).then_some((key, &line[end + 1..]))
}

fn refused(error: EncodeError) -> Errno {
    match error {
        EncodeError::TooLong { .. }
        | EncodeError::TooManyProperties { .. }
        | EncodeError::BufferFull { .. } => Errno::EMSGSIZE,
        _ => Errno::EBADMSG,
    }
}
