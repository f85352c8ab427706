//! What the tests share.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use sureplug_core::selection::Selection;

use sureplug_board::sysfs::{Devices, Reading};
use tempfile::TempDir;

/// A stand-in for `/sys`, at first empty.
pub(crate) struct Tree(TempDir);

impl Tree {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a temporary directory"))
    }

    pub(crate) fn open(&self) -> Devices {
        Devices::open(self.0.path(), Selection::ALL).expect("the stand-in")
    }

    pub(crate) fn path(&self, below: impl AsRef<OsStr>) -> PathBuf {
        self.0.path().join(Path::new(&below))
    }

    pub(crate) fn make_dir(&self, below: impl AsRef<OsStr>) {
        fs::create_dir_all(self.path(below)).expect("a directory");
    }

    pub(crate) fn link(&self, target: impl AsRef<OsStr>, at: impl AsRef<OsStr>) {
        let at = self.path(at);
        fs::create_dir_all(at.parent().expect("a directory above")).expect("a directory");
        symlink(Path::new(&target), at).expect("a link");
    }

    /// Makes a device with that `uevent` file, without any link to it.
    pub(crate) fn device(&self, devpath: &str, uevent: impl AsRef<[u8]>) {
        self.make_dir(&devpath[1..]);
        fs::write(self.path(&devpath[1..]).join("uevent"), uevent).expect("a file");
    }

    /// Makes a device of the class `c` with that `uevent` file and reads it, as text.
    pub(crate) fn read_one(&self, uevent: impl AsRef<[u8]>) -> String {
        self.device("/devices/a", uevent);
        if self.path("class/c/a").symlink_metadata().is_err() {
            self.link("../../devices/a", "class/c/a");
        }
        let mut devices = self.open();
        assert_eq!(devices.advance(), Some(&b"/devices/a"[..]));
        text(devices.read())
    }
}

pub(crate) fn text(reading: Reading<'_>) -> String {
    let Reading::Present { uevent, .. } = reading else { return format!("{reading:?}") };
    let properties = uevent.properties().map(|p| [p.key, b"=", p.value].concat());
    format!("{uevent}: {}", properties.map(|p| p.escape_ascii().to_string()).collect::<Vec<_>>().join(" "))
}

/// The devpaths of one enumeration, sorted.
pub(crate) fn devpaths(devices: &mut Devices) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    devices.rewind();
    while let Some(devpath) = devices.advance() {
        all.push(devpath.to_owned());
    }
    all.sort();
    all
}
