//! Not more lines than somebody wants to read.

use std::time::Duration;

use sureplug_core::time::Instant;

/// Lets some lines through in each interval, and counts the others. The same rule as the kernel's own
/// (`___ratelimit` in `lib/ratelimit.c`).
///
/// ```
/// use std::time::Duration;
/// # use sureplug_core::time::Instant;
/// use sureplug_board::service::log::rate_limit::RateLimit;
///
/// let mut limit = RateLimit::new(2, Duration::from_secs(5));
/// let at = |second| Instant::BOOT.after(Duration::from_secs(second));
/// assert_eq!([limit.admit(at(1)), limit.admit(at(2)), limit.admit(at(3))], [Some(0), Some(0), None]);
/// // One was held back.
/// assert_eq!(limit.admit(at(6)), Some(1));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    burst: u32,
    interval: Duration,
    began: Instant,
    admitted: u32,
    held_back: u64,
}

impl RateLimit {
    /// So many lines in each interval.
    #[must_use]
    pub const fn new(burst: u32, interval: Duration) -> Self {
        Self { burst, interval, began: Instant::BOOT, admitted: 0, held_back: 0 }
    }

    /// Whether a line may pass at that time, and then how many were held back before it.
    pub fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.admitted == 0 || now.since(self.began) >= self.interval {
            (self.began, self.admitted) = (now, 0);
        }
        if self.admitted == self.burst {
            self.held_back = self.held_back.saturating_add(1);
            return None;
        }
        self.admitted += 1;
        Some(core::mem::take(&mut self.held_back))
    }
}
