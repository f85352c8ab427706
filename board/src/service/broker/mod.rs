//! Serves applications: any number of readers of one stream, none of which can delay another one, or the reading of
//! the kernel's socket. `PROTOCOL.md` says what they hear.
//!
//! A client that does not take what is sent is not waited for: the journal keeps on, and what it cannot keep any more
//! is told as the difference. All is done from the worker's loop, with one descriptor to poll, and nothing is allocated
//! when a client comes or goes.

mod error;
mod listener;
mod lock;
mod outlet;
mod place;
mod session;
mod status;

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use sureplug_core::protocol::{MAX_PACKET_BYTES, Request};
use sureplug_core::stream::DeliveryBuffer;
use sureplug_core::time::Instant;

pub use error::OpenError;
pub use status::Figures;

use crate::engine::capacity::{BoardStream, CONNECTIONS};
use error::Reason;
use listener::Listener;
use place::Place;
use session::{Session, Turn};

/// Who is polled for that is no client.
const LISTENER: u64 = CONNECTIONS as u64;

/// Connections that are let in before the worker goes on with something else.
const ACCEPTS_A_TURN: usize = 32;

/// For how long nobody is let in after the system had no descriptor or memory left for one.
const PAUSE: Duration = Duration::from_millis(100);

/// Memory for one packet, which all clients share.
type Buffer = [u8; MAX_PACKET_BYTES];

/// What happened since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Connections that were let in.
    pub connections: u64,
    /// Of these, those that were told why they are not served.
    pub refused: u64,
    /// Events that were overwritten before a client took them.
    pub missed: u64,
}

/// The door and those who came in.
#[derive(Debug)]
pub struct Broker {
    epoll: Epoll,
    listener: Listener,
    /// Until when the door is shut, since the system is short of something.
    shut_until: Option<Instant>,
    places: Box<[Option<Place>; CONNECTIONS]>,
    buffer: Box<Buffer>,
    counts: Counts,
}

