//! Paths below sysfs in fixed memory.

use std::ffi::CStr;

use heapless::Vec;
use nix::errno::Errno;
use nix::libc;

use super::listing::Entry;

/// Bytes of a path at most that the kernel takes, its NUL included: `PATH_MAX`.
const CAPACITY: usize = libc::PATH_MAX as usize;

/// A path below the root of sysfs. It begins with `/`, as a devpath does, and is followed by a NUL, as the
/// kernel wants it.
pub(super) struct SysfsPath(Box<Vec<u8, CAPACITY>>);

impl SysfsPath {
    pub(super) fn new() -> Self {
        let mut path = Self(Box::default());
        path.clear();
        path
    }

    /// Empties it: nothing is there.
    pub(super) fn clear(&mut self) {
        self.0.clear();
        let _ = self.0.extend_from_slice(b"/\0");
    }

    /// Puts it together from parts, behind the `/`. It is empty after an error.
    pub(super) fn set(&mut self, parts: &[&[u8]]) -> nix::Result<()> {
        self.0.truncate(1);
        let result = parts.iter().try_for_each(|part| match part {
            part if part.contains(&0) => Err(Errno::EINVAL),
            part => self.0.extend_from_slice(part).map_err(|_| Errno::ENAMETOOLONG),
        });
        let result = result.and_then(|()| self.0.push(0).map_err(|_| Errno::ENAMETOOLONG));
        result.inspect_err(|_| self.clear())
    }

    /// Makes it that of a devpath.
    pub(super) fn set_devpath(&mut self, devpath: &[u8]) -> nix::Result<()> {
        self.set(&[devpath.strip_prefix(b"/").unwrap_or(devpath)])
    }

    /// Makes it that of the device which a link points to. `false`, and empty, if that is no device; it is
    /// empty after an error too.
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

    /// With the `/` in front.
    pub(super) fn as_devpath(&self) -> &[u8] {
        &self.0[..self.0.len() - 1]
    }

    /// Without it, to be opened below the root.
    pub(super) fn relative(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0[1..]).unwrap_or_default()
    }
}

/// What is behind all the `../` of a link's target: as many of them as lead to the root.
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
        // The `/` in front is not the kernel's, the NUL is.
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
