//! Serves one stream to many applications. None can delay another, or the reading of the kernel's
//! socket. `PROTOCOL.md` describes the packets.
//!
//! The broker does not wait for a client whose buffer is full. The journal continues, and the
//! client receives a delta in place of overwritten events. Connecting and disconnecting allocate
//! nothing.

mod connection;
mod error;
mod listener;
mod lock;
mod socket;
mod status;

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use sureplug_core::protocol::{MAX_PACKET_BYTES, Refusal, Request};

pub use error::BrokerError;

use crate::engine::capacity::{BoardStream, CONNECTIONS};
use crate::engine::{Context, Service};
use connection::{Connection, TOO_MANY_CLIENTS, Turn};
use listener::Listener;
use sureplug_core::time::Instant;

/// The epoll key of the listener. The key of a connection is its index.
const LISTENER: u64 = CONNECTIONS as u64;

/// Connections accepted in one turn, before the engine continues with other work.
const ACCEPTS_A_TURN: usize = 32;

/// The pause before the next accept after the system ran out of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// Memory for one packet, shared by all clients.
type Buffer = [u8; MAX_PACKET_BYTES];

/// A listening socket and its connections.
#[derive(Debug)]
pub struct Broker {
    epoll: Epoll,
    listener: Listener,
    /// The end of a pause in accepting connections.
    paused_until: Option<Instant>,
    connections: Box<[Option<Connection>; CONNECTIONS]>,
    buffer: Box<Buffer>,
}

impl Broker {
    /// Listens on a path, for the owner and a group. Must be called before other threads start,
    /// because it changes the umask for a moment.
    ///
    /// # Errors
    ///
    /// Returns a [`BrokerError`] if another daemon uses the path, or the socket cannot be created.
    pub fn open(path: &Path, group: Option<u32>) -> Result<Self, BrokerError> {
        let listener = Listener::bind(path, group)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC);
        let epoll = epoll.and_then(|epoll| {
            epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER)).map(|()| epoll)
        });
        Ok(Self {
            epoll: epoll.map_err(|errno| BrokerError::failed("poll the socket", path, errno))?,
            listener,
            paused_until: None,
            connections: Box::new([const { None }; CONNECTIONS]),
            buffer: Box::new([0; MAX_PACKET_BYTES]),
        })
    }

    /// Returns the number of clients that receive the stream.
    fn clients(&self) -> usize {
        self.connections.iter().flatten().filter(|connection| connection.is_streaming()).count()
    }

    /// Answers a request for the status.
    fn answer(&mut self, asking: &mut Connection, context: &Context<'_>) -> Turn {
        let Self { connections, buffer, .. } = self;
        let clients = || connections.iter().flatten().filter(|connection| connection.is_streaming());
        let count = clients().count();
        asking.answer(buffer, |part, buffer, seq| match part.checked_sub(1) {
            None => Some(status::daemon(context, buffer, seq)),
            Some(part) => match clients().nth(part) {
                Some(client) => Some(status::client(client, context.stream, buffer, seq)),
                None => status::port(context.ports, part - count, buffer, seq),
            },
        })
    }

    fn accept(&mut self, context: &mut Context<'_>) {
        for _ in 0..ACCEPTS_A_TURN {
            let connection = self.listener.accept().and_then(|socket| Connection::new(socket, context.now));
            let mut connection = match connection {
                Ok(connection) => connection,
                Err(Errno::EAGAIN) => return,
                Err(Errno::ECONNABORTED | Errno::EINTR) => continue,
                Err(_) => {
                    // The pending connection would wake each poll at once.
                    self.paused_until = Some(context.now.after(PAUSE));
                    return self.watch_listener(EpollFlags::empty());
                }
            };
            context.totals.connections += 1;
            let free = self.connections.iter().position(Option::is_none);
            let is_watched = |number: &usize| {
                let event = EpollEvent::new(connection.interest, *number as u64);
                self.epoll.add(&connection, event).is_ok()
            };
            let Some(number) = free.filter(is_watched) else {
                connection.refuse(TOO_MANY_CLIENTS, &mut self.buffer);
                context.totals.refused_connections += 1;
                continue;
            };
            self.connections[number] = Some(connection);
            // Most requests have arrived by now.
            self.take_turn(number, context, Connection::receive);
        }
    }

    /// Handles the poll events of a connection.
    fn handle(&mut self, number: usize, events: EpollFlags, context: &mut Context<'_>) {
        if events.intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) {
            return self.settle(number, Turn::Over, context);
        }
        if events.contains(EpollFlags::EPOLLOUT) {
            self.settle(number, Turn::GoesOn, context);
        }
        if events.contains(EpollFlags::EPOLLIN) {
            self.take_turn(number, context, Connection::receive);
        }
    }

    fn take_turn(
        &mut self,
        number: usize,
        context: &mut Context<'_>,
        turn: impl FnOnce(&mut Connection, &mut BoardStream, usize, &mut Buffer) -> Turn,
    ) {
        let clients = self.clients();
        let Self { connections, buffer, .. } = self;
        let Some(connection) = &mut connections[number] else { return };
        let others = clients - usize::from(connection.is_streaming());
        let turn = match turn(connection, context.stream, others, buffer) {
            // Reading input leaves the state of the delivery unchanged.
            Turn::Rests => connection.turn,
            turn => turn,
        };
        self.settle(number, turn, context);
    }

    /// Records the result of a turn, and closes a connection that is over.
    fn settle(&mut self, number: usize, turn: Turn, context: &mut Context<'_>) {
        let Some(connection) = &mut self.connections[number] else { return };
        let is_watched = connection.settle(turn).is_none_or(|interest| {
            self.epoll.modify(&*connection, &mut EpollEvent::new(interest, number as u64)).is_ok()
        });
        context.totals.refused_connections += u64::from(turn == Turn::Refused);
        if matches!(turn, Turn::Over | Turn::Refused) || !is_watched {
            connection.leave(context.stream);
            // Closing the socket removes it from the epoll.
            self.connections[number] = None;
        }
    }

    fn watch_listener(&self, interest: EpollFlags) {
        // Cannot fail for a registered descriptor.
        let _ = self.epoll.modify(&self.listener, &mut EpollEvent::new(interest, LISTENER));
    }
}

