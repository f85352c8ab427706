//! When sysfs is scanned: at the start, after a loss, after a scan that could not read everything, and once after a
//! burst.

use core::time::Duration;

use crate::stream::table::ScanKind;

/// How long after the last event a burst is over.
pub const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// The time between two settle scans: at least, and at most while events go on.
pub const SETTLE_INTERVAL: Duration = Duration::from_secs(10);

/// The shortest pause between a scan and the resync of a later loss.
pub const REPAIR_INTERVAL: Duration = Duration::from_millis(100);

/// The longest such pause, however much work the scan was.
pub const MAX_REPAIR_PAUSE: Duration = Duration::from_secs(2);

/// A scan that was much work is followed by a longer pause: this many times the processor time that it took.
const REPAIR_SHARE: u32 = 4;

/// The pause after the first scan that could not read everything. It doubles with each further one.
pub const FIRST_RETRY: Duration = Duration::from_millis(250);

/// The longest pause after a scan that could not read everything.
pub const MAX_RETRY: Duration = Duration::from_secs(30);

/// How well the device table agrees with sysfs, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Agreement {
    /// The first scan has not ended.
    Starting,
    /// Events were lost, or sysfs could not be read, and no complete scan has followed.
    Lossy,
    /// The table agrees with sysfs.
    Steady,
}

/// What the last scan that matters is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first one has not begun.
    Unstarted,
    /// The first one runs.
    First,
    /// One runs that resyncs a loss.
    Resync,
    /// It has ended.
    Ended,
}

/// Decides when the next scan is due. Times are those since boot, and come from the caller.
///
/// ```
/// use core::time::Duration;
/// use sureplug_core::stream::table::ScanKind;
/// use sureplug_core::stream::schedule::Schedule;
///
/// let second = Duration::from_secs;
/// let mut schedule = Schedule::new();
/// assert_eq!(schedule.due(second(50)), Some(ScanKind::Start));
/// schedule.began(ScanKind::Start, second(50));
/// schedule.ended(second(50), Duration::ZERO, true);
/// assert_eq!(schedule.wake_at(), None);
/// schedule.event(second(60));
/// assert_eq!(schedule.wake_at(), Some(second(62)));
/// assert_eq!(schedule.due(second(62)), Some(ScanKind::Settle));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    phase: Phase,
    /// Whether something was lost since the last scan began that resyncs.
    lossy: bool,
    /// The pause before the next attempt, if the last scan could not read everything.
    retry: Option<Duration>,
    /// Whether an event came since the last settle scan began.
    unsettled: bool,
    /// When the present burst began, or the last settle scan within it.
    burst_since: Duration,
    /// When the present burst is over.
    burst_until: Duration,
    repair_from: Duration,
    settle_from: Duration,
    /// The earliest time of the first scan, or of the next attempt after one that could not read everything.
    retry_from: Duration,
}

