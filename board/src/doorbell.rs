//! Waking the other thread, with a system call only if it sleeps.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering, fence};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{pipe2, read, write};

/// One thread sleeps on a doorbell together with whatever else it polls; another rings it.
///
/// The sleeper [`arm`](Self::arm)s it, looks *once more* whether there is something to do, and only
/// then polls [`as_fd`](AsFd::as_fd); awake again it [`disarm`](Self::disarm)s it. The other thread makes something to do first and
/// [`ring`](Self::ring)s then. So either the sleeper sees the work, or it is woken.
#[derive(Debug)]
pub struct Doorbell {
    armed: AtomicBool,
    /// A pipe, since what is written to one wakes its reader on the writer's own processor, which is about to be free
    /// (`wake_up_interruptible_sync_poll`, `pipe_write` in `fs/pipe.c`): to wake an idle one takes longer. It holds
    /// one byte at most.
    hears: OwnedFd,
    rings: OwnedFd,
}

impl Doorbell {
    /// Makes one that is not armed.
    ///
    /// # Errors
    ///
    /// What `pipe(2)` says: no descriptor is left.
    pub fn new() -> io::Result<Self> {
        let (hears, rings) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Self { armed: AtomicBool::new(false), hears, rings })
    }

    /// Announces that this thread is about to sleep.
    pub fn arm(&self) {
        self.armed.store(true, Ordering::Relaxed);
        // Orders the announcement before the second look, as the fence in `ring` orders the work before
        // the look at the announcement: one of the two threads sees the other.
        fence(Ordering::SeqCst);
    }

    /// This thread is awake again: takes the announcement back, and the ringing if the poll saw it
    /// (`rung`). One that comes in between is seen by the next poll.
    pub fn disarm(&self, rung: bool) {
        self.armed.store(false, Ordering::Relaxed);
        if rung {
            // Fails only with EAGAIN, which leaves nothing to take.
            let _ = read(&self.hears, &mut [0; 8]);
        }
    }

    /// Wakes the other thread if it sleeps or is about to.
    pub fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.armed.swap(false, Ordering::Relaxed) {
            // Fails only with EAGAIN, when the pipe is full: then it is readable already.
            while write(&self.rings, &[1]) == Err(Errno::EINTR) {}
        }
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.hears.as_fd()
    }
}

/// Sleeps until one of the descriptors has something to read, for `timeout` at most, and says which have.
/// A signal handler that comes between wakes it as well.
///
/// # Errors
///
/// What `poll(2)` says.
pub(crate) fn poll_in<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    timeout: PollTimeout,
) -> io::Result<[bool; N]> {
    let mut fds = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    match poll(&mut fds, timeout) {
        Ok(_) => Ok(fds.map(|fd| fd.any() == Some(true))),
        Err(Errno::EINTR) => Ok([false; N]),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use nix::poll::PollTimeout;

    use super::{Doorbell, poll_in};

    fn rings(bell: &Doorbell, timeout_ms: u16) -> bool {
        poll_in([bell.as_fd()], PollTimeout::from(timeout_ms)).unwrap() == [true]
    }

    #[test]
    fn rings_only_when_armed() {
        let bell = Doorbell::new().unwrap();
        bell.ring();
        assert!(!rings(&bell, 0));
        bell.arm();
        bell.ring();
        assert!(rings(&bell, 0));
        bell.disarm(true);
        assert!(!rings(&bell, 0));
    }

    #[test]
    fn a_ringing_that_comes_late_wakes_once_and_not_for_ever() {
        let bell = Doorbell::new().unwrap();
        bell.arm();
        assert!(!rings(&bell, 0));
        bell.ring();
        bell.disarm(false);
        bell.arm();
        assert!(rings(&bell, 0));
        bell.disarm(true);
        bell.arm();
        assert!(!rings(&bell, 0));
    }

    #[test]
    fn no_wake_up_is_lost() {
        const ROUNDS: u32 = 20_000;
        let bell = Doorbell::new().unwrap();
        let made = AtomicU32::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    made.fetch_add(1, Ordering::Release);
                    bell.ring();
                }
            });
            let mut seen = 0;
            while seen < ROUNDS {
                let now = made.load(Ordering::Acquire);
                if now != seen {
                    seen = now;
                    continue;
                }
                bell.arm();
                let asleep = made.load(Ordering::Acquire) == seen;
                if asleep {
                    assert!(rings(&bell, 10_000), "asleep with {seen} of {ROUNDS} seen");
                }
                bell.disarm(asleep);
            }
        });
    }
}
