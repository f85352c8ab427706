//! What benches measure with.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Processor time that this thread spends on some work, in the kernel and out of it.
///
/// # Panics
///
/// If there is no such clock.
pub fn processor_time(work: impl FnOnce()) -> Duration {
    let now = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock"));
    let before = now();
    work();
    now().saturating_sub(before)
}

/// Returns the median.
///
/// # Panics
///
/// Panics without values.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
