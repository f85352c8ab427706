//! The output of another process, line by line, with waiting.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Lines of an error that are worth reading, and how much of each.
const LAST: usize = 20;
const LAST_CHARS: usize = 400;

/// The lines that have come. One thread takes them as they come, so that the other end never waits.
#[derive(Default)]
pub struct Transcript {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl State {
    fn last(&self) -> String {
        let last = &self.lines[self.lines.len().saturating_sub(LAST)..];
        last.iter().map(|line| line.chars().take(LAST_CHARS).chain(['\n']).collect::<String>()).collect()
    }
}

impl Transcript {
    /// Takes a line.
    ///
    /// # Panics
    ///
    /// As all here, if another thread did while it had the lines.
    pub fn push(&self, line: String) {
        self.lock().lines.push(line);
        self.changed.notify_all();
    }

    /// No more come.
    pub fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// How many have come.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().lines.len()
    }

    /// The lines from number `start` on.
    #[must_use]
    pub fn since(&self, start: usize) -> Vec<String> {
        self.lock().lines.get(start..).unwrap_or_default().to_vec()
    }

    /// The last lines, shortened.
    #[must_use]
    pub fn last(&self) -> String {
        self.lock().last()
    }

    /// Returns the first line from number `start` on for which `holds` is true, and its number.
    ///
    /// # Errors
    ///
    /// Returns the last lines, if no such line comes in time or before the end.
    ///
    /// # Panics
    ///
    /// Panics if another thread panicked while it held the lines.
    pub fn wait_for(
        &self,
        start: usize,
        patience: Duration,
        mut holds: impl FnMut(&str) -> bool,
    ) -> Result<(usize, String), String> {
        let end = Instant::now() + patience;
        let mut looked_at = start;
        let mut state = self.lock();
        loop {
            while let Some(line) = state.lines.get(looked_at) {
                if holds(line) {
                    return Ok((looked_at, line.clone()));
                }
                looked_at += 1;
            }
            let left = end.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return Err(format!("the line did not come; the last are:\n{}", state.last()));
            }
            state = self.changed.wait_timeout(state, left).expect("no other thread panicked").0;
        }
    }

    /// All lines up to the end, which are taken away.
    ///
    /// # Panics
    ///
    /// If the end does not come in time.
    pub fn take_all(&self, patience: Duration) -> Vec<String> {
        let waited = self.changed.wait_timeout_while(self.lock(), patience, |state| !state.ended);
        let (mut state, _) = waited.expect("no other thread panicked");
        assert!(state.ended, "the other end was not closed");
        std::mem::take(&mut state.lines)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no other thread panicked")
    }
}
