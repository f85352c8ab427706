//! Points in time. The span between two is a [`Duration`].

use core::fmt;
use core::time::Duration;

/// A point in time: nanoseconds since boot on `CLOCK_MONOTONIC`, which stops during suspend.
///
/// The kernel log is stamped by `local_clock`, which starts together with this clock and may drift
/// from it by some milliseconds. 64 bits last 584 years; later times saturate.
///
/// ```
/// use core::time::Duration;
/// use sureplug_core::time::Instant;
///
/// let plugged = Instant::from_nanos(18_618_473_999);
/// let settled = plugged.after(Duration::from_secs(2));
/// assert_eq!(settled.since(plugged), Duration::from_secs(2));
/// assert_eq!(plugged.since(settled), Duration::ZERO);
/// assert_eq!(plugged.to_string(), "[   18.618473]");
/// # use std::string::ToString;
/// # extern crate std;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Instant {
    nanos: u64,
}

impl Instant {
    /// The start of the clock.
    pub const BOOT: Self = Self { nanos: 0 };

    /// Returns the point in time that many nanoseconds after boot.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self { nanos }
    }

    /// Returns the nanoseconds since boot.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.nanos
    }

    /// Returns the microseconds since boot.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.nanos / 1_000
    }

    /// Returns the point in time `later` after this one.
    #[must_use]
    pub const fn after(self, later: Duration) -> Self {
        Self { nanos: self.nanos.saturating_add(nanos(later)) }
    }

    /// Returns the time from `earlier` to this point; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos.saturating_sub(earlier.nanos))
    }
}

impl fmt::Display for Instant {
    /// Writes the time as `printk` does: `[   18.618473]` (`print_time` in
    /// `kernel/printk/printk.c`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.as_micros();
        write!(f, "[{:5}.{:06}]", micros / 1_000_000, micros % 1_000_000)
    }
}

/// Returns the microseconds of a span as 64 bits, unlike `Duration::as_micros`.
#[must_use]
pub const fn micros(span: Duration) -> u64 {
    nanos(span) / 1_000
}

/// Avoids the 128-bit arithmetic of `Duration::as_nanos`, which is slow on 32-bit boards.
const fn nanos(span: Duration) -> u64 {
    span.as_secs().saturating_mul(1_000_000_000).saturating_add(span.subsec_nanos() as u64)
}
