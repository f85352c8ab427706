//! The commands of `sureplug`. Each has its own file with its row of `COMMANDS`; `options` has
//! the rows of the options.

mod audit;
mod decode;
mod help;
mod list;
mod measure;
mod monitor;
mod options;
mod parse;
mod record;
mod run;
mod size;
mod status;
mod value;

use std::ffi::OsString;
use std::fmt::{self, Display, Write as _};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::process::ExitCode;

use sureplug_core::selection::Selection;

use options::Options;
use parse::Invocation;

use crate::cause::Cause;
use crate::service::log::Output;
use crate::watcher::{self, Prepared, WatchError};

/// All commands in the order of the help. The first one is the default.
static COMMANDS: &[Command] = &[
    run::COMMAND,
    size::COMMAND,
    monitor::COMMAND,
    list::COMMAND,
    status::COMMAND,
    audit::COMMAND,
    measure::COMMAND,
    record::COMMAND,
    decode::COMMAND,
];

/// A command.
#[derive(Debug)]
struct Command {
    /// The name, followed by ` FILE` if it requires one.
    usage: &'static str,
    /// The description, in one sentence.
    summary: &'static str,
    /// The rest of its help, below the options, with the exit codes.
    help: &'static str,
    run: fn(&Options) -> Result<Exit, Failure>,
}

impl Command {
    fn name(&self) -> &'static str {
        self.usage.strip_suffix(" FILE").unwrap_or(self.usage)
    }

    fn has_file(&self) -> bool {
        self.usage.ends_with(" FILE")
    }
}

/// The exit code of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// Success.
    Success = 0,
    /// The command found a problem.
    Finding = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The system refused, or granted too little to start.
    Refused = 3,
}

impl Exit {
    /// Returns `Finding` if there is a problem.
    const fn of(is_finding: bool) -> Self {
        if is_finding { Self::Finding } else { Self::Success }
    }
}

/// Error that ends a command: its exit code and message.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    reason: String,
}

impl Failure {
    #[cold]
    fn new(exit: Exit, reason: &dyn Display) -> Self {
        Self { exit, reason: reason.to_string() }
    }

    /// Creates a failure from an error that names the refused operation.
    fn refused(error: impl Display) -> Self {
        Self::new(Exit::Refused, &error)
    }

    /// Creates a failure from the system's error about a path.
    fn at(path: &Path, error: &io::Error) -> Self {
        Self::from(format!("{}: {}", path.display(), Cause(error)))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::refused(Cause(&error))
    }
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self { exit: Exit::Refused, reason }
    }
}

/// Runs the command that the arguments name. They do not include the program's name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let result =
        parse::parse(arguments).map_err(|error| Failure::new(Exit::Usage, &error)).and_then(|invocation| {
            match invocation {
                Invocation::Command(command, options) => (command.run)(&options),
                Invocation::Help(command) => print_with(|out| help::write(out, command)),
                Invocation::Version => {
                    print_with(|out| writeln!(out, concat!("sureplug ", env!("CARGO_PKG_VERSION"))))
                }
            }
        });
    let exit = result.unwrap_or_else(|Failure { exit, reason }| {
        complain(&reason);
        exit
    });
    ExitCode::from(exit as u8)
}

/// Opens a socket and sizes it for the options' profile.
fn prepare(options: &Options, selection: &Selection) -> Result<Prepared, Failure> {
    watcher::prepare(&options.profile(), &options.sysfs, selection).map_err(|error| {
        let exit = if matches!(error, WatchError::Sizing(_)) { Exit::Usage } else { Exit::Refused };
        Failure::new(exit, &error)
    })
}

/// Prints text. Returns `false` if the reader closed its end, which is not an error.
fn print(text: &str) -> Result<bool, Failure> {
    print_to(&mut Output::standard()?, text)
}

fn print_to(output: &mut Output, text: &str) -> Result<bool, Failure> {
    match output.write_all(text.as_bytes()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(format!("cannot write to standard output: {}", Cause(&error)).into()),
    }
}

/// Prints the whole output of a command.
fn print_with(write: impl FnOnce(&mut String) -> fmt::Result) -> Result<Exit, Failure> {
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let _ = write(&mut text);
    print(&text).map(|_| Exit::Success)
}

/// Prints a line on standard error.
fn complain(reason: &dyn Display) {
    // In one write, because another thread may write to the same terminal. A failure cannot be
    // reported.
    let _ = io::stderr().lock().write_all(format!("sureplug: {reason}\n").as_bytes());
}
