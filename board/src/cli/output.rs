use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use super::Exit;
use crate::sinks::Output;

/// Prints a whole text. A reader that has closed its end has seen what it wanted.
pub(super) fn print(text: &str) -> Exit {
    match write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(&format_args!("cannot write to standard output: {error}"));
            Exit::Refused
        }
        _ => Exit::Fine,
    }
}

fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    let mut output = Output::standard()?;
    while !bytes.is_empty() {
        bytes = &bytes[output.write(bytes)?..];
    }
    Ok(())
}

/// Says on standard error why there is no more to come. If that fails too, nobody is listening.
pub(super) fn complain(reason: &impl Display) {
    let _ = writeln!(io::stderr().lock(), "sureplug: {reason}");
}
