//! Paths below sysfs in fixed memory.

use std::ffi::CStr;

use nix::errno::Errno;
use nix::libc;

use super::listing::Entry;

/// Bytes of a path at most that the kernel takes, its NUL included: `PATH_MAX`.
const CAPACITY: usize = libc::PATH_MAX as usize;

/// A path below the root of sysfs. It begins with `/`, as a devpath does, and is followed by a NUL, as the
/// kernel wants it.
pub(super) struct SysfsPath {
    bytes: Box<[u8]>,
    /// Without the NUL, and 1 at least: the `/`.
    length: usize,
}

impl SysfsPath {
    pub(super) fn new() -> Self {
        let mut bytes = vec![0; CAPACITY].into_boxed_slice();
        bytes[0] = b'/';
        Self { bytes, length: 1 }
    }

    /// Empties it: nothing is there.
    pub(super) fn clear(&mut self) {
        self.end_at(1);
    }

    /// Puts it together from parts, behind the `/`. It is empty after an error.
    pub(super) fn set(&mut self, parts: &[&[u8]]) -> nix::Result<()> {
        self.clear();
        if parts.iter().any(|part| part.contains(&0)) {
            return Err(Errno::EINVAL);
        }
        let mut end = 1;
        for part in parts {
            // Not into the last byte, which is the NUL's.
            let room = self.bytes[end..CAPACITY - 1].get_mut(..part.len());
            let Some(room) = room else {
                self.clear();
                return Err(Errno::ENAMETOOLONG);
            };
            room.copy_from_slice(part);
            end += part.len();
        }
        self.end_at(end);
        Ok(())
    }

    /// Makes it that of a devpath.
    pub(super) fn set_devpath(&mut self, devpath: &[u8]) -> nix::Result<()> {
        self.set(&[devpath.strip_prefix(b"/").unwrap_or(devpath)])
    }

    /// Makes it that of the device which a link points to. `false`, and empty, if that is no device; it is
    /// empty after an error too.
    pub(super) fn follow(&mut self, link: &Entry<'_>) -> nix::Result<bool> {
        let length = link.read_target(&mut self.bytes[1..]);
        let end = 1 + length.unwrap_or(0);
        let target = &self.bytes[1..end];
        let below = behind_ups(target);
        let is_device = below.len() < target.len()
            && below.strip_prefix(b"devices/").is_some_and(|device| !device.is_empty());
        let start = if is_device { end - below.len() } else { end };
        self.bytes.copy_within(start..end, 1);
        self.end_at(1 + end - start);
        length.map(|_| is_device)
    }

    /// With the `/` in front.
    pub(super) fn as_devpath(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Without it, to be opened below the root.
    pub(super) fn relative(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes[1..]).unwrap_or_default()
    }

    fn end_at(&mut self, end: usize) {
        self.bytes[end] = 0;
        self.length = end;
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
