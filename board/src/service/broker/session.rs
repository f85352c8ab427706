//! One client.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use sureplug_core::protocol::{self, MAX_REQUEST_BYTES, Request, RequestError};
use sureplug_core::stream::{ConsumerId, Delivery, DeliveryBuffer, Lag};
use sureplug_core::time::Instant;

use super::error::Reason;
use super::outlet::Outlet;
use super::{Buffer, Counts};
use crate::engine::capacity::{BoardStream, MAX_CLIENTS};

/// For how long a client may take to send its request before it gets what one without a request gets.
const REQUEST_WITHIN: Duration = Duration::from_millis(100);

/// Packets that a client gets before it is the next one's turn.
const PACKETS_A_TURN: usize = 512;

/// Packets that are taken from one who sends more than its request, so that it hears why it is not served and not
/// only that the connection is gone.
const PACKETS_TO_DISCARD: usize = 8;

/// A connection.
#[derive(Debug)]
pub(super) struct Session {
    outlet: Outlet,
    state: State,
    has_asked: bool,
    /// Whether nothing can come from it any more.
    is_mute: bool,
    missed: u64,
    /// Whether its last `end` stood behind devices that are known to be out of date.
    is_out_of_date: bool,
}

/// What it is being told.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing yet: until then it may send its request.
    Waiting { until: Instant },
    /// It reads the journal: the stream, or what is present.
    Reading { consumer: ConsumerId, has_begun: bool, ends_when_current: bool },
    /// It has asked how the daemon is, and so many packets of the answer are sent.
    Asking { sent: usize },
    /// It is yet to hear why it is not served.
    Refused(Reason),
    /// Nothing more.
    Over,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It knows all, or has something to say first.
    Rests,
    /// There is more to tell it at once.
    GoesOn,
    /// Its send buffer is full.
    Blocked,
    /// It is to be let go.
    Over,
    /// It is to be let go, since it is not served.
    Refused,
}

impl Session {
    /// One who has just come.
    pub(super) fn new(socket: OwnedFd, now: Instant) -> nix::Result<Self> {
        Ok(Self {
            outlet: Outlet::new(socket)?,
            state: State::Waiting { until: now.after(REQUEST_WITHIN) },
            has_asked: false,
            is_mute: false,
            missed: 0,
            is_out_of_date: false,
        })
    }

