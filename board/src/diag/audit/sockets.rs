//! Lists the uevent sockets of the network namespace.

use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

use super::answers::{request, take};
use super::{Socket, UEVENT_PROTOCOL, key, sort_by_key};
use crate::cause::Cause;
use crate::file;
use crate::sys::retry;

/// The most bytes of one answer: the kernel fills as much as is requested (`netlink_recvmsg` in
/// `net/netlink/af_netlink.c`).
const ANSWER_BYTES: usize = 32 * 1024;

/// Lists all uevent sockets of the network namespace, each once, ordered by inode and cookie. The
/// source is `NETLINK_SOCK_DIAG`. If the kernel refuses that, or did before with `refusal`, it is
/// `net/netlink` below `proc`, which lacks the sizes; the refusal is returned.
pub(super) fn list(proc: &Path, refusal: Option<Errno>) -> io::Result<(Option<Errno>, Vec<Socket>)> {
    let (refusal, mut sockets) = match refusal.map_or_else(from_sock_diag, Err) {
        Ok(sockets) => (None, sockets),
        Err(errno) => (Some(errno), from_proc(proc)?),
    };
    // A socket that is bound and listens is listed for both.
    sort_by_key(&mut sockets, key);
    sockets.dedup_by_key(|socket| key(socket));
    Ok((refusal, sockets))
}

fn from_sock_diag() -> nix::Result<Vec<Socket>> {
    let protocol = SockProtocol::NetlinkSockDiag;
    let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    retry(|| sendto(fd.as_raw_fd(), &request(), &NetlinkAddr::new(0, 0), MsgFlags::empty()))?;
    let mut buffer = vec![0; ANSWER_BYTES];
    let mut sockets = Vec::new();
    loop {
        let length = retry(|| recv(fd.as_raw_fd(), &mut buffer, MsgFlags::empty()))?;
        if length == 0 {
            return Err(Errno::EBADMSG);
        }
        if take(&buffer[..length], &mut sockets)? {
            return Ok(sockets);
        }
    }
}

fn from_proc(proc: &Path) -> io::Result<Vec<Socket>> {
    let path = proc.join("net/netlink");
    let text = file::read_text(&path)
        .map_err(|error| io::Error::other(format!("{}: {}", path.display(), Cause(&error))))?;
    Ok(text.lines().filter_map(listed).collect())
}

/// Parses a line of `/proc/net/netlink`; `None` if it is of another protocol, or the heading.
///
/// The columns are `sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode` (`netlink_native_seq_show`
/// in `net/netlink/af_netlink.c`).
fn listed(line: &str) -> Option<Socket> {
    let mut columns = line.split_ascii_whitespace();
    let protocol: u8 = columns.nth(1)?.parse().ok()?;
    if protocol != UEVENT_PROTOCOL {
        return None;
    }
    // Older kernels print ports and charges as signed numbers.
    let number = |text: &str| -> Option<u32> {
        text.parse().ok().or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned))
    };
    let port = number(columns.next()?)?;
    let groups = u32::from_str_radix(columns.next()?, 16).ok()?;
    let queued = number(columns.next()?)?;
    let drops = number(columns.nth(3)?)?;
    let inode = number(columns.next()?)?;
    Some(Socket { port, groups, inode, cookie: 0, queued, effective: None, drops })
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn line_of_a_uevent_socket_has_all_but_the_buffer() {
        let line = "0000000000000000 15  4711       00000001 1280     0        0        2        31       77";
        let found = listed(line).unwrap();
        assert_eq!((found.port, found.groups, found.inode), (4711, 1, 77));
        assert_eq!((found.queued, found.effective, found.drops), (1280, None, 31));
    }

    #[test]
    fn lines_of_other_sockets_are_skipped() {
        for line in [
            "",
            "sk               Eth Pid        Groups   Rmem     Wmem     Dump     Locks    Drops    Inode",
            "0000000000000000 0   4711       00000001 0        0        0        2        0        77",
            "0000000000000000 15  4711       00000001 0        0        0        2        0",
            "0000000000000000 15  4711       0000000g 0        0        0        2        0        77",
        ] {
            assert_eq!(listed(line), None, "{line}");
        }
    }

    #[test]
    fn a_port_of_the_kernels_choice() {
        let found = listed("c0de 15  -4097 00000003 0 0 0 2 0 9").unwrap();
        assert_eq!((found.port, found.groups), (4_294_963_199, 3));
    }
}
