//! Scenarios on emulated ARM boards. `cargo test -p sureplug-board-tests` runs all on both boards; names behind `--`
//! choose some: `-- arm64::plug`, `-- flap`. `SUREPLUG_BOARD_RELEASE` chooses the kernel: `bookworm` (6.1, the
//! default), `bullseye` (5.10), `trixie` (6.12).

mod plug;
mod serial;
mod sized;
mod stopped;

use std::process::ExitCode;

use sureplug_board_tests::run_all;

fn main() -> ExitCode {
    let lists = [plug::SCENARIOS, stopped::SCENARIOS, sized::SCENARIOS, serial::SCENARIOS];
    run_all(&lists.concat())
}
