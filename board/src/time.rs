//! Reads the clocks.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use sureplug_core::time::Instant;

/// Returns the time of `CLOCK_MONOTONIC`.
#[must_use]
pub fn monotonic_now() -> Instant {
    Instant::BOOT.after(read(ClockId::CLOCK_MONOTONIC))
}

/// Returns the processor time of the calling thread, which excludes the time in which it waited or
/// was preempted.
pub(crate) fn work_time() -> Duration {
    read(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

fn read(clock: ClockId) -> Duration {
    // This cannot fail for a clock that Linux knows (`clock_gettime(2)`).
    clock_gettime(clock).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use sureplug_core::time::Instant;

    use super::monotonic_now;

    #[test]
    fn the_monotonic_clock_goes_forward() {
        let earlier = monotonic_now();
        assert!(monotonic_now() >= earlier && earlier > Instant::BOOT);
    }
}
