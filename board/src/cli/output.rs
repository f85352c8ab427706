use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use super::Exit;
use crate::service::log::Output;

/// Prints a whole text. A reader that has closed its end has seen what it wanted.
pub(super) fn print(text: &str) -> Exit {
    keep_printing(text).unwrap_or(Exit::Fine)
}

/// Prints a text after which more may follow; how it ends if nothing can.
pub(super) fn keep_printing(text: &str) -> Option<Exit> {
    match write_all(text.as_bytes()) {
        Ok(()) => None,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Some(Exit::Fine),
        Err(error) => {
            complain(&format_args!("cannot write to standard output: {error}"));
            Some(Exit::Refused)
        }
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
pub(super) fn complain(reason: &dyn Display) {
    // In one piece: another thread may be writing to the same terminal.
    let _ = io::stderr().lock().write_all(format!("sureplug: {reason}\n").as_bytes());
}
