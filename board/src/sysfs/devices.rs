use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::slice;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use sureplug_core::selection::Selection;

use super::faults::{Clipped, Fault, Faults, Missing, Troubles};
use super::files::{open, read_to_end};
use super::listing::Listing;
use super::namespace;
use super::path::SysfsPath;
use super::reading::{DeviceReader, Reading};
use super::root::{PLACES, Place, Root, subsystem_of};

/// Descriptors that a scan holds open at the same time: two directories, a device, and its `uevent`
/// file.
const RESERVED: usize = 4;

/// The most bytes of the helper's path (`UEVENT_HELPER_PATH_LEN` in `include/linux/kobject.h`),
/// plus a line feed.
const MAX_HELPER_BYTES: usize = 257;

/// Enumerates and reads the devices of classes and buses, of all or of a selection, in memory
/// allocated once.
///
/// A device that exists during a whole enumeration is found once for each place that lists it,
/// which is one place except for aliases. A device whose `remove` or `add` the kernel has not sent
/// yet may be found too.
pub struct Devices {
    root: Root,
    /// Held between two scans, so that no client or hook takes a descriptor that the next scan
    /// needs.
    reserve: [Option<OwnedFd>; RESERVED],
    /// The place that is being enumerated.
    place: &'static Place,
    /// The places that follow.
    places: slice::Iter<'static, Place>,
    /// The subsystems there.
    subsystems: Listing,
    /// The links to the devices of one of them.
    links: Listing,
    /// Where these links are.
    directory: SysfsPath,
    /// The last device found.
    found: SysfsPath,
    /// The last device read by devpath.
    asked: SysfsPath,
    reader: DeviceReader,
    troubles: Troubles,
    selection: Selection,
    /// Whether sysfs shows the network devices of a namespace other than the socket's.
    is_foreign: bool,
}

impl Devices {
    /// Opens `sysfs`, which is `/sys` on a board, before the first device of the selection.
    ///
    /// # Errors
    ///
    /// Returns the error of `open(2)`.
    pub fn open(sysfs: &Path, selection: Selection) -> io::Result<Self> {
        Ok(Self {
            root: Root::open(sysfs)?,
            reserve: [const { None }; RESERVED],
            place: &PLACES[0],
            places: PLACES.iter(),
            subsystems: Listing::new(),
            links: Listing::new(),
            directory: SysfsPath::new(),
            found: SysfsPath::new(),
            asked: SysfsPath::new(),
            reader: DeviceReader::new(),
            troubles: Troubles { faults: Faults::new(), missing: None },
            selection,
            is_foreign: false,
        })
    }

    /// Opens the directory again, as sysfs may have been mounted since, and returns `true` if there
    /// is a sysfs to read.
    pub fn reopen(&mut self) -> bool {
        self.reserve = [const { None }; RESERVED];
        self.root.reopen()
    }

    /// Returns `true` if there was a sysfs to read when the directory was last opened.
    #[must_use]
    pub const fn is_mounted(&self) -> bool {
        self.root.is_mounted()
    }

    /// Checks whether sysfs shows the network devices of the socket's namespace, if any are
    /// selected. If not, they are left out from then on.
    pub fn compare_namespace(&mut self, socket: BorrowedFd<'_>) {
        let is_wanted = namespace::CLASSES.iter().any(|class| self.selection.admits(Some(class)));
        let Self { root, links, found, .. } = self;
        self.is_foreign |= is_wanted && namespace::is_of_another(root.as_fd(), socket, links, found);
    }

    /// Returns `true` if sysfs shows the network devices of a namespace other than the socket's.
    #[must_use]
    pub const fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// Reads the path of the program that the kernel runs for each event; `None` if there is none.
    #[must_use]
    pub fn uevent_helper(&self) -> Option<Clipped> {
        // The file in sysfs and the older sysctl exist only with `CONFIG_UEVENT_HELPER`.
        let flags = OFlag::O_RDONLY;
        let file = open(self.root.as_fd(), c"kernel/uevent_helper", flags)
            .or_else(|_| open(self.root.as_fd(), c"/proc/sys/kernel/hotplug", flags));
        let mut text = [0; MAX_HELPER_BYTES];
        let length = read_to_end(file.ok()?, &mut text).ok()?;
        let helper = text[..length].trim_ascii();
        (!helper.is_empty()).then(|| Clipped::of(helper))
    }

    /// Ends a scan: reserves the descriptors that the next one needs, as far as they are available.
    pub fn rest(&mut self) {
        for reserved in &mut self.reserve {
            *reserved = self.root.as_fd().try_clone_to_owned().ok();
        }
    }

    /// Returns to the place before the first device.
    pub fn rewind(&mut self) {
        self.troubles.missing = None;
        self.reader.suspects.rewind();
        self.places = PLACES.iter();
        self.subsystems.close();
        self.links.close();
        self.found.clear();
    }

