use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::sync::Arc;
use std::thread;

use crate::transcript::Transcript;

/// The lines of a pipe, taken by a thread.
pub(super) fn capture(pipe: impl Read + Send + 'static) -> Arc<Transcript> {
    let transcript = Arc::new(Transcript::default());
    let ours = Arc::clone(&transcript);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            match line {
                Ok(line) => ours.push(line),
                Err(error) if error.kind() == ErrorKind::InvalidData => panic!("{error}"),
                // A terminal's other end is gone.
                Err(_) => break,
            }
        }
        ours.end();
    });
    transcript
}
