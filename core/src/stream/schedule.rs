//! When to scan sysfs: at the start, after a loss, after an incomplete scan, and once after a
//! burst.

use core::time::Duration;

use super::table::ScanKind;
use crate::time::Instant;

/// A burst is over this long after its last event.
pub const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// The shortest time between two settle scans, and the longest while events continue.
pub const SETTLE_INTERVAL: Duration = Duration::from_secs(10);

/// The shortest pause between a scan and the resync of a later loss.
pub const RESYNC_INTERVAL: Duration = Duration::from_millis(100);

/// The longest pause between a scan and the resync of a later loss.
pub const MAX_RESYNC_PAUSE: Duration = Duration::from_secs(2);

/// An expensive scan lengthens that pause: it lasts this many times the scan's processor time.
const RESYNC_SHARE: u32 = 4;

/// The pause after the first incomplete scan. It doubles with each further one.
pub const FIRST_RETRY: Duration = Duration::from_millis(250);

/// The longest pause after an incomplete scan.
pub const MAX_RETRY: Duration = Duration::from_secs(30);

/// How well the device table is known to agree with sysfs.
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

/// The state of the scan that decides [`Agreement`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// The first scan has not begun.
    #[default]
    Unstarted,
    /// The first scan is running.
    First,
    /// A resync is running.
    Resync,
    /// The scan has ended.
    Ended,
}

/// Decides when the next scan is due, the first one at once. The caller supplies the time.
///
/// ```
/// use core::time::Duration;
/// use sureplug_core::stream::{ScanKind, Schedule};
/// use sureplug_core::time::Instant;
///
/// let second = |number| Instant::BOOT.after(Duration::from_secs(number));
/// let mut schedule = Schedule::default();
/// assert_eq!(schedule.due(second(50)), Some(ScanKind::Start));
/// schedule.began(ScanKind::Start, second(50));
/// schedule.ended(second(50), Duration::ZERO, true);
/// assert_eq!(schedule.wake_at(), None);
/// schedule.event(second(60));
/// assert_eq!(schedule.wake_at(), Some(second(62)));
/// assert_eq!(schedule.due(second(62)), Some(ScanKind::Settle));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Schedule {
    phase: Phase,
    /// Whether events were lost since the last resync began.
    lossy: bool,
    /// The pause before the next attempt, if the last scan was incomplete.
    retry: Option<Duration>,
    /// Whether an event arrived since the last settle scan began.
    unsettled: bool,
    /// The start of the present burst, or of the last settle scan within it.
    burst_since: Instant,
    /// The end of the present burst, unless another event arrives.
    burst_until: Instant,
    resync_from: Instant,
    settle_from: Instant,
    /// The earliest time of the first scan, or of the next attempt after an incomplete one.
    retry_from: Instant,
}

impl Schedule {
    /// Notes an event.
    pub fn event(&mut self, now: Instant) {
        if now >= self.burst_until {
            self.burst_since = now;
        }
        self.burst_until = now.after(SETTLED_AFTER);
        self.unsettled = true;
    }

    /// Notes a loss. It counts as an event of a burst too.
    pub fn loss(&mut self, now: Instant) {
        self.lossy = true;
        self.event(now);
    }

    /// Returns `true` if events were lost and no scan has begun since.
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

    /// Notes that a scan has begun.
    pub const fn began(&mut self, kind: ScanKind, now: Instant) {
        match kind {
            // The first scan covers earlier losses as well. It needs no `change` for devices that
            // stayed: all of them are new to every consumer.
            ScanKind::Start => self.phase = Phase::First,
            ScanKind::Resync => (self.lossy, self.phase) = (false, Phase::Resync),
            ScanKind::Settle => {
                (self.unsettled, self.burst_since) = (false, now);
                self.settle_from = now.after(SETTLE_INTERVAL);
            }
        }
    }