    /// Moves to the next device and returns its devpath, without `/sys`; `None` at the end.
    ///
    /// At that moment the kernel has not yet sent the device's `remove`: `device_del` removes the
    /// link first (`device_remove_class_symlinks` and `bus_remove_device` come before
    /// `kobject_uevent(KOBJ_REMOVE)` in `drivers/base/core.c`).
    pub fn advance(&mut self) -> Option<&[u8]> {
        while !self.next_device() {
            if !self.next_subsystem() {
                self.found.clear();
                return None;
            }
        }
        Some(self.found.as_devpath())
    }

    /// Reads the device that [`advance`](Self::advance) has found. Before the first device and
    /// after the last one the result is [`Gone`](Reading::Gone).
    pub fn read(&mut self) -> Reading<'_> {
        let subsystem = subsystem_of(self.directory.relative());
        let result = self.reader.read(self.root.as_fd(), &self.found, subsystem);
        result.unwrap_or_else(|errno| {
            Reading::failed(errno, self.found.relative().to_bytes(), &mut self.troubles)
        })
    }

    /// Reads the device at a devpath, which need not have been found. `subsystem` is assumed if the
    /// device does not state its own.
    pub fn read_at(&mut self, devpath: &[u8], subsystem: &[u8]) -> Reading<'_> {
        let set = self.asked.set_devpath(devpath);
        let result = set.and_then(|()| self.reader.read(self.root.as_fd(), &self.asked, subsystem));
        let path = devpath.strip_prefix(b"/").unwrap_or(devpath);
        result.unwrap_or_else(|errno| Reading::failed(errno, path, &mut self.troubles))
    }

    /// Reads a device that should exist. A network device that exists in the socket's namespace but
    /// not in sysfs is not [`Gone`](Reading::Gone): it shows that sysfs belongs to another
    /// namespace.
    pub fn read_unseen(&mut self, devpath: &[u8], subsystem: &[u8], socket: BorrowedFd<'_>) -> Reading<'_> {
        if !self.is_foreign && subsystem == b"net" {
            let root = self.root.as_fd();
            self.is_foreign = namespace::has_elsewhere(root, socket, devpath, &mut self.asked);
        }
        if self.is_foreign && namespace::is_namespaced(devpath) {
            return Reading::Unreadable;
        }
        self.read_at(devpath, subsystem)
    }

    /// Returns what the scan could not read since the last [`rewind`](Self::rewind); `None` if it
    /// read everything.
    #[must_use]
    pub const fn missing(&self) -> Option<Missing> {
        self.troubles.missing
    }

    /// Returns the next path below sysfs that could not be read, for a reader that has `read` some. The
    /// number of paths named is limited.
    pub fn next_unreadable(&self, read: &mut usize) -> Option<&Fault<Errno>> {
        self.troubles.faults.next(read)
    }

    /// Returns the number of lines in `uevent` files that were ignored because the kernel did not
    /// write them.
    #[must_use]
    pub const fn forgery_count(&self) -> u64 {
        self.reader.forgeries.count
    }

    /// Returns `true` if the scan met a device that lacks files for the first time: only another
    /// scan shows whether it was just being added or removed.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        self.reader.suspects.is_undecided()
    }

    /// Returns the next device with such lines and the first of them, for a reader that has `read` some.
    /// The number of devices named is limited.
    pub fn next_forged(&self, read: &mut usize) -> Option<&Fault<Clipped>> {
        self.reader.forgeries.next(read)
    }

    /// Moves to the next device of the subsystem. Returns `false` at the end.
    fn next_device(&mut self) -> bool {
        loop {
            let is_device = match self.links.next() {
                Ok(Some(entry)) => self.found.follow(&entry),
                Ok(None) => return false,
                Err(errno) => {
                    self.links.close();
                    Err(errno)
                }
            };
            match is_device {
                Ok(true) if self.is_foreign && namespace::is_namespaced(self.found.as_devpath()) => {}
                Ok(true) => return true,
                Ok(false) => {}
                // A link may have vanished: this is not a fault.
                Err(errno) => self.troubles.note(self.directory.relative().to_bytes(), errno),
            }
        }
    }

    /// Moves before the first device of the next subsystem. Returns `false` at the end.
    fn next_subsystem(&mut self) -> bool {
        loop {
            let path = self.place.path.to_bytes();
            match self.subsystems.next() {
                Ok(Some(entry)) if entry.is_dots() || !self.selection.admits(Some(entry.name())) => {}
                Ok(Some(entry)) if self.is_foreign && namespace::is_namespaced_class(entry.name()) => {}
                Ok(Some(entry)) => {
                    if let Err(errno) = self.directory.set(&self.place.devices(entry.name())) {
                        self.troubles.note(path, errno);
                        continue;
                    }
                    match self.links.open(self.root.as_fd(), self.directory.relative()) {
                        Ok(()) => return true,
                        // A file such as `class/net/bonding_masters` is not a subsystem.
                        Err(errno) => self.troubles.note(self.directory.relative().to_bytes(), errno),
                    }
                }
                Ok(None) => {
                    let Some(place) = self.places.next() else { return false };
                    self.place = place;
                    if let Err(errno) = self.subsystems.open(self.root.as_fd(), place.path) {
                        self.troubles.note(place.path.to_bytes(), errno);
                    }
                }
                Err(errno) => {
                    self.subsystems.close();
                    self.troubles.note(path, errno);
                }
            }
        }
    }
}
