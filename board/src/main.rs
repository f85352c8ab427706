//! The program `sureplug`: `board/MANUAL.md` describes it.

use std::process::ExitCode;

fn main() -> ExitCode {
    sureplug_board::main(std::env::args_os().skip(1))
}
