//! The command `sureplug`: see [`sureplug_board::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    sureplug_board::cli::main(std::env::args_os().skip(1))
}
