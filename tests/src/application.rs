//! An application as `PROTOCOL.md` describes it, written from that alone.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, setsockopt, socket, sockopt,
};
use serde_json::{Value, json};

use crate::fold::Fold;

/// How long an application waits for what must come.
const DEADLINE: Duration = Duration::from_secs(30);

/// A connection, and what it has learned.
pub struct Application {
    socket: OwnedFd,
    /// Whether it requested a snapshot.
    has_snapshot: bool,
    /// The devices that it knows to be present, if it requested a snapshot.
    pub fold: Fold,
    /// The number of the last packet.
    pub seq: u64,
    /// Events that it was notified of having missed.
    pub missed: u64,
    /// Whether all present devices have been announced.
    pub is_current: bool,
}

/// A packet in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The header's action.
    pub action: String,
    /// The header's devpath.
    pub devpath: String,
    /// The first of each key.
    pub properties: BTreeMap<String, String>,
}

impl Delivered {
    /// Takes a packet apart.
    ///
    /// # Panics
    ///
    /// If it is not as it must be.
    #[must_use]
    pub fn of(packet: &[u8]) -> Self {
        let text = String::from_utf8_lossy(packet);
        let mut parts = text.strip_suffix('\0').expect("a NUL at the end").split('\0');
        let (action, devpath) = parts.next().and_then(|header| header.split_once('@')).expect("a header");
        let mut properties = BTreeMap::new();
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or_else(|| panic!("no property: {part}"));
            properties.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        }
        let delivered = Self { action: action.to_owned(), devpath: devpath.to_owned(), properties };
        assert_eq!((delivered.get("ACTION"), delivered.get("DEVPATH")), (action, devpath), "{delivered:?}");
        delivered
    }

    /// A property, or nothing.
    #[must_use]
    pub fn get(&self, key: &str) -> &str {
        self.properties.get(key).map_or("", String::as_str)
    }

    /// Returns a property that is a number.
    ///
    /// # Panics
    ///
    /// Panics if it is not a number.
    #[must_use]
    pub fn number(&self, key: &str) -> u64 {
        self.get(key).parse().unwrap_or_else(|_| panic!("no number {key}: {self:?}"))
    }

    /// Returns `true` if the packet is the daemon's own message.
    #[must_use]
    pub fn is_marker(&self) -> bool {
        self.get("SUBSYSTEM") == "sureplug" && !self.properties.contains_key("SUREPLUG_ORIGIN")
    }
}

impl Application {
    /// Connects and sends a request, if there is one.
    ///
    /// # Errors
    ///
    /// Returns the error of `connect(2)`.
    pub fn connect(path: &Path, request: &str) -> Result<Self, Errno> {
        let socket = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
        connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
        // Requests that are too long must be sent too, whatever net.core.wmem_default is. Only root
        // may do this.
        let _ = setsockopt(&socket, sockopt::SndBufForce, &(128 << 10));
        let has_snapshot = !request.contains("SNAPSHOT=no");
        let application =
            Self { socket, has_snapshot, fold: Fold::default(), seq: 0, missed: 0, is_current: false };
        if !request.is_empty() {
            application.send(request.as_bytes())?;
        }
        Ok(application)
    }

    /// Sends a packet.
    ///
    /// # Errors
    ///
    /// Returns the error of `send(2)`.
    pub fn send(&self, packet: &[u8]) -> Result<(), Errno> {
        send(self.socket.as_raw_fd(), packet, MsgFlags::MSG_NOSIGNAL).map(|_| ())
    }

    /// Returns the next packet if it is there already: `Some(None)` if there is no packet, `None`
    /// at the end.
    ///
    /// # Panics
    ///
    /// Panics if the packet breaks a rule of the protocol.
    pub fn take(&mut self) -> Option<Option<Delivered>> {
        let mut packet = [0; 4_097];
        loop {
            match recv(self.socket.as_raw_fd(), &mut packet, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return None,
                Ok(length) => {
                    assert!(length <= 4_096, "too long");
                    let delivered = Delivered::of(&packet[..length]);
                    self.note(&delivered);
                    return Some(Some(delivered));
                }
                Err(Errno::EAGAIN) => return Some(None),
                Err(Errno::EINTR | Errno::ECONNRESET) => {}
                Err(errno) => panic!("{errno}"),
            }
        }
    }

    /// Waits for a packet, copies it and returns its length, without checking or counting it.
    pub fn receive_bytes(&self, into: &mut [u8]) -> usize {
        loop {
            match recv(self.socket.as_raw_fd(), into, MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                result => return result.unwrap_or_default(),
            }
        }
    }

    /// Waits for the next packet; `None` at the end.
    ///
    /// # Panics
    ///
    /// If nothing comes.
    pub fn receive(&mut self) -> Option<Delivered> {
        let end = Instant::now() + DEADLINE;
        loop {
            match self.take() {
                None => return None,
                Some(Some(delivered)) => return Some(delivered),
                Some(None) => {}
            }
            assert!(Instant::now() < end, "nothing followed packet {}", self.seq);
            self.wait(Duration::from_millis(100));
        }
    }

    /// Waits until there is something to receive, for a while.
    pub fn wait(&self, at_most: Duration) {
        let timeout = PollTimeout::try_from(at_most).unwrap_or(PollTimeout::MAX);
        let _ = poll(&mut [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)], timeout);
    }

    /// The next packets, up to the one for which it holds.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub fn receive_until(&mut self, mut holds: impl FnMut(&Delivered) -> bool) -> Vec<Delivered> {
        let mut all = Vec::new();
        loop {
            let delivered = self.receive().unwrap_or_else(|| panic!("it hung up behind {:?}", all.last()));
            let is_it = holds(&delivered);
            all.push(delivered);
            if is_it {
                return all;
            }
        }
    }

    /// The next packets, up to a marker.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub fn receive_until_marker(&mut self, action: &str) -> Vec<Delivered> {
        self.receive_until(|delivered| delivered.is_marker() && delivered.action == action)
    }

    /// All that comes until the broker hangs up.
    pub fn receive_all(&mut self) -> Vec<Delivered> {
        std::iter::from_fn(|| self.receive()).collect()
    }

    /// Holds the rules against a packet.
    fn note(&mut self, delivered: &Delivered) {
        self.seq += 1;
        assert_eq!(delivered.number("SUREPLUG_SEQ"), self.seq, "{delivered:?}");
        let kind = if delivered.is_marker() { delivered.action.as_str() } else { "event" };
        match kind {
            "begin" | "reset" | "missed" => self.is_current = false,
            "end" => self.is_current = true,
            _ => {}
        }
        if kind == "missed" {
            self.missed += delivered.number("SUREPLUG_MISSED");
        }
        if kind == "event" {
            let origin = delivered.get("SUREPLUG_ORIGIN");
            assert!(matches!(origin, "kernel" | "scan" | "repair"), "{delivered:?}");
            assert_eq!(origin == "kernel", delivered.properties.contains_key("SEQNUM"), "{delivered:?}");
        }
        if !self.has_snapshot {
            return;
        }
        let kind = if kind == "begin" { "reset" } else { kind };
        self.fold.take(&line(kind, delivered)).unwrap_or_else(|error| panic!("{error}"));
    }
}

impl AsFd for Application {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// As a line of the daemon has it.
fn line(kind: &str, delivered: &Delivered) -> Value {
    json!({
        "kind": kind, "action": delivered.action, "devpath": delivered.devpath, "subsystem": delivered.get("SUBSYSTEM"),
        "properties": delivered.properties,
    })
}
