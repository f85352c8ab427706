//! The time since boot, written as the kernel's log does.

use std::fmt;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// A point in time by `CLOCK_MONOTONIC`, which counts from boot and stands still in suspend. The stamps of
/// the kernel's log come from `local_clock`, which begins with it and may be some milliseconds apart later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Monotonic {
    nanos: u64,
}

impl Monotonic {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        // Fails for no clock id that Linux knows (clock_gettime(2)).
        let since_boot = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from);
        Self { nanos: nanos(since_boot) }
    }

    /// From nanoseconds since boot.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self { nanos }
    }

    /// From the time since boot.
    #[must_use]
    pub const fn from_since_boot(since_boot: Duration) -> Self {
        Self { nanos: nanos(since_boot) }
    }

    /// Nanoseconds since boot; 64 bits last for 584 years.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.nanos
    }

    /// Microseconds since boot.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.nanos / 1_000
    }

    /// The time since boot.
    #[must_use]
    pub const fn since_boot(self) -> Duration {
        Duration::from_nanos(self.nanos)
    }

    /// The point in time `later` after this one.
    #[must_use]
    pub const fn after(self, later: Duration) -> Self {
        Self { nanos: self.nanos.saturating_add(nanos(later)) }
    }

    /// The time from `earlier` to here; zero if it is the other way round.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos.saturating_sub(earlier.nanos))
    }
}

/// Returns the processor time of the calling thread: its work, without what it waited for or was stopped.
pub(crate) fn work_time() -> Duration {
    // Fails for no clock id that Linux knows (clock_gettime(2)).
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Microseconds of a duration; `Duration::as_micros` has 128 bits.
pub(crate) const fn micros(duration: Duration) -> u64 {
    nanos(duration) / 1_000
}

/// `Duration::as_nanos` has 128 bits, which 32-bit boards need not compute with.
const fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos() as u64)
}

impl fmt::Display for Monotonic {
    /// As `printk` writes it: `[   18.618473]` (`print_time` in `kernel/printk/printk.c`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.as_micros();
        write!(f, "[{:5}.{:06}]", micros / 1_000_000, micros % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::Monotonic;

    #[test]
    fn shown_as_in_the_kernels_log() {
        assert_eq!(Monotonic::from_nanos(18_618_473_999).to_string(), "[   18.618473]");
        assert_eq!(Monotonic::from_nanos(123_456_000_001_000).to_string(), "[123456.000001]");
    }

    #[test]
    fn goes_forward() {
        let earlier = Monotonic::now();
        assert!(Monotonic::now() >= earlier && earlier > Monotonic::from_nanos(0));
        assert_eq!(Monotonic::from_nanos(earlier.as_nanos()), earlier);
    }
}
