//! A directory in place of sysfs, with devices that no kernel knows of.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A sysfs with the class `net` and the bus `usb`, and at first without devices.
pub struct StandIn(TempDir);

impl StandIn {
    /// Makes it.
    ///
    /// # Panics
    ///
    /// If the file system refuses.
    #[must_use]
    pub fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    /// Makes it in a directory.
    ///
    /// # Panics
    ///
    /// If the file system refuses.
    #[must_use]
    pub fn within(directory: &Path) -> Self {
        let stand_in = Self(tempfile::tempdir_in(directory).expect("a directory"));
        fs::create_dir_all(stand_in.path().join("class/net")).expect("a class");
        fs::create_dir_all(stand_in.path().join("bus/usb/devices")).expect("a bus");
        stand_in
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Adds a device with the text of its `uevent`, and the link by which its class or bus lists it.
    ///
    /// # Panics
    ///
    /// If the file system refuses.
    pub fn plug(&self, link: &str, devpath: &str, uevent: &str) {
        let directory = self.path().join(&devpath[1..]);
        fs::create_dir_all(&directory).expect("a device");
        fs::write(directory.join("uevent"), uevent).expect("its uevent");
        // What else the kernel shows of it.
        let value = |key: &str| uevent.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        if let Some((major, minor)) = value("MAJOR").zip(value("MINOR")) {
            fs::write(directory.join("dev"), format!("{major}:{minor}\n")).expect("its number");
        }
        if let Some(modalias) = value("MODALIAS") {
            fs::write(directory.join("modalias"), format!("{modalias}\n")).expect("its alias");
        }
        if let Some(driver) = value("DRIVER") {
            symlink(Path::new("drivers").join(driver), directory.join("driver")).expect("its driver");
        }
        let up: PathBuf = Path::new(link).parent().expect("a parent").iter().map(|_| "..").collect();
        let link = self.path().join(link);
        fs::create_dir_all(link.parent().expect("a parent")).expect("a class or bus");
        symlink(up.join(&devpath[1..]), link).expect("a link");
    }

    /// Removes a device and the link to it.
    ///
    /// # Panics
    ///
    /// If the file system refuses.
    pub fn unplug(&self, link: &str, devpath: &str) {
        fs::remove_file(self.path().join(link)).expect("a link");
        fs::remove_dir_all(self.path().join(&devpath[1..])).expect("a device");
    }
}

impl Default for StandIn {
    fn default() -> Self {
        Self::new()
    }
}
