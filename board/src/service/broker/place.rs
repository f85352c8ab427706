//! A client's place at the table: whose turn it is, and what it is polled for.

use std::time::Duration;

use nix::sys::epoll::EpollFlags;
use sureplug_core::time::Instant;

use super::session::{Session, Turn};
use crate::time::monotonic_now;

/// For how long one that gets an answer that ends may take nothing of it: the places for such are few.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

/// A client, and how its last turn ended.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) session: Session,
    pub(super) turn: Turn,
    /// What it is polled for.
    pub(super) interest: EpollFlags,
    /// Since when its send buffer has been full.
    blocked_since: Option<Instant>,
}

impl Place {
    pub(super) const fn new(session: Session) -> Self {
        Self { session, turn: Turn::Rests, interest: EpollFlags::EPOLLIN, blocked_since: None }
    }

    /// Whether it has asked how the daemon is, and there may be room for the answer.
    pub(super) fn is_asking(&self) -> bool {
        self.session.is_asking() && self.turn != Turn::Blocked
    }

    /// Whether it has kept a place that others need for long enough.
    pub(super) fn is_given_up(&self, now: Instant) -> bool {
        self.gives_up_at().is_some_and(|at| at <= now)
    }

    /// When something is due if it says and reads nothing.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.session.waits_until().or(self.gives_up_at())
    }

    fn gives_up_at(&self) -> Option<Instant> {
        self.blocked_since.filter(|_| self.session.is_passing()).map(|since| since.after(GIVE_UP_AFTER))
    }

    /// Notes how a turn ended; returns what to poll it for from now on, if that is something else.
    pub(super) fn settle(&mut self, turn: Turn) -> Option<EpollFlags> {
        match turn {
            Turn::Blocked if self.turn == Turn::Blocked => {}
            Turn::Blocked => self.blocked_since = Some(monotonic_now()),
            _ => self.blocked_since = None,
        }
        self.turn = turn;
        let mut interest = EpollFlags::empty();
        interest.set(EpollFlags::EPOLLIN, self.session.may_speak());
        interest.set(EpollFlags::EPOLLOUT, turn == Turn::Blocked);
        let before = std::mem::replace(&mut self.interest, interest);
        (interest != before).then_some(interest)
    }
}
