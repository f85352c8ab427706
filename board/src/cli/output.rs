use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;

use super::Exit;

/// Prints a whole text. A reader that has closed its end has seen what it wanted.
pub(super) fn print(text: &str) -> Exit {
    let stdout = io::stdout().as_fd().try_clone_to_owned().map(std::fs::File::from);
    match stdout.and_then(|mut stdout| stdout.write_all(text.as_bytes())) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(&format_args!("cannot write to standard output: {error}"));
            Exit::Refused
        }
        _ => Exit::Fine,
    }
}

/// Says on standard error why there is no more to come. If that fails too, nobody is listening.
pub(super) fn complain(reason: &impl Display) {
    let _ = writeln!(io::stderr().lock(), "sureplug: {reason}");
}