    /// Until when it may send its request.
    pub(super) const fn waits_until(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } => Some(until),
            _ => None,
        }
    }

    /// Whether it gets the stream, for as long as it likes.
    pub(super) const fn is_streaming(&self) -> bool {
        matches!(self.state, State::Reading { ends_when_current: false, .. })
    }

    /// Whether it has asked how the daemon is.
    pub(super) const fn is_asking(&self) -> bool {
        matches!(self.state, State::Asking { .. })
    }

    /// Whether it gets an answer that ends, and then the door.
    pub(super) const fn is_passing(&self) -> bool {
        !matches!(self.state, State::Waiting { .. }) && !self.is_streaming()
    }

    /// Whether something may still come from it.
    pub(super) const fn may_speak(&self) -> bool {
        !self.is_mute
    }

    /// Packets that it was sent.
    pub(super) const fn sent(&self) -> u64 {
        self.outlet.sent()
    }

    /// Events that it missed.
    pub(super) const fn missed(&self) -> u64 {
        self.missed
    }

    /// Events that wait for it here: besides those that its socket holds already.
    pub(super) fn lag(&self, stream: &BoardStream) -> u64 {
        match self.state {
            State::Reading { consumer, .. } => stream.unread(consumer),
            _ => 0,
        }
    }

    /// Takes what it has sent. `others` is how many others get the stream.
    pub(super) fn listen(&mut self, stream: &mut BoardStream, others: usize, buffer: &mut Buffer) -> Turn {
        let mut packet = [0; MAX_REQUEST_BYTES];
        let length = match self.outlet.receive(&mut packet) {
            Err(Errno::EAGAIN) => return Turn::Rests,
            Err(_) => return Turn::Over,
            Ok(0) => {
                self.is_mute = true;
                return Turn::Rests;
            }
            Ok(length) => length,
        };
        let packet = packet.get(..length).ok_or(RequestError::TooLong { length });
        let reason = match packet.and_then(Request::parse) {
            _ if std::mem::replace(&mut self.has_asked, true) => Reason::SecondRequest,
            Ok(request) => return self.begin(&request, stream, others, buffer),
            Err(error) => Reason::BadRequest(error),
        };
        self.leave(stream);
        self.refuse(reason, buffer)
    }

    /// Begins to answer a request, or the lack of one. What was told before is void.
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
                self.state = State::Asking { sent: 0 };
                return Turn::Rests;
            }
            Request::List { selection } => (selection, true, true),
            Request::Stream { selection, snapshot } => (selection, *snapshot, false),
        };
        let has_place = ends_when_current || others < MAX_CLIENTS;
        let consumer = if has_place { stream.join(selection.clone(), Lag::Reset) } else { None };
        let Some(consumer) = consumer else {
            return self.refuse(Reason::TooManyClients, buffer);
        };
        stream.mark_snapshot_end(consumer);
        if !snapshot {
            stream.mark_announced(consumer);
        }
        self.state = State::Reading { consumer, has_begun: false, ends_when_current };
        Turn::GoesOn
    }

    /// Sends what is to be told, as long as there is room for it. `is_current` says whether what the stream knows agrees
    /// with sysfs.
    pub(super) fn tell(
        &mut self,
        stream: &mut BoardStream,
        is_current: bool,
        now: Instant,
        packet: &mut DeliveryBuffer,
        buffer: &mut Buffer,
        counts: &mut Counts,
    ) -> Turn {
        let (consumer, has_begun, ends_when_current) = match &mut self.state {
            State::Reading { consumer, has_begun, ends_when_current } => {
                (consumer, has_begun, ends_when_current)
            }
            State::Refused(reason) => {
                let reason = *reason;
                return self.refuse(reason, buffer);
            }
            _ => return Turn::Rests,
        };
        for _ in 0..PACKETS_A_TURN {
            if !self.outlet.has_room() {
                return Turn::Blocked;
            }
            let seq = self.outlet.next_seq();
            let mut is_last = false;
            let bytes = if std::mem::replace(has_begun, true) {
                match stream.next(*consumer, now, packet) {
                    None if is_current && std::mem::take(&mut self.is_out_of_date) => {
                        protocol::end(buffer, false, seq)
                    }
                    None => return Turn::Rests,
                    Some(Delivery::Event(event)) => protocol::event(buffer, &event, seq),
                    Some(Delivery::Missed { steps }) => {
                        self.missed += steps;
                        counts.missed += steps;
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
            if !self.outlet.send(bytes) || is_last {
                return Turn::Over;
            }
        }
        Turn::GoesOn
    }

    /// Answers the question how the daemon is, as far as there is room for it: `part` writes one packet after the other,
    /// until there is none.
    pub(super) fn answer(
        &mut self,
        buffer: &mut Buffer,
        part: impl for<'b> Fn(usize, &'b mut Buffer, u64) -> Option<&'b [u8]>,
    ) -> Turn {
        let Self { outlet, state: State::Asking { sent }, .. } = self else { return Turn::Over };
        loop {
            if !outlet.has_room() {
                return Turn::Blocked;
            }
            let seq = outlet.next_seq();
            let packet = match *sent {
                0 => protocol::begin(buffer, true, seq),
                number => match part(number - 1, buffer, seq) {
                    Some(packet) => packet,
                    None => break,
                },
            };
            if !outlet.send(packet) {
                return Turn::Over;
            }
            *sent += 1;
        }
        outlet.send(protocol::end(buffer, false, outlet.next_seq()));
        Turn::Over
    }

    /// Says why it is not served, when there is room for that.
    pub(super) fn refuse(&mut self, reason: Reason, buffer: &mut Buffer) -> Turn {
        self.is_mute = true;
        for _ in 0..PACKETS_TO_DISCARD {
            if matches!(self.outlet.receive(&mut []), Err(_) | Ok(0)) {
                break;
            }
        }
        if !self.outlet.has_room() {
            self.state = State::Refused(reason);
            return Turn::Blocked;
        }
        self.outlet.send(protocol::error(buffer, reason.refusal(), &reason, self.outlet.next_seq()));
        Turn::Refused
    }

    /// The stream need not remember it any more.
    pub(super) fn leave(&mut self, stream: &mut BoardStream) {
        if let State::Reading { consumer, .. } = std::mem::replace(&mut self.state, State::Over) {
            stream.leave(consumer);
        }
    }
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.outlet.as_fd()
    }
}
