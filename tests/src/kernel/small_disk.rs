use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;

use super::namespace::own_mounts;

/// A disk that is soon full, for this thread and those that it starts from then on.
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// The usual size.
    pub const BYTES: usize = 16 * 1024;

    /// Mounts it.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    #[must_use]
    pub fn mount() -> Self {
        Self::with_size(Self::BYTES)
    }

    /// Mounts a file system of this many bytes.
    ///
    /// # Panics
    ///
    /// Panics if the kernel refuses.
    #[must_use]
    pub fn with_size(bytes: usize) -> Self {
        own_mounts().expect("mounts of its own");
        let directory = tempfile::tempdir().expect("a directory");
        let size = format!("size={bytes}");
        mount(Some("tmpfs"), directory.path(), Some("tmpfs"), MsFlags::empty(), Some(size.as_str()))
            .expect("a disk");
        Self(directory)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Else the directory could not be removed.
        let _ = umount2(self.path(), MntFlags::MNT_DETACH);
    }
}
