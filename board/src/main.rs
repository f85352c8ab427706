//! The program `sureplug`, described in `board/MANUAL.md`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sureplug_board::main(std::env::args_os().skip(1))
}
