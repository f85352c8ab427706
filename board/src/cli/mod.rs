//! The commands of `sureplug`.

mod args;
mod audit;
mod decode;
mod flags;
mod group;
mod help;
mod list;
mod measure;
mod monitor;
mod options;
mod output;
mod record;
mod run;
mod size;
mod status;
mod suggest;
mod topic;
mod usage;
mod value;

use std::ffi::OsString;
use std::process::ExitCode;

use args::Request;
use options::{BoardOptions, Options};
use topic::Topic;

use crate::profile::Sizing;
use crate::socket::sysctl;
use crate::socket::{Filtering, Unbound};
use crate::sysfs::BoardPorts;

/// How a command ended, as its exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// All is well.
    Fine = 0,
    /// The command found something that wants attention.
    Finding = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The system refused, or what it gave is not enough to start with.
    Refused = 3,
}

impl Exit {
    /// This, or the other one if this is fine.
    fn and(self, other: Self) -> Self {
        if self == Self::Fine { other } else { self }
    }
}

/// Runs the command that the arguments ask for; they begin behind the program's name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let exit = match args::parse(arguments) {
        Ok(Request::Command(topic, options)) => run_command(topic, &options),
        Ok(Request::Help(topic)) => output::print(help::text(topic)),
        Ok(Request::Version) => output::print(concat!("sureplug ", env!("CARGO_PKG_VERSION"), "\n")),
        Err(error) => {
            output::complain(&error);
            Exit::Usage
        }
    };
    ExitCode::from(exit as u8)
}

fn run_command(topic: Topic, options: &Options) -> Exit {
    match topic {
        Topic::Sureplug | Topic::Run => run::run(options),
        Topic::Size => size::size(options),
        Topic::Monitor => monitor::monitor(options),
        Topic::List => list::list(options),
        Topic::Status => status::status(options),
        Topic::Audit => audit::audit(options),
        Topic::Measure => measure::measure(options),
        Topic::Record => record::record(options),
        Topic::Decode => decode::decode(options),
    }
}

/// A socket that is not bound yet, and what it is to be.
struct Prepared {
    socket: Unbound,
    filtering: Filtering,
    board: BoardPorts,
    sizing: Sizing,
}

/// Opens a socket with its filter, counts the board's ports, and sizes the buffer for them; says why where that is
/// impossible.
fn prepare(options: &BoardOptions) -> Result<Prepared, Exit> {
    let socket = Unbound::open().map_err(|error| {
        output::complain(&error);
        Exit::Refused
    })?;
    let filtering = socket.filter(&options.selection);
    let board = BoardPorts::count(&options.sysfs);
    let others = filtering.others(&options.selection);
    let sizing = Sizing::for_board(&options.profile, &board, sysctl::rmem_default(), others);
    let sizing = sizing.map_err(|error| {
        output::complain(&error);
        Exit::Usage
    })?;
    Ok(Prepared { socket, filtering, board, sizing })
}
