use std::time::Duration;

use sureplug_core::time::Instant;

/// How long the intake checks for stalls after an event.
const WATCH: Duration = Duration::from_secs(2);

/// The interval of these checks.
pub(super) const WATCH_INTERVAL_MS: u16 = 100;

/// Measures how long the socket went unread while the intake was not waiting for it: the ring was
/// full, the processor was busy, or the process was stopped.
///
/// A thread that sleeps in `poll` cannot distinguish a stop from a quiet socket. For two seconds
/// after an event it therefore wakes up every 100 ms, and a longer sleep was a stall. A stop that
/// begins later is not measured, so that an idle socket costs no wake-ups.
/// is not measured; it costs no wake-ups while nothing happens.
#[derive(Debug)]
pub(super) struct StallWatch {
    /// The time of the last read of the socket, or of the last return of `poll`.
    touched: Instant,
    watch_until: Instant,
    longest: Duration,
}

impl StallWatch {
    pub(super) fn starting_at(now: Instant) -> Self {
        Self { touched: now, watch_until: now, longest: Duration::ZERO }
    }

    /// Notes that the socket was read at `now`.
    pub(super) fn read(&mut self, now: Instant, brought_events: bool) {
        self.longest = self.longest.max(now.since(self.touched));
        self.touched = now;
        if brought_events {
            self.watch_until = now.after(WATCH);
        }
    }

    /// Returns `true` if a `poll` that begins at `now` must end after [`WATCH_INTERVAL_MS`].
    pub(super) fn is_watching(&self, now: Instant) -> bool {
        now < self.watch_until
    }

    /// Notes that a `poll` ended at `now`. It was `bounded` if it had to end after
    /// [`WATCH_INTERVAL_MS`].
    pub(super) fn woke(&mut self, now: Instant, bounded: bool) {
        if bounded {
            let over =
                now.since(self.touched).saturating_sub(Duration::from_millis(WATCH_INTERVAL_MS.into()));
            self.longest = self.longest.max(over);
        }
        self.touched = now;
    }

    pub(super) const fn longest_us(&self) -> u64 {
        Instant::BOOT.after(self.longest).as_micros()
    }
}

#[cfg(test)]
mod tests {
    use super::StallWatch;
    use sureplug_core::time::Instant;

    fn at_ms(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
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
    fn i8_idle_time_is_no_stall() {
        let mut watch = StallWatch::starting_at(at_ms(0));
        assert!(!watch.is_watching(at_ms(0)));
        watch.woke(at_ms(60_000), false);
        watch.read(at_ms(60_000), true);
        assert!(watch.is_watching(at_ms(61_999)) && !watch.is_watching(at_ms(62_000)));
        watch.woke(at_ms(60_100), true);
        assert_eq!(watch.longest_us(), 0);
    }

    #[test]
    fn a_wait_that_should_have_ended_long_ago_is_one() {
        let mut watch = StallWatch::starting_at(at_ms(0));
        watch.read(at_ms(0), true);
        watch.woke(at_ms(1_600), true);
        assert_eq!(watch.longest_us(), 1_500_000);
    }
}
