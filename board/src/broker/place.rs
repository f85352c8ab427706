//! A client's place at the table: whose turn it is, and what it is polled for.

use std::time::Duration;

use nix::sys::epoll::EpollFlags;

use super::session::{Session, Turn};
use crate::monotonic::Monotonic;

/// For how long the worker may leave events where they are, for a client whose send buffer has just filled up: long enough
/// for a reader that is awake.
const PATIENCE: Duration = Duration::from_millis(2);

/// A client, and how its last turn ended.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) session: Session,
    pub(super) turn: Turn,
    /// What it is polled for.
    pub(super) interest: EpollFlags,
    /// Until when others may wait a moment for it to read, once it was blocked.
    pub(super) patience: Option<Monotonic>,
}

impl Place {
    pub(super) const fn new(session: Session) -> Self {
        Self { session, turn: Turn::Rests, interest: EpollFlags::EPOLLIN, patience: None }
    }

    /// Notes how a turn ended; returns what to poll it for from now on, if that is something else.
    pub(super) fn settle(&mut self, turn: Turn) -> Option<EpollFlags> {
        match turn {
            Turn::Blocked if self.turn == Turn::Blocked => {}
            Turn::Blocked => self.patience = Some(Monotonic::now().after(PATIENCE)),
            _ => self.patience = None,
        }
        self.turn = turn;
        let mut interest = EpollFlags::empty();
        interest.set(EpollFlags::EPOLLIN, self.session.may_speak());
        interest.set(EpollFlags::EPOLLOUT, turn == Turn::Blocked);
        let before = std::mem::replace(&mut self.interest, interest);
        (interest != before).then_some(interest)
    }
}
