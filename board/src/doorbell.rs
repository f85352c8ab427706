//! Wakes another thread, with a system call only if it sleeps.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering, fence};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{pipe2, read, write};

use crate::sys::retry;

/// Wakes a thread that sleeps in a poll of the doorbell and other descriptors.
///
/// The sleeping thread arms the doorbell, checks *once more* for work, and only then polls
/// [`as_fd`](AsFd::as_fd). After waking up it disarms the doorbell. The other thread first creates
/// work and then calls [`ring`](Self::ring). So the sleeping thread either sees the work or is
/// woken.
#[derive(Debug)]
pub struct Doorbell {
    armed: AtomicBool,
    /// A pipe, because a write to it wakes the reader on the writer's own processor, which is about
    /// to be idle (`wake_up_interruptible_sync_poll` in `pipe_write`, `fs/pipe.c`). Waking an idle
    /// processor takes longer. The pipe holds at most a few bytes.
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Doorbell {
    /// Creates a doorbell that is not armed.
    ///
    /// # Errors
    ///
    /// Returns the error of `pipe2(2)` if no descriptor is left.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Self { armed: AtomicBool::new(false), reader, writer })
    }

    /// Sleeps until the doorbell is rung.
    ///
    /// Arms the doorbell, checks once more whether the thread `may_sleep`, calls `sleep` with the
    /// answer, and disarms the doorbell. `sleep` must only poll if the thread may not sleep. It
    /// returns whether the doorbell was rung, and a result.
    ///
    /// # Errors
    ///
    /// Returns the error of `sleep`.
    pub(crate) fn wait<T>(
        &self,
        may_sleep: impl FnOnce() -> bool,
        sleep: impl FnOnce(bool) -> io::Result<(bool, T)>,
    ) -> io::Result<T> {
        self.arm();
        let slept = sleep(may_sleep());
        self.disarm(matches!(slept, Ok((true, _))));
        Ok(slept?.1)
    }

    /// Sleeps at most for `timeout`, or until `other` has input. Returns `true` if it has.
    ///
    /// # Errors
    ///
    /// Returns the error of `poll(2)`.
    pub(crate) fn wait_or(
        &self,
        other: Option<BorrowedFd<'_>>,
        timeout: PollTimeout,
        may_sleep: impl FnOnce() -> bool,
    ) -> io::Result<bool> {
        self.wait(may_sleep, |may_sleep| {
            let timeout = if may_sleep { timeout } else { PollTimeout::ZERO };
            let bell = self.as_fd();
            let [rung, has_input] = poll_in([bell, other.unwrap_or(bell)], timeout)?;
            Ok((rung, has_input && other.is_some()))
        })
    }

    /// Announces that this thread is about to sleep.
    pub(crate) fn arm(&self) {
        self.armed.store(true, Ordering::Relaxed);
        // This fence orders the announcement before the second check. The fence in `ring` orders
        // the work before the check of the announcement. So one of the two threads sees the other.
        fence(Ordering::SeqCst);
    }

    /// Withdraws the announcement, and consumes the ring if the poll saw it (`rung`). The next poll
    /// sees a later ring.
    pub(crate) fn disarm(&self, rung: bool) {
        self.armed.store(false, Ordering::Relaxed);
        if rung {
            // This fails only with `EAGAIN`: the pipe is empty already.
            let _ = read(&self.reader, &mut [0; 8]);
        }
    }

    /// Wakes the other thread if it sleeps or is about to.
    pub fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.armed.swap(false, Ordering::Relaxed) {
            // This fails only with `EAGAIN`: the full pipe is readable already.
            let _ = retry(|| write(&self.writer, &[1]));
        }
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

/// Sleeps at most for `timeout`, or until one of the descriptors has input. Returns for each
/// whether it has. A signal handler ends the sleep too.
///
/// # Errors
///
/// Returns the error of `poll(2)`.
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

/// Sleeps at most for `timeout`, until `output` can be written or its reader is gone, or until
/// `other` has input. Returns `true` if `output` can be written or its reader is gone.
///
/// # Errors
///
/// Returns the error of `poll(2)`.
pub(crate) fn poll_out(
    output: BorrowedFd<'_>,
    other: Option<BorrowedFd<'_>>,
    timeout: PollTimeout,
) -> io::Result<bool> {
    let (other, input) = other.map_or((output, PollFlags::empty()), |other| (other, PollFlags::POLLIN));
    let mut fds = [PollFd::new(output, PollFlags::POLLOUT), PollFd::new(other, input)];
    retry(|| poll(&mut fds, timeout))?;
    Ok(fds[0].any() == Some(true))
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
                let is_in_time = bell.wait(
                    || made.load(Ordering::Acquire) == seen,
                    |may_sleep| {
                        let rung = may_sleep && rings(&bell, 10_000);
                        Ok((rung, rung || !may_sleep))
                    },
                );
                assert!(is_in_time.unwrap(), "asleep with {seen} of {ROUNDS} seen");
            }
        });
    }
}