impl Service for Broker {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.epoll.0.as_fd())
    }

    fn deadline(&self) -> Option<Instant> {
        let connections = self.connections.iter().flatten();
        let waits =
            connections.filter_map(|connection| connection.waits_until().or(connection.gives_up_at()));
        waits.chain(self.paused_until).min()
    }

    fn is_busy(&mut self) -> bool {
        self.connections.iter().flatten().any(|connection| connection.turn == Turn::GoesOn)
    }

    /// Accepts connections and reads requests.
    fn ready(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        let mut events = [EpollEvent::empty(); CONNECTIONS + 1];
        let count = self.epoll.wait(&mut events, EpollTimeout::ZERO).unwrap_or_default();
        let mut has_new = false;
        for event in &events[..count] {
            match usize::try_from(event.data()) {
                Ok(number) if number < CONNECTIONS => self.handle(number, event.events(), context),
                _ => has_new = true,
            }
        }
        // Last, so that ended connections make room for new ones.
        if has_new {
            self.accept(context);
        }
        for number in 0..CONNECTIONS {
            let Some(connection) = &self.connections[number] else { continue };
            if connection.gives_up_at().is_some_and(|at| at <= now) {
                self.settle(number, Turn::Over, context);
            } else if connection.waits_until().is_some_and(|until| until <= now) {
                self.take_turn(number, context, |connection, stream, others, buffer| {
                    connection.begin(&Request::ALL, stream, others, buffer)
                });
            }
        }
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
            self.watch_listener(EpollFlags::EPOLLIN);
        }
    }

    /// Sends each client its deliveries while its send buffer has room.
    fn deliver(&mut self, context: &mut Context<'_>) {
        context.totals.clients = self.clients() as u64;
        for number in 0..CONNECTIONS {
            // Taken out, so that the answer can borrow the other connections.
            let Some(mut connection) = self.connections[number].take() else { continue };
            let turn = match connection.turn {
                Turn::Backpressure => None,
                _ if connection.is_asking() => Some(self.answer(&mut connection, context)),
                _ => Some(connection.deliver(context, &mut self.buffer)),
            };
            self.connections[number] = Some(connection);
            if let Some(turn) = turn {
                self.settle(number, turn, context);
            }
        }
        context.totals.clients = self.clients() as u64;
    }

    /// Sends every client the error that the daemon is ending.
    fn finish(mut self: Box<Self>, _context: &mut Context<'_>) {
        let Self { connections, buffer, .. } = &mut *self;
        for connection in connections.iter_mut().flatten() {
            connection.refuse(Refusal::Ending, buffer);
        }
    }
}
