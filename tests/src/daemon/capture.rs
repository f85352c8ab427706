use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use super::DEADLINE;

/// The lines of a pipe, taken by a thread so that the other end never waits.
#[derive(Default)]
pub(super) struct Capture {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Capture {
    pub(super) fn of(pipe: impl Read + Send + 'static) -> Arc<Self> {
        let capture = Arc::new(Self::default());
        let ours = Arc::clone(&capture);
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines() {
                let line = match line {
                    Ok(line) => line,
                    Err(error) if error.kind() == ErrorKind::InvalidData => panic!("{error}"),
                    // A terminal's other end is gone.
                    Err(_) => break,
                };
                ours.change(|state| state.lines.push(line));
            }
            ours.change(|state| state.ended = true);
        });
        capture
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().expect("no other thread panicked"));
        self.changed.notify_all();
    }

    /// The first line from `start` on for which it holds, and its number; an error if there is none before the end.
    pub(super) fn wait_for(
        &self,
        start: usize,
        mut holds: impl FnMut(&str) -> bool,
    ) -> Result<(usize, String), String> {
        let end = Instant::now() + DEADLINE;
        let mut looked_at = start;
        let mut state = self.state.lock().expect("no other thread panicked");
        loop {
            while let Some(line) = state.lines.get(looked_at) {
                if holds(line) {
                    return Ok((looked_at, line.clone()));
                }
                looked_at += 1;
            }
            let left = end.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                let tail = &state.lines[state.lines.len().saturating_sub(20)..];
                return Err(format!("the line did not come; the last are:\n{}", tail.join("\n")));
            }
            state = self.changed.wait_timeout(state, left).expect("no other thread panicked").0;
        }
    }

    /// All lines up to the end of the pipe.
    pub(super) fn all(&self) -> Vec<String> {
        let state = self.state.lock().expect("no other thread panicked");
        let waited = self.changed.wait_timeout_while(state, DEADLINE, |state| !state.ended);
        let (mut state, _) = waited.expect("no other thread panicked");
        assert!(state.ended, "the pipe was not closed");
        std::mem::take(&mut state.lines)
    }
}