impl Schedule {
    /// Returns a schedule whose first scan is due.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            phase: Phase::Unstarted,
            lossy: false,
            retry: None,
            unsettled: false,
            burst_since: Duration::ZERO,
            burst_until: Duration::ZERO,
            repair_from: Duration::ZERO,
            settle_from: Duration::ZERO,
            retry_from: Duration::ZERO,
        }
    }

    /// Notes an event.
    pub fn event(&mut self, now: Duration) {
        if now >= self.burst_until {
            self.burst_since = now;
        }
        self.burst_until = now.saturating_add(SETTLED_AFTER);
        self.unsettled = true;
    }

    /// Notes a loss, which counts as a burst as well.
    pub fn loss(&mut self, now: Duration) {
        self.lossy = true;
        self.event(now);
    }

    /// Returns `true` if something was lost that no scan begun since covers.
    #[must_use]
    pub const fn is_lossy(&self) -> bool {
        self.lossy
    }

    /// Returns how well the table agrees with sysfs.
    #[must_use]
    pub const fn agreement(&self) -> Agreement {
        match self.phase {
            Phase::Unstarted | Phase::First => Agreement::Starting,
            Phase::Ended if !self.lossy && self.retry.is_none() => Agreement::Steady,
            Phase::Ended | Phase::Resync => Agreement::Lossy,
        }
    }

    /// Notes that a scan begins.
    pub const fn began(&mut self, kind: ScanKind, now: Duration) {
        match kind {
            // It finds what was lost before as well, but sends no `change` for what stayed: that is new to everyone.
            ScanKind::Start => self.phase = Phase::First,
            ScanKind::Repair => (self.lossy, self.phase) = (false, Phase::Resync),
            ScanKind::Settle => {
                (self.unsettled, self.burst_since) = (false, now);
                self.settle_from = now.saturating_add(SETTLE_INTERVAL);
            }
        }
    }

    /// Notes that the scan has ended after `work`, its processor time. A scan that is not `complete` could not read
    /// everything, and is tried again after a growing pause.
    pub fn ended(&mut self, now: Duration, work: Duration, complete: bool) {
        self.phase = Phase::Ended;
        let pause = work.saturating_mul(REPAIR_SHARE).clamp(REPAIR_INTERVAL, MAX_REPAIR_PAUSE);
        self.repair_from = now.saturating_add(pause);
        if complete { self.retry = None } else { self.try_again(now) }
    }

    /// Puts the first scan off, because sysfs is not there yet.
    pub fn put_off(&mut self, now: Duration) {
        self.try_again(now);
    }

    fn try_again(&mut self, now: Duration) {
        let pause = self.retry.map_or(FIRST_RETRY, |last| last.saturating_mul(2).min(MAX_RETRY));
        self.retry = Some(pause);
        self.retry_from = now.saturating_add(pause);
    }

    /// Returns the pause before the next attempt, if the last scan could not read everything.
    #[must_use]
    pub const fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Returns the scan that should begin now.
    #[must_use]
    pub fn due(&self, now: Duration) -> Option<ScanKind> {
        if self.phase == Phase::Unstarted {
            return (now >= self.retry_from).then_some(ScanKind::Start);
        }
        let is_due = self.wake_at().is_some_and(|at| now >= at);
        // A scan that finds what was lost is the resync of that.
        is_due.then_some(if self.lossy { ScanKind::Repair } else { ScanKind::Settle })
    }

    /// Returns when the next scan is due if nothing happens; `None` if none is.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        if self.phase == Phase::Unstarted {
            return Some(self.retry_from);
        }
        let repair = self.lossy.then_some(self.repair_from);
        let retry = self.retry.map(|_| self.retry_from);
        let settle = self.unsettled.then(|| {
            let latest = self.burst_since.saturating_add(SETTLE_INTERVAL);
            self.burst_until.min(latest).max(self.settle_from)
        });
        repair.into_iter().chain(retry).chain(settle).min()
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

    use super::{Agreement, FIRST_RETRY, MAX_REPAIR_PAUSE, MAX_RETRY, REPAIR_INTERVAL, Schedule};
    use crate::stream::table::ScanKind;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn started() -> Schedule {
        let mut schedule = Schedule::new();
        schedule.began(ScanKind::Start, ms(1_000));
        schedule.ended(ms(1_000), ms(0), true);
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
        schedule.ended(ms(23_905), ms(0), true);
        assert_eq!((schedule.due(ms(99_000)), schedule.wake_at()), (None, None));
    }

    #[test]
    fn settle_scans_are_ten_seconds_apart() {
        let mut schedule = started();
        schedule.event(ms(20_000));
        schedule.began(ScanKind::Settle, ms(22_000));
        schedule.ended(ms(22_001), ms(0), true);
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
        schedule.ended(ms(5_050), ms(50), true);
        assert_eq!(schedule.due(ms(5_249)), None);
        assert_eq!(schedule.due(ms(5_250)), Some(ScanKind::Repair));
        schedule.began(ScanKind::Repair, ms(5_250));
        schedule.ended(ms(5_251), ms(0), true);
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
        schedule.ended(ms(6_000), ms(1_000), true);
        assert_eq!((schedule.due(ms(7_009)), schedule.due(ms(7_010))), (None, Some(ScanKind::Repair)));
    }

    #[test]
    fn a_loss_before_the_first_scan_is_repaired_after_it() {
        let mut schedule = Schedule::new();
        schedule.loss(ms(10));
        assert_eq!(schedule.due(ms(10)), Some(ScanKind::Start));
        schedule.began(ScanKind::Start, ms(10));
        schedule.ended(ms(12), ms(0), true);
        assert_eq!(schedule.due(ms(500)), Some(ScanKind::Repair));
    }

    #[test]
    fn i3_a_settle_scan_comes_every_ten_seconds_while_events_go_on() {
        let mut schedule = started();
        let mut scans = [None; 3];
        let mut count = 0;
        for at in (20_000..51_000).step_by(100) {
            if at % 1_000 == 0 {
                schedule.event(ms(at));
            }
            if let Some(kind) = schedule.due(ms(at)) {
                schedule.began(kind, ms(at));
                schedule.ended(ms(at), ms(1), true);
                scans[count] = Some((kind, at));
                count += 1;
            }
        }
        assert_eq!(scans, [30_000, 40_000, 50_000].map(|at| Some((ScanKind::Settle, at))));
        schedule.event(ms(51_000));
        assert_eq!(schedule.wake_at(), Some(ms(60_000)));
    }

    #[test]
    fn i3_the_pause_before_a_resync_follows_the_work_and_is_limited() {
        let mut schedule = started();
        for (took, work, pause) in [(6_000, 5, 100), (6_000, 50, 200), (9_000, 9_000, 2_000)] {
            schedule.loss(ms(50_000));
            schedule.began(ScanKind::Repair, ms(50_000));
            schedule.loss(ms(50_001));
            schedule.ended(ms(50_000 + took), ms(work), true);
            assert_eq!(schedule.wake_at(), Some(ms(52_001).min(ms(50_000 + took + pause))));
            assert_eq!(schedule.due(ms(50_000 + took + pause)), Some(ScanKind::Repair));
        }
        assert_eq!(MAX_REPAIR_PAUSE, ms(2_000));
    }

    #[test]
    fn i3_a_scan_that_could_not_read_everything_is_repeated_with_a_growing_pause() {
        let mut schedule = started();
        schedule.loss(ms(5_000));
        assert_eq!(schedule.agreement(), Agreement::Lossy);
        schedule.began(ScanKind::Repair, ms(5_000));
        assert_eq!(schedule.agreement(), Agreement::Lossy);
        let (mut now, mut pause) = (ms(5_001), FIRST_RETRY);
        schedule.ended(now, ms(1), false);
        for _ in 0..12 {
            assert_eq!((schedule.agreement(), schedule.retry()), (Agreement::Lossy, Some(pause)));
            now = schedule.wake_at().expect("another attempt");
            assert_eq!(schedule.due(now), Some(ScanKind::Settle));
            schedule.began(ScanKind::Settle, now);
            schedule.ended(now, ms(1), false);
            pause = (pause * 2).min(MAX_RETRY);
        }
        assert_eq!(pause, MAX_RETRY);
        schedule.began(ScanKind::Settle, now);
        schedule.ended(now, ms(1), true);
        assert_eq!((schedule.agreement(), schedule.wake_at()), (Agreement::Steady, None));
    }

    #[test]
    fn i9_without_sysfs_the_first_scan_is_put_off_and_the_state_is_starting() {
        let mut schedule = Schedule::new();
        schedule.put_off(ms(10));
        assert_eq!((schedule.due(ms(259)), schedule.due(ms(260))), (None, Some(ScanKind::Start)));
        schedule.put_off(ms(260));
        schedule.event(ms(300));
        assert_eq!((schedule.wake_at(), schedule.agreement()), (Some(ms(760)), Agreement::Starting));
        schedule.began(ScanKind::Start, ms(760));
        assert_eq!(schedule.agreement(), Agreement::Starting);
        schedule.ended(ms(761), ms(1), true);
        assert_eq!(schedule.agreement(), Agreement::Steady);
    }
}
