use std::fs::{self, ReadDir};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sureplug_core::bytes::decimal;

use super::{Socket, sort_by_key};

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
        for process in fs::read_dir(proc)? {
            let process = process?;
            let Some(pid) = decimal(process.file_name().as_bytes()) else { continue };
            match fs::read_dir(process.path().join("fd")) {
                Ok(descriptors) => found.look_at(&process.path(), pid, sockets, descriptors),
                Err(error) if error.kind() == ErrorKind::PermissionDenied => found.unreadable += 1,
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

    fn look_at(&mut self, process: &Path, pid: u32, sockets: &[Socket], descriptors: ReadDir) {
        let mut described = None;
        // An error means that the process has ended.
        for descriptor in descriptors.map_while(Result::ok) {
            let Ok(target) = fs::read_link(descriptor.path()) else { continue };
            let Some(inode) = socket_inode(target.as_os_str().as_bytes()) else { continue };
            if sockets.binary_search_by_key(&inode, |socket| socket.inode).is_ok() {
                let fd = decimal(descriptor.file_name().as_bytes()).unwrap_or_default();
                let (command, unit) = described.get_or_insert_with(|| describe(process)).clone();
                self.descriptors.push(Owner { inode, pid, fd, command, unit });
            }
        }
    }
}

/// Returns the command and the unit of a process; both are empty if it has ended.
fn describe(process: &Path) -> (Vec<u8>, Vec<u8>) {
    let read = |file| fs::read(process.join(file)).unwrap_or_default();
    (read("comm").trim_ascii_end().to_vec(), unit(&read("cgroup")).to_vec())
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
