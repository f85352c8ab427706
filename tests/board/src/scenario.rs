use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use crate::architecture::Architecture;
use crate::board::Board;
use crate::qemu::Extra;

/// What is done with a running board, and must hold. It leaves the board with nothing plugged in and the daemon
/// running as `run --json`.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// Panics if something does not hold.
    pub run: fn(&mut Board),
}

/// Runs the scenarios on both boards at once, each board booted once, and again after a scenario that failed.
/// The arguments of the process choose those whose names (`arm64::plug::mouse`) contain one of them.
#[must_use]
pub fn run_all(scenarios: &[Scenario]) -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let chosen: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_chosen = |name: &str| chosen.is_empty() || chosen.iter().any(|part| name.contains(part.as_str()));
    let of_board = |architecture: Architecture| -> Vec<(String, Scenario)> {
        let named = scenarios.iter().map(|one| (format!("{}::{}", architecture.name(), one.name), *one));
        named.filter(|(name, _)| is_chosen(name)).collect()
    };
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in Architecture::ALL.into_iter().flat_map(of_board) {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let boards = Architecture::ALL.map(|architecture| {
        let scenarios = of_board(architecture);
        thread::Builder::new()
            .name(architecture.name().into())
            .spawn(move || run_on(architecture, &scenarios))
            .expect("a thread")
    });
    let (mut passed, mut failed) = (0, Vec::new());
    for board in boards {
        let (count, names) = board.join().expect("panics are caught");
        passed += count;
        failed.extend(names);
    }
    for name in &failed {
        println!("failed: {name}");
    }
    let result = if failed.is_empty() { "ok" } else { "FAILED" };
    println!("\ntest result: {result}. {passed} passed; {} failed; 0 ignored; 0 measured\n", failed.len());
    if failed.is_empty() && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many passed, and the names of those that failed.
fn run_on(architecture: Architecture, scenarios: &[(String, Scenario)]) -> (usize, Vec<String>) {
    let mut board: Option<Board> = None;
    let (mut passed, mut failed) = (0, Vec::new());
    for (name, scenario) in scenarios {
        let begun = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| {
            let board = board.get_or_insert_with(|| {
                let board = Board::boot(architecture, &Extra::default());
                println!("{}: booted in {:.1} s", architecture.name(), board.booted_in.as_secs_f32());
                board
            });
            (scenario.run)(board);
        }));
        let took = begun.elapsed().as_secs_f32();
        if result.is_ok() {
            println!("test {name} ... ok ({took:.1} s)");
            passed += 1;
        } else {
            println!("test {name} ... FAILED ({took:.1} s)");
            if let Some(board) = board.take() {
                let said = board.console.since(board.log.started_at());
                let notices: Vec<String> =
                    said.into_iter().filter(|line| !line.contains("\"kind\":\"event\"")).collect();
                println!(
                    "beside events the console said:\n{}\nand at last:\n{}",
                    notices.join("\n"),
                    board.console.tail()
                );
            }
            failed.push(name.clone());
        }
    }
    (passed, failed)
}
