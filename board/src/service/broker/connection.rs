//! A connection of a client: its request, what it is sent, and what it is polled for.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use sureplug_core::time::Instant;

use nix::errno::Errno;
use nix::sys::epoll::EpollFlags;
use sureplug_core::protocol::{self, MAX_REQUEST_BYTES, Refusal, Request, RequestError};
use sureplug_core::stream::Agreement;
use sureplug_core::stream::{ConsumerId, Delivery, Lag};

use super::Buffer;
use super::socket::ClientSocket;
use crate::engine::Context;
use crate::engine::capacity::{BoardStream, MAX_CLIENTS};
use crate::time::monotonic_now;

/// For how long a client may take to send its request before it gets what one without a request gets.
const REQUEST_WITHIN: Duration = Duration::from_millis(100);

/// For how long a client that gets a finite answer may take nothing of it: the connections for such are few.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

/// Packets that a client gets before it is the next one's turn.
const PACKETS_A_TURN: usize = 512;

/// Packets that are taken from a client that sends more than its request, so that it gets the error and not only the end
/// of the connection.
const PACKETS_TO_DISCARD: usize = 8;

/// Why a client is refused beyond those that the stream has places for.
pub(super) const TOO_MANY_CLIENTS: Refusal = Refusal::Busy { clients: MAX_CLIENTS };

/// A connection, and how its last turn ended.
#[derive(Debug)]
pub(super) struct Connection {
    socket: ClientSocket,
    state: ClientState,
    pub(super) turn: Turn,
    /// What it is polled for.
    pub(super) interest: EpollFlags,
    /// Since when its send buffer has been full.
    full_since: Option<Instant>,
    has_asked: bool,
    /// Whether nothing can come from it any more.
    is_mute: bool,
    missed: u64,
    /// Whether its last `end` stood behind devices that are known to be out of date.
    is_out_of_date: bool,
}

/// What it is sent.
#[derive(Clone, Copy, Debug)]
enum ClientState {
    /// Nothing yet: until then it may send its request.
    Waiting { until: Instant },
    /// It reads the journal: the stream, or what is present.
    Reading { consumer: ConsumerId, has_begun: bool, ends_when_current: bool },
    /// It has asked for the status, and so many packets of the answer are sent.
    Asking { sent: usize },
    /// It has not got the error yet.
    Refused(Refusal),
    /// Nothing more.
    Over,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It has everything, or has not sent its request.
    Rests,
    /// There is more to send at once.
    GoesOn,
    /// Its send buffer is full.
    Backpressure,
    /// The connection is over.
    Over,
    /// The connection is over, since it is not served.
    Refused,
}

impl Connection {
    pub(super) fn new(socket: OwnedFd, now: Instant) -> nix::Result<Self> {
        Ok(Self {
            socket: ClientSocket::new(socket)?,
            state: ClientState::Waiting { until: now.after(REQUEST_WITHIN) },
            turn: Turn::Rests,
            interest: EpollFlags::EPOLLIN,
            full_since: None,
            has_asked: false,
            is_mute: false,
            missed: 0,
            is_out_of_date: false,
        })
    }

    /// Returns until when it may send its request.
    pub(super) const fn waits_until(&self) -> Option<Instant> {
        match self.state {
            ClientState::Waiting { until } => Some(until),
            _ => None,
        }
    }

    /// Returns `true` if it gets the stream, for as long as it likes.
    pub(super) const fn is_streaming(&self) -> bool {
        matches!(self.state, ClientState::Reading { ends_when_current: false, .. })
    }

    /// Returns `true` if it has asked for the status.
    pub(super) const fn is_asking(&self) -> bool {
        matches!(self.state, ClientState::Asking { .. })
    }

    /// Returns when it is given up, since it has taken nothing of a finite answer.
    pub(super) fn gives_up_at(&self) -> Option<Instant> {
        let is_finite = self.waits_until().is_none() && !self.is_streaming();
        self.full_since.filter(|_| is_finite).map(|since| since.after(GIVE_UP_AFTER))
    }

    /// Returns the packets sent and the events missed.
    pub(super) const fn counts(&self) -> [u64; 2] {
        [self.socket.sent, self.missed]
    }

    /// Returns the events that wait for it here, besides those that its socket holds already.
    pub(super) fn lag(&self, stream: &BoardStream) -> u64 {
        match self.state {
            ClientState::Reading { consumer, .. } => stream.unread(consumer),
            _ => 0,
        }
    }

    /// Notes how a turn ended; returns what to poll it for from now on, if that is something else.
    pub(super) fn settle(&mut self, turn: Turn) -> Option<EpollFlags> {
        match turn {
            Turn::Backpressure if self.turn == Turn::Backpressure => {}
            Turn::Backpressure => self.full_since = Some(monotonic_now()),
            _ => self.full_since = None,
        }
        self.turn = turn;
        let mut interest = EpollFlags::empty();
        interest.set(EpollFlags::EPOLLIN, !self.is_mute);
        interest.set(EpollFlags::EPOLLOUT, turn == Turn::Backpressure);
        let before = std::mem::replace(&mut self.interest, interest);
        (interest != before).then_some(interest)
    }