    /// Notes that a scan has ended, and took `work` of processor time.
    ///
    /// A scan that is not `complete` could not read everything, and is repeated after a growing
    /// pause.
    pub fn ended(&mut self, now: Instant, work: Duration, complete: bool) {
        self.phase = Phase::Ended;
        let pause = work.saturating_mul(RESYNC_SHARE).clamp(RESYNC_INTERVAL, MAX_RESYNC_PAUSE);
        self.resync_from = now.after(pause);
        if complete { self.retry = None } else { self.put_off(now) }
    }

    /// Postpones a scan because sysfs is not mounted yet or could not be read completely.
    pub fn put_off(&mut self, now: Instant) {
        let pause = self.retry.map_or(FIRST_RETRY, |last| last.saturating_mul(2).min(MAX_RETRY));
        self.retry = Some(pause);
        self.retry_from = now.after(pause);
    }

    /// Returns the pause before the next attempt, if the last scan was incomplete.
    #[must_use]
    pub const fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Returns the scan that is due, if any.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<ScanKind> {
        if self.phase == Phase::Unstarted {
            return (now >= self.retry_from).then_some(ScanKind::Start);
        }
        let is_due = self.wake_at().is_some_and(|at| now >= at);
        // A settle scan after a loss would do the work of a resync.
        is_due.then_some(if self.lossy { ScanKind::Resync } else { ScanKind::Settle })
    }

