use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use sureplug_core::bytes::decimal;

use super::{Socket, sort_by_key};
use crate::sysfs::{Listing, open, read_to_end};

/// Bytes of a link's target, longer than `socket:[4294967295]`.
const TARGET_BYTES: usize = 32;

/// The owners of sockets.
#[derive(Debug, Default)]
pub struct Owners {
    /// Ordered by inode.
    descriptors: Vec<Owner>,
    /// Processes whose descriptors this process may not read.
    pub unreadable: usize,
}

/// A process's descriptor.
#[derive(Debug)]
pub struct Owner {
    /// The inode of the socket.
    inode: u32,
    /// The process.
    pub pid: u32,
    /// The descriptor.
    pub fd: u32,
    /// The name of the process as in `ps`, at most 15 bytes.
    pub command: Vec<u8>,
    /// The unit or container of the process: the last part of its cgroup's path; empty without one.
    pub unit: Vec<u8>,
}

impl Owners {
    /// Searches all processes for owners of the sockets, which are ordered by inode. Processes that
    /// end meanwhile are left out.
    pub(super) fn find(proc: &Path, sockets: &[Socket]) -> io::Result<Self> {
        let mut found = Self::default();
        let proc = fs::File::open(proc)?;
        let (mut processes, mut descriptors) = (Listing::new(), Listing::new());
        processes.open(proc.as_fd(), c".")?;
        while let Some(entry) = processes.next()? {
            let Some(pid) = decimal(entry.name()) else { continue };
            let path = path(pid, "fd");
            match descriptors.open(proc.as_fd(), &path) {
                Ok(()) => found.look_at(&proc, pid, sockets, &mut descriptors),
                Err(Errno::EACCES | Errno::EPERM) => found.unreadable += 1,
                // The process has ended.
                Err(_) => {}
            }
        }
        sort_by_key(&mut found.descriptors, |owner| (owner.inode, owner.pid, owner.fd));
        Ok(found)
    }

    /// Returns the owners of a socket: several if it was inherited, duplicated or sent.
    #[must_use]
    pub fn of(&self, socket: &Socket) -> &[Owner] {
        let start = self.descriptors.partition_point(|owner| owner.inode < socket.inode);
        let end = self.descriptors.partition_point(|owner| owner.inode <= socket.inode);
        &self.descriptors[start..end]
    }

    fn look_at(&mut self, proc: &fs::File, pid: u32, sockets: &[Socket], descriptors: &mut Listing) {
        let mut described = None;
        // An error means that the process has ended.
        while let Ok(Some(entry)) = descriptors.next() {
            let mut target = [0; TARGET_BYTES];
            let Ok(length) = entry.read_target(&mut target) else { continue };
            let Some(inode) = socket_inode(&target[..length]) else { continue };
            if sockets.binary_search_by_key(&inode, |socket| socket.inode).is_ok() {
                let fd = decimal(entry.name()).unwrap_or_default();
                let (command, unit) = described.get_or_insert_with(|| describe(proc, pid)).clone();
                self.descriptors.push(Owner { inode, pid, fd, command, unit });
            }
        }
    }
}

/// Returns the command and the unit of a process.
fn describe(proc: &fs::File, pid: u32) -> (Vec<u8>, Vec<u8>) {
    let command = file(proc, &path(pid, "comm")).trim_ascii_end().to_vec();
    (command, unit(&file(proc, &path(pid, "cgroup"))).to_vec())
}

fn path(pid: u32, file: &str) -> CString {
    CString::new(format!("{pid}/{file}")).unwrap_or_default()
}

/// Reads the beginning of a short file; empty if the process has ended.
fn file(proc: &fs::File, path: &CStr) -> Vec<u8> {
    let mut bytes = vec![0; 4_096];
    let length = open(proc.as_fd(), path, OFlag::O_RDONLY).and_then(|file| read_to_end(file, &mut bytes));
    bytes.truncate(length.unwrap_or(0));
    bytes
}

/// Parses the inode in `socket:[4711]`.
fn socket_inode(target: &[u8]) -> Option<u32> {
    decimal(target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?)
}

/// Returns the unit in `/proc/PID/cgroup`, whose lines have a number, controllers and a path
/// (`cgroups(7)`). Version 2 has the number 0; with version 1, systemd has a hierarchy of its name.
fn unit(cgroup: &[u8]) -> &[u8] {
    let mut units = cgroup.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.splitn(3, |byte| *byte == b':');
        let (number, controllers) = (fields.next()?, fields.next()?);
        let unit = fields.next()?.rsplit(|byte| *byte == b'/').next()?;
        (number == b"0" || controllers == b"name=systemd").then_some(unit)
    });
    units.find(|unit| !unit.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{socket_inode, unit};

    #[test]
    fn units_of_both_versions() {
        for (cgroup, wanted) in [
            (&b"0::/system.slice/hotplug.service\n"[..], &b"hotplug.service"[..]),
            (b"12:pids:/x\n1:name=systemd:/system.slice/a.service\n0::/\n", b"a.service"),
            (b"0::/\n", b""),
            (b"4:memory:/other\n", b""),
            (b"0::/a:b/docker-77.scope\n", b"docker-77.scope"),
            (b"", b""),
        ] {
            assert_eq!(unit(cgroup).escape_ascii().to_string(), wanted.escape_ascii().to_string());
        }
    }

    #[test]
    fn only_sockets_have_inodes() {
        assert_eq!(socket_inode(b"socket:[4711]"), Some(4711));
        for other in [&b"pipe:[4711]"[..], b"/dev/null", b"socket:[]", b"socket:[-1]", b"", b"socket:[12"] {
            assert_eq!(socket_inode(other), None);
        }
    }
}