    /// Takes what it has sent. `others` is how many others get the stream.
    pub(super) fn receive(&mut self, stream: &mut BoardStream, others: usize, buffer: &mut Buffer) -> Turn {
        let mut packet = [0; MAX_REQUEST_BYTES];
        let length = match self.socket.receive(&mut packet) {
            Err(Errno::EAGAIN) => return Turn::Rests,
            Err(_) => return Turn::Over,
            Ok(0) => {
                self.is_mute = true;
                return Turn::Rests;
            }
            Ok(length) => length,
        };
        let packet = packet.get(..length).ok_or(RequestError::TooLong { length });
        let refusal = match packet.and_then(Request::parse) {
            _ if std::mem::replace(&mut self.has_asked, true) => Refusal::SecondRequest,
            Ok(request) => return self.begin(&request, stream, others, buffer),
            Err(error) => Refusal::BadRequest(error),
        };
        self.leave(stream);
        self.refuse(refusal, buffer)
    }

    /// Begins to answer a request, or the lack of one. What was sent before is void.
    pub(super) fn begin(
        &mut self,
        request: &Request,
        stream: &mut BoardStream,
        others: usize,
        buffer: &mut Buffer,
    ) -> Turn {
        self.leave(stream);
        let (selection, snapshot, ends_when_current) = match request {
            Request::Status => {
                self.state = ClientState::Asking { sent: 0 };
                return Turn::Rests;
            }
            Request::List { selection } => (selection, true, true),
            Request::Stream { selection, snapshot } => (selection, *snapshot, false),
        };
        let has_place = ends_when_current || others < MAX_CLIENTS;
        let consumer = if has_place { stream.join(selection.clone(), Lag::Reset) } else { None };
        let Some(consumer) = consumer else {
            return self.refuse(TOO_MANY_CLIENTS, buffer);
        };
        stream.mark_snapshot_end(consumer);
        if !snapshot {
            stream.mark_announced(consumer);
        }
        self.state = ClientState::Reading { consumer, has_begun: false, ends_when_current };
        Turn::GoesOn
    }

    /// Sends deliveries, as long as there is room for them.
    pub(super) fn deliver(&mut self, context: &mut Context<'_>, buffer: &mut Buffer) -> Turn {
        let is_current = context.health.agreement == Agreement::Steady;
        let (consumer, has_begun, ends_when_current) = match &mut self.state {
            ClientState::Reading { consumer, has_begun, ends_when_current } => {
                (consumer, has_begun, ends_when_current)
            }
            &mut ClientState::Refused(refusal) => return self.refuse(refusal, buffer),
            _ => return Turn::Rests,
        };
        for _ in 0..PACKETS_A_TURN {
            if !self.socket.has_room() {
                return Turn::Backpressure;
            }
            let seq = self.socket.next_seq();
            let mut is_last = false;
            let bytes = if std::mem::replace(has_begun, true) {
                match context.stream.next(*consumer, context.now, context.packet) {
                    None if is_current && std::mem::take(&mut self.is_out_of_date) => {
                        protocol::end(buffer, false, seq)
                    }
                    None => return Turn::Rests,
                    Some(Delivery::Event(event)) => protocol::event(buffer, &event, seq),
                    Some(Delivery::Missed { steps }) => {
                        self.missed += steps;
                        context.totals.clients_missed += steps;
                        protocol::missed(buffer, steps, seq)
                    }
                    Some(Delivery::SnapshotEnd) => {
                        is_last = *ends_when_current;
                        self.is_out_of_date = !is_current;
                        protocol::end(buffer, !is_current, seq)
                    }
                    Some(Delivery::Reset) => protocol::reset(buffer, seq),
                }
            } else {
                protocol::begin(buffer, self.has_asked, seq)
            };
            context.has_delivered = true;
            if !self.socket.send(bytes) || is_last {
                return Turn::Over;
            }
        }
        Turn::GoesOn
    }

    /// Answers a request for the status, as far as there is room for it: `part` writes one packet after the other, until
    /// there is none.
    pub(super) fn answer(
        &mut self,
        buffer: &mut Buffer,
        part: impl for<'b> Fn(usize, &'b mut Buffer, u64) -> Option<&'b [u8]>,
    ) -> Turn {
        let Self { socket, state: ClientState::Asking { sent }, .. } = self else { return Turn::Over };
        loop {
            if !socket.has_room() {
                return Turn::Backpressure;
            }
            let seq = socket.next_seq();
            let packet = match *sent {
                0 => protocol::begin(buffer, true, seq),
                number => match part(number - 1, buffer, seq) {
                    Some(packet) => packet,
                    None => break,
                },
            };
            if !socket.send(packet) {
                return Turn::Over;
            }
            *sent += 1;
        }
        socket.send(protocol::end(buffer, false, socket.next_seq()));
        Turn::Over
    }

    /// Sends the error when there is room for it.
    pub(super) fn refuse(&mut self, refusal: Refusal, buffer: &mut Buffer) -> Turn {
        self.is_mute = true;
        for _ in 0..PACKETS_TO_DISCARD {
            if matches!(self.socket.receive(&mut []), Err(_) | Ok(0)) {
                break;
            }
        }
        if !self.socket.has_room() {
            self.state = ClientState::Refused(refusal);
            return Turn::Backpressure;
        }
        self.socket.send(protocol::error(buffer, refusal, self.socket.next_seq()));
        Turn::Refused
    }

    /// Leaves the stream.
    pub(super) fn leave(&mut self, stream: &mut BoardStream) {
        if let ClientState::Reading { consumer, .. } = std::mem::replace(&mut self.state, ClientState::Over) {
            stream.leave(consumer);
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
