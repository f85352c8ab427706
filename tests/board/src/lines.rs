use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use sureplug_tests::transcript::Transcript;

/// The far end of a serial line: a thread takes what comes, as fast as the line is.
pub struct Lines {
    shared: Arc<Shared>,
    stream: UnixStream,
}

#[derive(Default)]
struct Shared {
    transcript: Transcript,
    /// The line that has no end yet.
    begun: Mutex<Vec<u8>>,
    /// Bytes a second; 0 for as many as come.
    bytes_per_second: AtomicU32,
    is_held: AtomicBool,
}

/// How often a slow line is read.
const TICK: Duration = Duration::from_millis(10);

impl Lines {
    /// Takes what comes from a socket that QEMU has.
    ///
    /// # Panics
    ///
    /// If no descriptor is left.
    #[must_use]
    pub fn of(stream: UnixStream) -> Self {
        let shared = Arc::new(Shared::default());
        let (ours, reader) = (Arc::clone(&shared), stream.try_clone().expect("a descriptor"));
        thread::spawn(move || ours.take_from(reader));
        Self { shared, stream }
    }

    /// Takes no more than that from now on: a line of 115,200 baud has 11,520 bytes a second. `None` for as fast
    /// as it goes.
    pub fn throttle(&self, bytes_per_second: Option<u32>) {
        self.shared.bytes_per_second.store(bytes_per_second.unwrap_or(0), Relaxed);
    }

    /// Takes nothing from now on, or everything again: a line that is slower than any board.
    pub fn hold(&self, is_held: bool) {
        self.shared.is_held.store(is_held, Relaxed);
    }

    /// Types.
    ///
    /// # Panics
    ///
    /// If the board is gone.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the board takes what is typed");
    }

    /// How many lines have come.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.transcript.count()
    }

    /// The lines from number `start` on.
    #[must_use]
    pub fn since(&self, start: usize) -> Vec<String> {
        self.shared.transcript.since(start)
    }

    /// Returns the first line from number `start` on for which `holds` is true, and its number.
    ///
    /// # Errors
    ///
    /// Returns the last lines, if no such line comes in time or before the line's end.
    ///
    /// # Panics
    ///
    /// Panics if the thread that takes lines panicked.
    pub fn wait_for(
        &self,
        start: usize,
        patience: Duration,
        holds: impl FnMut(&str) -> bool,
    ) -> Result<(usize, String), String> {
        self.shared
            .transcript
            .wait_for(start, patience, holds)
            .map_err(|error| format!("{error}{}", String::from_utf8_lossy(&self.shared.begun())))
    }

    /// The last lines, shortened.
    #[must_use]
    pub fn tail(&self) -> String {
        self.shared.transcript.last()
    }
}

impl Shared {
    fn take_from(&self, mut stream: UnixStream) {
        let mut buffer = [0; 16 * 1024];
        let mut next = Instant::now();
        loop {
            while self.is_held.load(Relaxed) {
                thread::sleep(TICK);
            }
            let per_second = self.bytes_per_second.load(Relaxed);
            let room = if per_second == 0 {
                buffer.len()
            } else {
                thread::sleep(next.saturating_duration_since(Instant::now()));
                next = Instant::now() + TICK;
                (per_second as usize / 100).clamp(1, buffer.len())
            };
            match stream.read(&mut buffer[..room]) {
                Ok(0) => break,
                Ok(length) => self.take(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.transcript.end();
    }

    fn take(&self, bytes: &[u8]) {
        let mut begun = self.begun();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = String::from_utf8_lossy(&begun).trim_end_matches(['\r', '\n']).to_owned();
                begun.clear();
                self.transcript.push(line);
            }
        }
    }

    fn begun(&self) -> MutexGuard<'_, Vec<u8>> {
        self.begun.lock().expect("no other thread panicked")
    }
}
