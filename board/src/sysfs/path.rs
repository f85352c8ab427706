//! Paths below sysfs in fixed memory.

use std::ffi::CStr;

use heapless::Vec;
use nix::errno::Errno;
use nix::libc;

use super::listing::Entry;

/// The most bytes of a path that the kernel accepts, its NUL included: `PATH_MAX`.
const CAPACITY: usize = libc::PATH_MAX as usize;

/// A path below the root of sysfs. It begins with `/`, as a devpath does, and ends with a NUL for
/// the kernel.
pub(super) struct SysfsPath(Box<Vec<u8, CAPACITY>>);

impl SysfsPath {
    pub(super) fn new() -> Self {
        let mut path = Self(Box::default());
        path.clear();
        path
    }

    /// Clears the path: it names nothing.
    pub(super) fn clear(&mut self) {
        self.0.clear();
        let _ = self.0.extend_from_slice(b"/\0");
    }

    /// Joins parts behind the `/`. An error leaves the path empty.
    pub(super) fn set(&mut self, parts: &[&[u8]]) -> nix::Result<()> {
        self.0.truncate(1);
        let result = parts.iter().try_for_each(|part| match part {
            part if part.contains(&0) => Err(Errno::EINVAL),
            part => self.0.extend_from_slice(part).map_err(|_| Errno::ENAMETOOLONG),
        });
        let result = result.and_then(|()| self.0.push(0).map_err(|_| Errno::ENAMETOOLONG));
        result.inspect_err(|_| self.clear())
    }

    /// Sets the path to a devpath.
    pub(super) fn set_devpath(&mut self, devpath: &[u8]) -> nix::Result<()> {
        self.set(&[devpath.strip_prefix(b"/").unwrap_or(devpath)])
    }

    /// Sets the path to the device at the end of a link. Returns `false`, and clears it, if that is
    /// not a device. An error clears it too.
    pub(super) fn follow(&mut self, link: &Entry<'_>) -> nix::Result<bool> {
        let mut target = [0; CAPACITY - 1];
        self.clear();
        let length = link.read_target(&mut target)?;
        let target = &target[..length];
        let below = behind_ups(target);
        let is_device = below.len() < target.len()
            && below.strip_prefix(b"devices/").is_some_and(|device| !device.is_empty());
        if is_device {
            self.set(&[below])?;
        }
        Ok(is_device)
    }

    /// Returns the path with its leading `/`.
    pub(super) fn as_devpath(&self) -> &[u8] {
        &self.0[..self.0.len() - 1]
    }

    /// Returns the path without its leading `/`, to open it below the root.
    pub(super) fn relative(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0[1..]).unwrap_or_default()
    }
}

/// Returns the part of a link's target after all `../`, of which there must be as many as lead to
/// the root.
fn behind_ups(target: &[u8]) -> &[u8] {
    let mut rest = target;
    while let Some(below) = rest.strip_prefix(b"../") {
        rest = below;
    }
    rest
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::{CAPACITY, SysfsPath, behind_ups};

    #[test]
    fn path_is_set_from_its_parts_and_cleared() {
        let mut path = SysfsPath::new();
        assert_eq!((path.as_devpath(), path.relative()), (&b"/"[..], c""));
        path.set(&[b"class", b"/", b"net"]).unwrap();
        assert_eq!((path.as_devpath(), path.relative()), (&b"/class/net"[..], c"class/net"));
        path.set(&[b"bus"]).unwrap();
        assert_eq!(path.relative(), c"bus");
        path.clear();
        assert_eq!((path.as_devpath(), path.relative()), (&b"/"[..], c""));
    }

    #[test]
    fn path_refuses_names_that_the_kernel_would_refuse() {
        let mut path = SysfsPath::new();
        // The leading `/` does not count for the kernel, the NUL does.
        let longest = [b'x'; CAPACITY - 2];
        path.set(&[&longest]).unwrap();
        assert_eq!(path.relative().to_bytes(), longest);
        assert_eq!(path.set(&[b"a", &longest]), Err(Errno::ENAMETOOLONG));
        assert_eq!((path.as_devpath(), path.relative()), (&b"/"[..], c""));
        assert_eq!(path.set(&[b"a", b"b\0c"]), Err(Errno::EINVAL));
        assert_eq!((path.as_devpath(), path.relative()), (&b"/"[..], c""));
    }

    #[test]
    fn a_target_leads_up_as_often_as_it_states() {
        assert_eq!(behind_ups(b"../../devices/a"), b"devices/a");
        assert_eq!(behind_ups(b"../../../devices/../a"), b"devices/../a");
        assert_eq!(behind_ups(b"../.."), b"..");
        assert_eq!(behind_ups(b""), b"");
    }
}
