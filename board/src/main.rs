//! The command `sureplug`: see [`sureplug_board::cli`].

#[cfg(all(panic = "abort", not(debug_assertions)))]
mod unwinding;

use std::process::ExitCode;

fn main() -> ExitCode {
    sureplug_board::cli::main(std::env::args_os().skip(1))
}
