//! A client's connection: its request, its deliveries, and its poll events.

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

/// The time within which a client must send its request. After it the default request applies.
const REQUEST_WITHIN: Duration = Duration::from_millis(100);

/// The time for which a client may leave a finite answer unread. Connections for these are few.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

/// Packets sent to a client in one turn, before the next client's.
const PACKETS_A_TURN: usize = 512;

/// Packets discarded from a client that sends more than its request. Closing a socket with unread
/// input would reset the connection before the client reads the error.
const PACKETS_TO_DISCARD: usize = 8;

/// The refusal that reports the limit to clients that exceed it.
pub(super) const TOO_MANY_CLIENTS: Refusal = Refusal::Busy { clients: MAX_CLIENTS };

/// A connection, and the result of its last turn.
#[derive(Debug)]
pub(super) struct Connection {
    socket: ClientSocket,
    state: ClientState,
    pub(super) turn: Turn,
    /// The poll events that are enabled.
    pub(super) interest: EpollFlags,
    /// The time at which the send buffer became full.
    full_since: Option<Instant>,
    /// Whether a request was received.
    has_asked: bool,
    /// Whether input is no longer read.
    is_mute: bool,
    missed: u64,
    /// Whether the last `end` marked the devices before it as out of date.
    is_out_of_date: bool,
}

/// The state of the answer.
#[derive(Clone, Copy, Debug)]
enum ClientState {
    /// Waiting for the request.
    Waiting { until: Instant },
    /// Reading the journal: the stream, or the present devices.
    Reading { consumer: ConsumerId, has_begun: bool, ends_when_current: bool },
    /// Receiving the status, `sent` packets of it so far.
    Asking { sent: usize },
    /// Refused; the error is not sent yet.
    Refused(Refusal),
    /// Complete.
    Over,
}

/// The result of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The client is up to date, or has not sent its request.
    Rests,
    /// More can be sent at once.
    GoesOn,
    /// The send buffer is full.
    Backpressure,
    /// The connection is over.
    Over,
    /// The connection is over because the client was refused.
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

    /// Returns the time until which the request may arrive, or `None` if it has.
    pub(super) const fn waits_until(&self) -> Option<Instant> {
        match self.state {
            ClientState::Waiting { until } => Some(until),
            _ => None,
        }
    }

    /// Returns `true` if the client receives the stream, which does not end by itself.
    pub(super) const fn is_streaming(&self) -> bool {
        matches!(self.state, ClientState::Reading { ends_when_current: false, .. })
    }

    /// Returns `true` if the client requested the status.
    pub(super) const fn is_asking(&self) -> bool {
        matches!(self.state, ClientState::Asking { .. })
    }

    /// Returns the time at which an unread finite answer ends the connection.
    pub(super) fn gives_up_at(&self) -> Option<Instant> {
        let is_finite = self.waits_until().is_none() && !self.is_streaming();
        self.full_since.filter(|_| is_finite).map(|since| since.after(GIVE_UP_AFTER))
    }

    /// Returns the number of packets sent and of events missed.
    pub(super) const fn counts(&self) -> [u64; 2] {
        [self.socket.sent, self.missed]
    }

    /// Returns the number of events that wait in the journal, besides those in the socket.
    pub(super) fn lag(&self, stream: &BoardStream) -> u64 {
        match self.state {
            ClientState::Reading { consumer, .. } => stream.unread(consumer),
            _ => 0,
        }
    }

    /// Records the result of a turn. Returns the poll events to enable, if they change.
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

    /// Reads the client's input. `others` is the number of other clients that receive the stream.
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

    /// Begins the answer to a request, or the default answer. Earlier packets become void.
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

    /// Sends deliveries while there is room.
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

    /// Sends the status while there is room. `part` writes the packet at an index, and returns
    /// `None` after the last.
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

    /// Sends the error, now or once there is room.
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
