//! An application's end: reads what a running daemon's broker tells.
//!
//! ```no_run
//! use std::path::Path;
//! use sureplug_board::client::{Client, DEFAULT_PATH};
//! use sureplug_core::protocol::PacketKind;
//!
//! let mut client = Client::stream(Path::new(DEFAULT_PATH), &["usb"], true)?;
//! while let Some(message) = client.receive()? {
//!     if let PacketKind::Event(entry) = message.kind() {
//!         println!("{}", entry.uevent);
//!     }
//! }
//! # Ok::<(), std::io::Error>(())
//! ```

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::sockopt::SendTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike};
use sureplug_core::protocol::{BrokerPacket, MAX_PACKET_BYTES};
use sureplug_core::selection::Selection;

use crate::sys::retry;

/// Where the daemon's socket is if nobody says otherwise.
pub const DEFAULT_PATH: &str = "/run/sureplug/events";

/// For how many seconds a daemon may leave a connection or a request unanswered.
pub(crate) const ANSWERS_WITHIN_S: u16 = 10;

/// Returns the error of a daemon that does not answer, as one does that is not stopped.
pub(crate) fn unanswered() -> io::Error {
    let reason = format!(
        "the daemon has not answered for {ANSWERS_WITHIN_S} s: it is stopped, or waits for a device (see its state in ps)"
    );
    io::Error::new(ErrorKind::TimedOut, reason)
}

/// Bytes of a status at most: a packet for the daemon, and one for each client and port.
const MAX_STATUS_BYTES: usize = 1024 * 1024;

/// Bytes of a list at most: twice the devices of the largest table.
const MAX_LIST_BYTES: usize = 16 * 1024 * 1024;

/// Bytes that a packet counts as at least, so that both limit the packets too.
const MIN_COUNTED_BYTES: usize = 512;

/// A connection to the broker.
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    buffer: Box<[u8; MAX_PACKET_BYTES]>,
    /// Bytes that may still come, if the request has an answer that ends.
    left: Option<usize>,
}

impl Client {
    /// Asks for the events of these subsystems, or of all if none is named, and with `snapshot` for what is present
    /// before.
    ///
    /// # Errors
    ///
    /// What `connect(2)` or `send(2)` says: nobody listens there, or it is not for this user. `TimedOut` if the daemon
    /// has not accepted a connection for ten seconds.
    pub fn stream(path: &Path, subsystems: &[&str], snapshot: bool) -> io::Result<Self> {
        Self::connect(path, if snapshot { "SNAPSHOT=yes" } else { "SNAPSHOT=no" }, subsystems)
    }

    /// Asks for what is present of these subsystems, or of all if none is named; then the broker hangs up.
    ///
    /// # Errors
    ///
    /// As [`stream`](Self::stream).
    pub fn list(path: &Path, subsystems: &[&str]) -> io::Result<Self> {
        Self::connect(path, "LIST", subsystems)
    }

    /// Asks how the daemon is; then the broker hangs up.
    ///
    /// # Errors
    ///
    /// As [`stream`](Self::stream).
    pub fn status(path: &Path) -> io::Result<Self> {
        Self::connect(path, "STATUS", &[])
    }

    /// The same for a selection, as the commands have it.
    pub(crate) fn select(path: &Path, what: &str, selection: &Selection) -> io::Result<Self> {
        let names: Vec<_> = selection.names().map(String::from_utf8_lossy).collect();
        let names: Vec<_> = names.iter().map(AsRef::as_ref).collect();
        Self::connect(path, what, &names)
    }

    fn connect(path: &Path, what: &str, subsystems: &[&str]) -> io::Result<Self> {
        let mut request = String::from(what);
        for name in subsystems {
            request.push_str("\nSUBSYSTEM=");
            request.push_str(name);
        }
        let socket = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
        // A daemon that accepts no connections has a backlog that fills; connect(2) then waits for room.
        setsockopt(&socket, SendTimeout, &TimeVal::seconds(ANSWERS_WITHIN_S.into()))?;
        match connect(socket.as_raw_fd(), &UnixAddr::new(path)?) {
            Err(Errno::EAGAIN) => return Err(unanswered()),
            connected => connected?,
        }
        match send(socket.as_raw_fd(), request.as_bytes(), MsgFlags::MSG_NOSIGNAL) {
            // It has hung up already, and has said why.
            Ok(_) | Err(Errno::EPIPE) => {}
            Err(errno) => return Err(errno.into()),
        }
        let left = match what {
            "STATUS" => Some(MAX_STATUS_BYTES),
            "LIST" => Some(MAX_LIST_BYTES),
            _ => None,
        };
        Ok(Self { socket, buffer: Box::new([0; MAX_PACKET_BYTES]), left })
    }

    /// Waits for the next packet; `None` when the broker has hung up.
    ///
    /// # Errors
    ///
    /// What `recv(2)` says, and `InvalidData` for a packet that no broker sends or a list or status that does not end.
    pub fn receive(&mut self) -> io::Result<Option<BrokerPacket<'_>>> {
        self.read(MsgFlags::empty())
    }

    /// Takes the next packet, if one is there; `None` when the broker has hung up.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive), and `WouldBlock` if there is none: [poll](AsFd::as_fd) for the next.
    pub fn try_receive(&mut self) -> io::Result<Option<BrokerPacket<'_>>> {
        self.read(MsgFlags::MSG_DONTWAIT)
    }

    fn read(&mut self, flags: MsgFlags) -> io::Result<Option<BrokerPacket<'_>>> {
        let mut receive = || retry(|| recv(self.socket.as_raw_fd(), &mut self.buffer[..], flags));
        let length = match receive() {
            // It did not take all that was sent to it. What it has said comes all the same.
            Err(Errno::ECONNRESET) => receive(),
            result => result,
        }?;
        if length == 0 {
            return Ok(None);
        }
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(length.max(MIN_COUNTED_BYTES)).ok_or_else(|| {
                let reason =
                    "the answer does not end, as a daemon's does: another program serves this socket";
                io::Error::new(ErrorKind::InvalidData, reason)
            })?;
        }
        let packet = BrokerPacket::parse(&self.buffer[..length]);
        packet.map(Some).map_err(|error| io::Error::new(ErrorKind::InvalidData, error.to_string()))
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