impl Broker {
    /// Opens the door at a path, for the owner and for a group. Changes the umask for a moment: this is for the time
    /// before there are threads.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: another daemon is there, or the system refuses.
    pub fn open(path: &Path, group: Option<u32>) -> Result<Self, OpenError> {
        let listener = Listener::bind(path, group)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC);
        let epoll = epoll.and_then(|epoll| {
            epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER)).map(|()| epoll)
        });
        Ok(Self {
            epoll: epoll.map_err(|errno| OpenError::failed("watch the socket", path, errno))?,
            listener,
            shut_until: None,
            places: Box::new([const { None }; CONNECTIONS]),
            buffer: Box::new([0; MAX_PACKET_BYTES]),
            counts: Counts::default(),
        })
    }

    /// What happened.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Clients that get the stream.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.places.iter().flatten().filter(|place| place.session.is_streaming()).count()
    }

    /// When something is due if nobody says anything.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        let waits = self.places.iter().flatten().filter_map(Place::wake_at);
        waits.chain(self.shut_until).min()
    }

    /// Whether there is more to tell somebody at once.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.places.iter().flatten().any(|place| place.turn == Turn::GoesOn)
    }

    /// Whether somebody wants to know how the daemon is.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.places.iter().flatten().any(Place::is_asking)
    }

    /// Lets in who waits, and hears who says something: to be called when there [is something to
    /// read](AsFd::as_fd), or when something [is due](Self::wake_at).
    pub fn listen(&mut self, stream: &mut BoardStream, now: Instant) {
        let mut events = [EpollEvent::empty(); CONNECTIONS + 1];
        let count = self.epoll.wait(&mut events, EpollTimeout::ZERO).unwrap_or_default();
        let mut knocks = false;
        for event in &events[..count] {
            match usize::try_from(event.data()) {
                Ok(number) if number < CONNECTIONS => self.hear(number, event.events(), stream),
                _ => knocks = true,
            }
        }
        // Last, so that whoever has gone makes room for them.
        if knocks {
            self.let_in(stream, now);
        }
        for number in 0..CONNECTIONS {
            let waits = self.places[number].as_ref().and_then(|place| place.session.waits_until());
            if self.places[number].as_ref().is_some_and(|place| place.is_given_up(now)) {
                self.settle(number, Turn::Over, stream);
            } else if waits.is_some_and(|until| until <= now) {
                self.take_turn(number, stream, |session, stream, others, buffer| {
                    session.begin(&Request::ALL, stream, others, buffer)
                });
            }
        }
        if self.shut_until.is_some_and(|until| until <= now) {
            self.shut_until = None;
            self.watch_listener(EpollFlags::EPOLLIN);
        }
    }

    /// Tells everybody what there is to tell, as far as each of them takes it; whether that is anything. `is_current` says
    /// whether what the stream knows agrees with sysfs.
    pub fn tell(
        &mut self,
        stream: &mut BoardStream,
        is_current: bool,
        now: Instant,
        packet: &mut DeliveryBuffer,
    ) -> bool {
        let mut has_told = false;
        for number in 0..CONNECTIONS {
            let Self { places, buffer, counts, .. } = self;
            let Some(place) = &mut places[number] else { continue };
            if place.turn != Turn::Blocked {
                let sent = place.session.sent();
                let turn = place.session.tell(stream, is_current, now, packet, buffer, counts);
                has_told |= place.session.sent() > sent;
                self.settle(number, turn, stream);
            }
        }
        has_told
    }

    /// Answers those who want to know how the daemon is.
    pub fn answer(&mut self, stream: &mut BoardStream, figures: &Figures) {
        for number in 0..CONNECTIONS {
            if !self.places[number].as_ref().is_some_and(Place::is_asking) {
                continue;
            }
            let clients = status::Clients::of(self, stream);
            let Self { places, buffer, .. } = self;
            let Some(place) = &mut places[number] else { continue };
            let turn = place.session.answer(buffer, |part, buffer, seq| match part {
                0 => Some(figures.write(buffer, seq)),
                part if part <= clients.len() => clients.write(part - 1, buffer, seq),
                part => figures.write_port(part - 1 - clients.len(), buffer, seq),
            });
            self.settle(number, turn, stream);
        }
    }

    /// Shuts the door, and says so to those who are inside.
    pub fn close(mut self) {
        let Self { places, buffer, .. } = &mut self;
        for place in places.iter_mut().flatten() {
            place.session.refuse(Reason::Ending, buffer);
        }
    }

    fn let_in(&mut self, stream: &mut BoardStream, now: Instant) {
        for _ in 0..ACCEPTS_A_TURN {
            let session = self.listener.accept().and_then(|socket| Session::new(socket, now));
            let session = match session {
                Ok(session) => session,
                Err(Errno::EAGAIN) => return,
                Err(Errno::ECONNABORTED | Errno::EINTR) => continue,
                Err(_) => {
                    // Else the poll would come back at once, for as long as that lasts.
                    self.shut_until = Some(now.after(PAUSE));
                    return self.watch_listener(EpollFlags::empty());
                }
            };
            self.counts.connections += 1;
            let place = self.places.iter().position(Option::is_none);
            let mut taken = Place::new(session);
            let added = |number: &usize| {
                self.epoll.add(&taken.session, EpollEvent::new(taken.interest, *number as u64)).is_ok()
            };
            let Some(number) = place.filter(added) else {
                taken.session.refuse(Reason::TooManyClients, &mut self.buffer);
                self.counts.refused += 1;
                continue;
            };
            self.places[number] = Some(taken);
            // Most have sent their request by now.
            self.take_turn(number, stream, Session::listen);
        }
    }

    fn hear(&mut self, number: usize, events: EpollFlags, stream: &mut BoardStream) {
        if events.intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) {
            return self.settle(number, Turn::Over, stream);
        }
        if events.contains(EpollFlags::EPOLLOUT) {
            self.settle(number, Turn::GoesOn, stream);
        }
        if events.contains(EpollFlags::EPOLLIN) {
            self.take_turn(number, stream, Session::listen);
        }
    }

    fn take_turn(
        &mut self,
        number: usize,
        stream: &mut BoardStream,
        turn: impl FnOnce(&mut Session, &mut BoardStream, usize, &mut Buffer) -> Turn,
    ) {
        let clients = self.clients();
        let Self { places, buffer, .. } = self;
        let Some(Place { session, turn: before, .. }) = &mut places[number] else { return };
        let others = clients - usize::from(session.is_streaming());
        let turn = match turn(session, stream, others, buffer) {
            // It was not its turn to be told anything.
            Turn::Rests => *before,
            turn => turn,
        };
        self.settle(number, turn, stream);
    }

    /// Notes how a turn ended.
    fn settle(&mut self, number: usize, turn: Turn, stream: &mut BoardStream) {
        let Some(place) = &mut self.places[number] else { return };
        let is_watched = place.settle(turn).is_none_or(|interest| {
            self.epoll.modify(&place.session, &mut EpollEvent::new(interest, number as u64)).is_ok()
        });
        self.counts.refused += u64::from(turn == Turn::Refused);
        if matches!(turn, Turn::Over | Turn::Refused) || !is_watched {
            place.session.leave(stream);
            // With its socket, the epoll forgets it.
            self.places[number] = None;
        }
    }

    fn watch_listener(&self, interest: EpollFlags) {
        // Fails for none that was added.
        let _ = self.epoll.modify(&self.listener, &mut EpollEvent::new(interest, LISTENER));
    }
}

impl AsFd for Broker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}
