//! The application's end of the broker's socket: reads the stream of a running daemon.
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

/// The default path of the daemon's socket.
pub const DEFAULT_PATH: &str = "/run/sureplug/events";

/// The number of seconds for which a daemon may leave a connection or a request unanswered.
pub(crate) const ANSWERS_WITHIN_S: u16 = 10;

/// Returns the error for a daemon that does not answer, such as a stopped one.
pub(crate) fn unanswered() -> io::Error {
    let reason = format!(
        "the daemon has not answered for {ANSWERS_WITHIN_S} s: it is stopped, or waits for a device (see its state in ps)"
    );
    io::Error::new(ErrorKind::TimedOut, reason)
}

/// The most bytes of a status: a packet for the daemon, and one for each client and port.
const MAX_STATUS_BYTES: usize = 1024 * 1024;

/// The most bytes of a list: twice the devices of the largest table.
const MAX_LIST_BYTES: usize = 16 * 1024 * 1024;

/// The fewest bytes that a packet counts as, so that these limits bound the number of packets too.
const MIN_COUNTED_BYTES: usize = 512;

/// A connection to the broker.
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    buffer: Box<[u8; MAX_PACKET_BYTES]>,
    /// The bytes that may still arrive, if the answer to the request is finite.
    left: Option<usize>,
}

impl Client {
    /// Requests the events of these subsystems, or of all if none is given, after the present
    /// devices if `snapshot` is set.
    ///
    /// # Errors
    ///
    /// Returns the error of `connect(2)` or `send(2)`: no daemon listens there, or this user may
    /// not connect. Returns `TimedOut` if the daemon has not accepted the connection for ten
    /// seconds.
    pub fn stream(path: &Path, subsystems: &[&str], snapshot: bool) -> io::Result<Self> {
        Self::connect(path, if snapshot { "SNAPSHOT=yes" } else { "SNAPSHOT=no" }, subsystems)
    }

    /// Requests the present devices of these subsystems, or of all if none is given. The broker
    /// then closes the connection.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`stream`](Self::stream).
    pub fn list(path: &Path, subsystems: &[&str]) -> io::Result<Self> {
        Self::connect(path, "LIST", subsystems)
    }

    /// Requests the daemon's figures. The broker then closes the connection.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`stream`](Self::stream).
    pub fn status(path: &Path) -> io::Result<Self> {
        Self::connect(path, "STATUS", &[])
    }

    /// Sends a request for a selection.
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
        // The backlog of a daemon that accepts no connection fills up; connect(2) then waits for
        // room.
        setsockopt(&socket, SendTimeout, &TimeVal::seconds(ANSWERS_WITHIN_S.into()))?;
        match connect(socket.as_raw_fd(), &UnixAddr::new(path)?) {
            Err(Errno::EAGAIN) => return Err(unanswered()),
            connected => connected?,
        }
        match send(socket.as_raw_fd(), request.as_bytes(), MsgFlags::MSG_NOSIGNAL) {
            // The daemon has already closed the connection; its reason can still be received.
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

    /// Waits for the next packet; `None` when the broker has closed the connection.
    ///
    /// # Errors
    ///
    /// Returns the error of `recv(2)`, and `InvalidData` for a packet that no broker sends, or for
    /// a list or status that does not end.
    pub fn receive(&mut self) -> io::Result<Option<BrokerPacket<'_>>> {
        self.read(MsgFlags::empty())
    }

    /// Returns the next packet if there is one; `None` when the broker has closed the connection.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`receive`](Self::receive), and `WouldBlock` if there is no packet:
    /// [poll](AsFd::as_fd) for the next.
    pub fn try_receive(&mut self) -> io::Result<Option<BrokerPacket<'_>>> {
        self.read(MsgFlags::MSG_DONTWAIT)
    }

    fn read(&mut self, flags: MsgFlags) -> io::Result<Option<BrokerPacket<'_>>> {
        let mut receive = || retry(|| recv(self.socket.as_raw_fd(), &mut self.buffer[..], flags));
        let length = match receive() {
            // The daemon did not read everything that was sent to it. Its packets can still be
            // received.
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