    /// Returns when the next scan is due if no further event arrives; `None` if no scan is due.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        if self.phase == Phase::Unstarted {
            return Some(self.retry_from);
        }
        let resync = self.lossy.then_some(self.resync_from);
        let retry = self.retry.map(|_| self.retry_from);
        let settle = self.unsettled.then(|| {
            let latest = self.burst_since.after(SETTLE_INTERVAL);
            self.burst_until.min(latest).max(self.settle_from)
        });
        resync.into_iter().chain(retry).chain(settle).min()
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{Agreement, FIRST_RETRY, MAX_RESYNC_PAUSE, MAX_RETRY, RESYNC_INTERVAL, Schedule};
    use crate::stream::table::ScanKind;
    use crate::time::Instant;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const fn time(since_boot: u64) -> Instant {
        Instant::BOOT.after(ms(since_boot))
    }

    fn started() -> Schedule {
        let mut schedule = Schedule::default();
        schedule.began(ScanKind::Start, time(1_000));
        schedule.ended(time(1_000), ms(0), true);
        schedule
    }

    #[test]
    fn a_burst_settles_once_two_seconds_after_its_last_event() {
        let mut schedule = started();
        for at in [20_000, 20_500, 21_900] {
            schedule.event(time(at));
            assert_eq!(schedule.due(time(at + 1_999)), None);
        }
        assert_eq!(schedule.wake_at(), Some(time(23_900)));
        assert_eq!(schedule.due(time(23_900)), Some(ScanKind::Settle));
        schedule.began(ScanKind::Settle, time(23_900));
        schedule.ended(time(23_905), ms(0), true);
        assert_eq!((schedule.due(time(99_000)), schedule.wake_at()), (None, None));
    }

    #[test]
    fn settle_scans_are_ten_seconds_apart() {
        let mut schedule = started();
        schedule.event(time(20_000));
        schedule.began(ScanKind::Settle, time(22_000));
        schedule.ended(time(22_001), ms(0), true);
        schedule.event(time(23_000));
        assert_eq!((schedule.due(time(31_999)), schedule.wake_at()), (None, Some(time(32_000))));
        assert_eq!(schedule.due(time(32_000)), Some(ScanKind::Settle));
    }

    #[test]
    fn i3_a_loss_is_resynced_at_once_and_then_not_without_a_pause() {
        let mut schedule = started();
        schedule.loss(time(5_000));
        assert_eq!((schedule.due(time(5_000)), schedule.is_lossy()), (Some(ScanKind::Resync), true));
        schedule.began(ScanKind::Resync, time(5_000));
        // Another loss is noticed while the scan runs.
        schedule.loss(time(5_010));
        schedule.ended(time(5_050), ms(50), true);
        assert_eq!(schedule.due(time(5_249)), None);
        assert_eq!(schedule.due(time(5_250)), Some(ScanKind::Resync));
        schedule.began(ScanKind::Resync, time(5_250));
        schedule.ended(time(5_251), ms(0), true);
        assert!(!schedule.is_lossy());
        // A loss belongs to a burst, which a settle scan follows.
        assert_eq!(schedule.wake_at(), Some(time(7_010)));
        schedule.loss(time(5_252));
        assert_eq!(schedule.wake_at(), Some(time(5_251).after(RESYNC_INTERVAL)));
    }

    #[test]
    fn i3_a_scan_after_a_loss_is_its_resync() {
        let mut schedule = started();
        schedule.began(ScanKind::Resync, time(5_000));
        schedule.loss(time(5_010));
        // The scan took so long that the next one may begin only after the burst has settled.
        schedule.ended(time(6_000), ms(1_000), true);
        assert_eq!((schedule.due(time(7_009)), schedule.due(time(7_010))), (None, Some(ScanKind::Resync)));
    }

    #[test]
    fn i3_a_loss_before_the_first_scan_is_resynced_after_it() {
        let mut schedule = Schedule::default();
        schedule.loss(time(10));
        assert_eq!(schedule.due(time(10)), Some(ScanKind::Start));
        schedule.began(ScanKind::Start, time(10));
        schedule.ended(time(12), ms(0), true);
        assert_eq!(schedule.due(time(500)), Some(ScanKind::Resync));
    }

    #[test]
    fn i3_a_settle_scan_comes_every_ten_seconds_while_events_go_on() {
        let mut schedule = started();
        let mut scans = [None; 3];
        let mut count = 0;
        for at in (20_000..51_000).step_by(100) {
            if at % 1_000 == 0 {
                schedule.event(time(at));
            }
            if let Some(kind) = schedule.due(time(at)) {
                schedule.began(kind, time(at));
                schedule.ended(time(at), ms(1), true);
                scans[count] = Some((kind, at));
                count += 1;
            }
        }
        assert_eq!(scans, [30_000, 40_000, 50_000].map(|at| Some((ScanKind::Settle, at))));
        schedule.event(time(51_000));
        assert_eq!(schedule.wake_at(), Some(time(60_000)));
    }

    #[test]
    fn i3_the_pause_before_a_resync_follows_the_work_and_is_limited() {
        let mut schedule = started();
        for (took, work, pause) in [(6_000, 5, 100), (6_000, 50, 200), (9_000, 9_000, 2_000)] {
            schedule.loss(time(50_000));
            schedule.began(ScanKind::Resync, time(50_000));
            schedule.loss(time(50_001));
            schedule.ended(time(50_000 + took), ms(work), true);
            assert_eq!(schedule.wake_at(), Some(time(52_001).min(time(50_000 + took + pause))));
            assert_eq!(schedule.due(time(50_000 + took + pause)), Some(ScanKind::Resync));
        }
        assert_eq!(MAX_RESYNC_PAUSE, ms(2_000));
    }

    #[test]
    fn i3_a_scan_that_could_not_read_everything_is_repeated_with_a_growing_pause() {
        let mut schedule = started();
        schedule.loss(time(5_000));
        assert_eq!(schedule.agreement(), Agreement::Lossy);
        schedule.began(ScanKind::Resync, time(5_000));
        assert_eq!(schedule.agreement(), Agreement::Lossy);
        let (mut now, mut pause) = (time(5_001), FIRST_RETRY);
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
        let mut schedule = Schedule::default();
        schedule.put_off(time(10));
        assert_eq!((schedule.due(time(259)), schedule.due(time(260))), (None, Some(ScanKind::Start)));
        schedule.put_off(time(260));
        schedule.event(time(300));
        assert_eq!((schedule.wake_at(), schedule.agreement()), (Some(time(760)), Agreement::Starting));
        schedule.began(ScanKind::Start, time(760));
        assert_eq!(schedule.agreement(), Agreement::Starting);
        schedule.ended(time(761), ms(1), true);
        assert_eq!(schedule.agreement(), Agreement::Steady);
    }
}
