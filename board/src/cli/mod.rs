//! The commands of `sureplug`. Each stands in a file of its own with its row of `COMMANDS`; `options` has the rows
//! of the options.

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

/// All commands, as the help lists them; the first is the one that runs where none is named.
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
    /// Its name, and ` FILE` if a file must follow that.
    usage: &'static str,
    /// What it does, in one sentence.
    summary: &'static str,
    /// What its help says below its options; with its exit codes.
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

/// How a command ended, as its exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// All is well.
    Success = 0,
    /// The command found something that wants attention.
    Finding = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The system refused, or what it gave is not enough to start with.
    Refused = 3,
}

impl Exit {
    /// Returns `Finding` if there is one.
    const fn of(is_finding: bool) -> Self {
        if is_finding { Self::Finding } else { Self::Success }
    }
}

/// Why a command ended early.
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

    /// Makes one from an error that says what was refused.
    fn refused(error: impl Display) -> Self {
        Self::new(Exit::Refused, &error)
    }

    /// Makes one from an error of the system and the path that it is about.
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

/// Runs the command that the arguments ask for; they begin behind the program's name.
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

/// Prepares what a command asks for.
fn prepare(options: &Options, selection: &Selection) -> Result<Prepared, Failure> {
    watcher::prepare(&options.profile(), &options.sysfs, selection).map_err(|error| {
        let exit = if matches!(error, WatchError::Sizing(_)) { Exit::Usage } else { Exit::Refused };
        Failure::new(exit, &error)
    })
}

/// Prints text, and returns `false` if the reader has closed its end: then it has seen what it wanted.
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

/// Prints all that a command has to show.
fn print_with(write: impl FnOnce(&mut String) -> fmt::Result) -> Result<Exit, Failure> {
    let mut text = String::new();
    // A String takes whatever is written.
    let _ = write(&mut text);
    print(&text).map(|_| Exit::Success)
}

/// Prints a line on standard error.
fn complain(reason: &dyn Display) {
    // In one piece: another thread may be writing to the same terminal. If it fails, no one reads it.
    let _ = io::stderr().lock().write_all(format!("sureplug: {reason}\n").as_bytes());
}
