//! Scenarios on emulated ARM boards. `cargo test -p sureplug-board-tests` runs all on both boards;
//! names after `--` select some: `-- arm64::filter::plug`, `-- flap`. `SUREPLUG_BOARD_RELEASE`
//! selects the kernel: `bookworm` (6.1, the default), `bullseye` (5.10), `trixie` (6.12).

mod applications;
mod audit;
mod footprint;
mod forged;
mod led;
mod nodes;
mod plug;
mod serial;
mod sized;
mod standing;
mod stopped;

use std::process::ExitCode;

use sureplug_board_tests::{Group, run_all};

/// Those that are about the stream run with the kernel's filter and without.
const GROUPS: &[Group] = &[
    Group {
        name: "filter",
        arguments: "",
        scenarios: &[
            plug::SCENARIOS,
            stopped::SCENARIOS,
            sized::SCENARIOS,
            serial::SCENARIOS,
            standing::SCENARIOS,
            footprint::SCENARIOS,
            audit::SCENARIOS,
            applications::SCENARIOS,
            led::SCENARIOS,
            forged::SCENARIOS,
        ],
    },
    Group { name: "all", arguments: "--subsystem all", scenarios: &[plug::SCENARIOS, stopped::SCENARIOS] },
];

fn main() -> ExitCode {
    run_all(GROUPS)
}
