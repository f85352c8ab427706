//! The thread: it reads whenever there is something, and sleeps otherwise.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::Duration;

use nix::poll::PollTimeout;

use super::Shared;
use super::reading::{Reading, Turn};
use super::ring::Writer;
use super::stall::WATCH_INTERVAL_MS;
use crate::doorbell::poll_in;
use crate::time::monotonic_now;

/// For how long a thread that was asked to end may go on reading what is queued.
const LAST_READS: Duration = Duration::from_secs(2);

/// Says that the thread has ended, in whatever way.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ended.store(true, Release);
        self.0.records.ring();
    }
}

/// Reads until the worker asks to end or the socket fails.
pub(super) fn until_stopped(shared: &Arc<Shared>, writer: Writer) -> io::Result<()> {
    let _ended = Ended(Arc::clone(shared));
    let mut reading = Reading::new(shared, writer);
    let mut stop_by = None;
    loop {
        let stop = shared.stop.load(Relaxed);
        if stop && monotonic_now() >= *stop_by.get_or_insert_with(|| monotonic_now().after(LAST_READS)) {
            return Ok(());
        }
        match reading.turn()? {
            Turn::NoRoom => wait_for_room(shared, &reading, stop)?,
            Turn::AtRest if stop => return Ok(()),
            Turn::AtRest => wait_for_socket(shared, &mut reading)?,
            Turn::MayHaveMore => {}
        }
    }
}

/// Sleeps until the socket has something or the worker asks to end.
fn wait_for_socket(shared: &Shared, reading: &mut Reading) -> io::Result<()> {
    let ending = &shared.ending;
    ending.arm();
    let mut rung = false;
    if !shared.stop.load(Relaxed) {
        let is_bounded = reading.is_watching();
        let timeout = if is_bounded { PollTimeout::from(WATCH_INTERVAL_MS) } else { PollTimeout::NONE };
        [rung, _] = poll_in([ending.as_fd(), shared.socket.as_fd()], timeout)?;
        reading.woke(is_bounded);
    }
    ending.disarm(rung);
    Ok(())
}

/// Sleeps until the worker has taken something; for a while only if it asked to end.
fn wait_for_room(shared: &Shared, reading: &Reading, stop: bool) -> io::Result<()> {
    let room = &shared.room;
    room.arm();
    let mut rung = false;
    if !reading.has_room() {
        let timeout = if stop { PollTimeout::from(WATCH_INTERVAL_MS) } else { PollTimeout::NONE };
        [rung] = poll_in([room.as_fd()], timeout)?;
    }
    room.disarm(rung);
    Ok(())
}
