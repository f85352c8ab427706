use std::time::Duration;

use crate::monotonic::Monotonic;

/// How long the intake looks after an event whether it is being held up.
const WATCH: Duration = Duration::from_secs(2);

/// How often it looks then.
pub(super) const WATCH_INTERVAL_MS: u16 = 100;

/// Measures how long the socket went unread although the intake was not waiting for it: the ring was
/// full, the processor was busy with others, the process was stopped.
///
/// While it waits in `poll`, a thread cannot tell a stop from a quiet line. So for two seconds after an
/// event it wakes up every 100 ms, and a longer sleep was a stall. A stop that begins later than that
/// is not measured; it costs no wake-ups while nothing happens.
#[derive(Debug)]
pub(super) struct StallWatch {
    /// When the socket was last read, or its `poll` came back.
    touched: Monotonic,
    watch_until: Monotonic,
    /// Whether the thread sleeps for no longer than [`WATCH_INTERVAL_MS`] now.
    is_watching: bool,
    /// Whether the thread sleeps because nothing is queued. That time is no stall, whoever reads next.
    is_waiting: bool,
    longest: Duration,
}

impl StallWatch {
    pub(super) fn starting_at(now: Monotonic) -> Self {
        Self {
            touched: now,
            watch_until: now,
            is_watching: false,
            is_waiting: false,
            longest: Duration::ZERO,
        }
    }

    /// The socket was read at `now`.
    pub(super) fn read(&mut self, now: Monotonic, brought_events: bool) {
        self.longest = self.longest.max(now.since(self.touched));
        self.touched = now;
        if brought_events {
            self.watch_until = now.after(WATCH);
        }
    }

    /// The thread sleeps from now on; returns whether it must come back after [`WATCH_INTERVAL_MS`].
    pub(super) fn begin_wait(&mut self, now: Monotonic) -> bool {
        (self.is_watching, self.is_waiting) = (now < self.watch_until, true);
        self.is_watching
    }

    /// Whether the thread sleeps for longer than it should since another has read an event.
    pub(super) fn sleeps_too_long(&self, now: Monotonic) -> bool {
        !self.is_watching && now < self.watch_until
    }

    /// Another thread reads at `now` in place of the one that waits.
    pub(super) fn stood_in(&mut self, now: Monotonic) {
        if self.is_waiting {
            self.count_wait(now, self.is_watching);
        }
    }

    /// A `poll` came back at `now`; `bounded` if it was to do so after [`WATCH_INTERVAL_MS`].
    pub(super) fn woke(&mut self, now: Monotonic, bounded: bool) {
        self.is_waiting = false;
        self.count_wait(now, bounded);
    }

    fn count_wait(&mut self, now: Monotonic, bounded: bool) {
        if bounded {
            let over =
                now.since(self.touched).saturating_sub(Duration::from_millis(WATCH_INTERVAL_MS.into()));
            self.longest = self.longest.max(over);
        }
        self.touched = now;
    }

    pub(super) const fn longest_us(&self) -> u64 {
        Monotonic::from_nanos(0).after(self.longest).as_micros()
    }
}

#[cfg(test)]
mod tests {
    use super::StallWatch;
    use crate::monotonic::Monotonic;

    fn at_ms(ms: u64) -> Monotonic {
        Monotonic::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn the_time_between_two_reads_is_a_stall() {
        let mut watch = StallWatch::starting_at(at_ms(0));
        watch.read(at_ms(5), true);
        watch.read(at_ms(35), true);
        watch.read(at_ms(40), false);
        assert_eq!(watch.longest_us(), 30_000);
    }

    #[test]
    fn waiting_is_none() {
        let mut watch = StallWatch::starting_at(at_ms(0));
        assert!(!watch.begin_wait(at_ms(0)));
        watch.woke(at_ms(60_000), false);
        watch.read(at_ms(60_000), true);
        assert!(watch.sleeps_too_long(at_ms(61_999)) && !watch.sleeps_too_long(at_ms(62_000)));
        assert!(watch.begin_wait(at_ms(61_999)) && !watch.sleeps_too_long(at_ms(61_999)));
        assert!(!watch.begin_wait(at_ms(62_000)) && watch.begin_wait(at_ms(61_999)));
        watch.woke(at_ms(60_100), true);
        assert_eq!(watch.longest_us(), 0);
    }

    #[test]
    fn i8_idle_time_is_no_stall_when_another_thread_reads() {
        let mut watch = StallWatch::starting_at(at_ms(0));
        assert!(!watch.begin_wait(at_ms(0)));
        watch.stood_in(at_ms(10_000));
        watch.read(at_ms(10_000), true);
        // What that thread did in between delayed no read either: the waiting one would have been woken.
        watch.stood_in(at_ms(11_000));
        watch.read(at_ms(11_000), false);
        assert_eq!(watch.longest_us(), 0);
        watch.woke(at_ms(11_000), false);
        assert!(watch.begin_wait(at_ms(11_000)));
        watch.stood_in(at_ms(11_900));
        assert_eq!(watch.longest_us(), 800_000, "the watching thread should have come back");
        watch.woke(at_ms(11_900), true);
        watch.stood_in(at_ms(13_000));
        watch.read(at_ms(13_000), true);
        assert_eq!(watch.longest_us(), 1_100_000, "the thread was not waiting");
    }

    #[test]
    fn a_wait_that_should_have_ended_long_ago_is_one() {
        let mut watch = StallWatch::starting_at(at_ms(0));
        watch.read(at_ms(0), true);
        watch.woke(at_ms(1_600), true);
        assert_eq!(watch.longest_us(), 1_500_000);
    }
}
