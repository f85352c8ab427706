//! The patterns that a status LED shows.
//!
//! ```text
//! steady      ████████████████████   on
//! resyncing   ██  ██  ██  ██  ██     five times a second, for at least one second
//! lossy       ██████████          █   once a second: events lost since the last acknowledgement
//! ```

use std::time::Duration;

use embedded_hal::digital::OutputPin;
use sureplug_core::time::Instant;

/// The shortest time for which a resync is shown. Most resyncs take only milliseconds.
const RESYNC_SHOWN: Duration = Duration::from_secs(1);

/// Half a period while a resync is shown.
const RESYNCING: Duration = Duration::from_millis(100);

/// Half a period while a loss is shown.
const LOSSY: Duration = Duration::from_millis(500);

/// The states that an LED shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The device table is current and no loss is unacknowledged.
    Steady,
    /// A resync is due or under way.
    Resyncing,
    /// Events were lost since the last acknowledgement, and the resync is complete.
    Lossy,
}

/// Drives a pin without a thread or a timer of its own: the caller supplies the time and keeps the
/// deadlines.
#[derive(Debug)]
pub struct Indicator<P> {
    pin: P,
    shown: Option<Condition>,
    is_on: Option<bool>,
    /// The time of the next change.
    next: Option<Instant>,
    resync_shown_until: Instant,
}

impl<P: OutputPin> Indicator<P> {
    /// Creates an indicator on a pin that is high when the LED is on. The first call of
    /// [`show`](Self::show) drives the pin.
    pub const fn new(pin: P) -> Self {
        Self { pin, shown: None, is_on: None, next: None, resync_shown_until: Instant::BOOT }
    }

    /// Shows a state. Must be called on each change, and at the [deadline](Self::wake_at).
    ///
    /// # Errors
    ///
    /// Returns the pin's error. The pattern continues.
    pub fn show(&mut self, condition: Condition, now: Instant) -> Result<(), P::Error> {
        if condition == Condition::Resyncing {
            self.resync_shown_until = now.after(RESYNC_SHOWN);
        }
        let condition = if now < self.resync_shown_until { Condition::Resyncing } else { condition };
        let half = match condition {
            Condition::Steady => None,
            Condition::Resyncing => Some(RESYNCING),
            Condition::Lossy => Some(LOSSY),
        };
        if self.shown.replace(condition) != Some(condition) {
            self.next = half.map(|half| now.after(half));
            return self.drive(true);
        }
        match (half, self.next) {
            (Some(half), Some(next)) if next <= now => {
                self.next = Some(now.after(half));
                self.drive(self.is_on != Some(true))
            }
            _ => Ok(()),
        }
    }

    /// Returns the time of the next change, or `None` while the LED is steady.
    #[must_use]
    pub const fn wake_at(&self) -> Option<Instant> {
        self.next
    }

    /// Switches the LED off, and returns the pin.
    ///
    /// # Errors
    ///
    /// Returns the pin's error.
    pub fn end(mut self) -> Result<P, P::Error> {
        self.drive(false)?;
        Ok(self.pin)
    }

    fn drive(&mut self, on: bool) -> Result<(), P::Error> {
        if self.is_on == Some(on) {
            return Ok(());
        }
        // Recorded even if the pin fails: the next change is the retry.
        self.is_on = Some(on);
        self.pin.set_state(on.into())
    }
}
