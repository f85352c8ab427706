//! When sysfs is scanned: at the start, after a loss, and once after a burst.

use core::time::Duration;

use crate::presence::ScanKind;

/// How long after the last event a burst is over.
pub const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// How long after a settle scan the next one begins at the earliest.
pub const SETTLE_INTERVAL: Duration = Duration::from_secs(10);

/// How long after a repair the next one begins at the earliest, where losses go on.
pub const REPAIR_INTERVAL: Duration = Duration::from_millis(100);

/// A repair that takes long is begun more rarely: this many times as long passes between two.
const REPAIR_SHARE: u32 = 4;

/// Says when the next scan is due. Times are those since boot, and come from the caller.
///
/// ```
/// use core::time::Duration;
/// use sureplug_core::presence::ScanKind;
/// use sureplug_core::schedule::Schedule;
///
/// let second = Duration::from_secs;
/// let mut schedule = Schedule::new();
/// assert_eq!(schedule.due(second(50)), Some(ScanKind::Start));
/// schedule.began(ScanKind::Start, second(50));
/// schedule.ended(second(50));
/// assert_eq!(schedule.wake_at(), None);
/// schedule.event(second(60));
/// assert_eq!(schedule.wake_at(), Some(second(62)));
/// assert_eq!(schedule.due(second(62)), Some(ScanKind::Settle));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    started: bool,
    /// Whether something was lost that no scan begun since has made good.
    lossy: bool,
    /// The last event that came after the last settle scan began.
    last_event: Option<Duration>,
    begun: Duration,
    repair_from: Duration,
    settle_from: Duration,
}

impl Schedule {
    /// Nothing was scanned yet: the first scan is due.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            started: false,
            lossy: false,
            last_event: None,
            begun: Duration::ZERO,
            repair_from: Duration::ZERO,
            settle_from: Duration::ZERO,
        }
    }

    /// An event came.
    pub const fn event(&mut self, now: Duration) {
        self.last_event = Some(now);
    }

    /// Something was lost, which counts as a burst as well.
    pub const fn loss(&mut self, now: Duration) {
        self.lossy = true;
        self.last_event = Some(now);
    }

    /// Whether something was lost that no scan begun since has made good.
    #[must_use]
    pub const fn is_lossy(&self) -> bool {
        self.lossy
    }

    /// Whether the first scan has begun.
    #[must_use]
    pub const fn has_started(&self) -> bool {
        self.started
    }

    /// A scan begins.
    pub const fn began(&mut self, kind: ScanKind, now: Duration) {
        self.begun = now;
        match kind {
            // What was lost before is found by this one as well, but what stayed is not told to have
            // changed: that was told for the first time.
            ScanKind::Start => self.started = true,
            ScanKind::Repair => self.lossy = false,
            ScanKind::Settle => {
                self.last_event = None;
                self.settle_from = now.saturating_add(SETTLE_INTERVAL);
            }
        }
    }

    /// The scan has ended.
    pub fn ended(&mut self, now: Duration) {
        let pause = now.saturating_sub(self.begun).saturating_mul(REPAIR_SHARE).max(REPAIR_INTERVAL);
        self.repair_from = now.saturating_add(pause);
    }

    /// The scan that should begin now.
    #[must_use]
    pub fn due(&self, now: Duration) -> Option<ScanKind> {
        if !self.started {
            Some(ScanKind::Start)
        } else if self.lossy && now >= self.repair_from {
            Some(ScanKind::Repair)
        } else if self.settle_at().is_some_and(|at| now >= at) {
            // One that finds what was lost is the repair of that.
            Some(if self.lossy { ScanKind::Repair } else { ScanKind::Settle })
        } else {
            None
        }
    }

    /// When the next scan is due if nothing happens; `None` if none is.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        if !self.started {
            return Some(Duration::ZERO);
        }
        let repair = self.lossy.then_some(self.repair_from);
        repair.into_iter().chain(self.settle_at()).min()
    }

    fn settle_at(&self) -> Option<Duration> {
        self.last_event.map(|at| at.saturating_add(SETTLED_AFTER).max(self.settle_from))
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{REPAIR_INTERVAL, Schedule};
    use crate::presence::ScanKind;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn started() -> Schedule {
        let mut schedule = Schedule::new();
        schedule.began(ScanKind::Start, ms(1_000));
        schedule.ended(ms(1_000));
        schedule
    }

    #[test]
    fn a_burst_settles_once_two_seconds_after_its_last_event() {
        let mut schedule = started();
        for at in [20_000, 20_500, 21_900] {
            schedule.event(ms(at));
            assert_eq!(schedule.due(ms(at + 1_999)), None);
        }
        assert_eq!(schedule.wake_at(), Some(ms(23_900)));
        assert_eq!(schedule.due(ms(23_900)), Some(ScanKind::Settle));
        schedule.began(ScanKind::Settle, ms(23_900));
        schedule.ended(ms(23_905));
        assert_eq!((schedule.due(ms(99_000)), schedule.wake_at()), (None, None));
    }

    #[test]
    fn settle_scans_are_ten_seconds_apart() {
        let mut schedule = started();
        schedule.event(ms(20_000));
        schedule.began(ScanKind::Settle, ms(22_000));
        schedule.ended(ms(22_001));
        schedule.event(ms(23_000));
        assert_eq!((schedule.due(ms(31_999)), schedule.wake_at()), (None, Some(ms(32_000))));
        assert_eq!(schedule.due(ms(32_000)), Some(ScanKind::Settle));
    }

    #[test]
    fn a_loss_is_repaired_at_once_and_then_not_without_a_pause() {
        let mut schedule = started();
        schedule.loss(ms(5_000));
        assert_eq!((schedule.due(ms(5_000)), schedule.is_lossy()), (Some(ScanKind::Repair), true));
        schedule.began(ScanKind::Repair, ms(5_000));
        // While it runs, the next is noticed.
        schedule.loss(ms(5_010));
        schedule.ended(ms(5_050));
        assert_eq!(schedule.due(ms(5_249)), None);
        assert_eq!(schedule.due(ms(5_250)), Some(ScanKind::Repair));
        schedule.began(ScanKind::Repair, ms(5_250));
        schedule.ended(ms(5_251));
        assert!(!schedule.is_lossy());
        // A repair is part of a burst: it settles.
        assert_eq!(schedule.wake_at(), Some(ms(7_010)));
        schedule.loss(ms(5_252));
        assert_eq!(schedule.wake_at(), Some(ms(5_251) + REPAIR_INTERVAL));
    }

    #[test]
    fn what_is_found_after_a_loss_is_its_repair() {
        let mut schedule = started();
        schedule.began(ScanKind::Repair, ms(5_000));
        schedule.loss(ms(5_010));
        // It took so long that the next may begin only after the burst has settled.
        schedule.ended(ms(6_000));
        assert_eq!((schedule.due(ms(7_009)), schedule.due(ms(7_010))), (None, Some(ScanKind::Repair)));
    }

    #[test]
    fn a_loss_before_the_first_scan_is_repaired_after_it() {
        let mut schedule = Schedule::new();
        schedule.loss(ms(10));
        assert_eq!(schedule.due(ms(10)), Some(ScanKind::Start));
        schedule.began(ScanKind::Start, ms(10));
        schedule.ended(ms(12));
        assert_eq!(schedule.due(ms(500)), Some(ScanKind::Repair));
    }
}
