use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::Path;

use crate::diag::audit::{Answer, Answers, Socket, proc_net, request};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

use super::key;
use crate::file::{self, Usable};
use crate::order::sort_by_key;
use crate::sys::retry;

/// Bytes of one answer at most: the kernel fills as much as it is asked to (`netlink_recvmsg` in
/// `net/netlink/af_netlink.c`).
const ANSWER_BYTES: usize = 32 * 1024;

/// Where the figures of sockets come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// `NETLINK_SOCK_DIAG`: everything.
    SockDiag,
    /// `/proc/net/netlink`: all but the sizes of the buffers.
    Proc {
        /// Why not from the other.
        because: Errno,
    },
}

/// Lists all uevent sockets of the network namespace, each once, ordered by inode and cookie. From
/// `NETLINK_SOCK_DIAG`, and from `net/netlink` below `proc` if the kernel refuses that, or if `source` says so.
///
/// # Errors
///
/// What the system says if that cannot be read either.
pub fn list(proc: &Path, source: Option<&Source>) -> io::Result<(Source, Vec<Socket>)> {
    let (source, mut sockets) = match source {
        Some(Source::Proc { because }) => (Source::Proc { because: *because }, from_proc(proc)?),
        _ => match from_sock_diag() {
            Ok(sockets) => (Source::SockDiag, sockets),
            Err(because) => (Source::Proc { because }, from_proc(proc)?),
        },
    };
    // One that is bound and listens is listed for both.
    sort_by_key(&mut sockets, key);
    sockets.dedup_by_key(|socket| key(socket));
    Ok((source, sockets))
}

fn from_sock_diag() -> nix::Result<Vec<Socket>> {
    let protocol = SockProtocol::NetlinkSockDiag;
    let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    retry(|| sendto(fd.as_raw_fd(), &request(), &NetlinkAddr::new(0, 0), MsgFlags::empty()))?;
    let mut buffer = vec![0; ANSWER_BYTES];
    let mut sockets = Vec::new();
    loop {
        let length = retry(|| recv(fd.as_raw_fd(), &mut buffer, MsgFlags::empty()))?;
        for answer in Answers::new(&buffer[..length]) {
            match answer.map_err(|_| Errno::EBADMSG)? {
                Answer::Socket(socket) => sockets.push(socket),
                Answer::Done => return Ok(sockets),
                Answer::Refused { errno } => return Err(Errno::from_raw(errno)),
                Answer::Other => {}
            }
        }
        if length == 0 {
            return Err(Errno::EBADMSG);
        }
    }
}

fn from_proc(proc: &Path) -> io::Result<Vec<Socket>> {
    let path = proc.join("net/netlink");
    let mut text = Vec::new();
    file::open(&path, OpenOptions::new().read(true), 0, Usable::Regular)
        .and_then(|mut file| file.read_to_end(&mut text))
        .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
    Ok(String::from_utf8_lossy(&text).lines().filter_map(proc_net::socket).collect())
}
