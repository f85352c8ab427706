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

/// Scenarios that run while the daemon has the same arguments.
#[derive(Clone, Copy)]
pub struct Group {
    /// Its name; stands before those of its scenarios.
    pub name: &'static str,
    /// The daemon's arguments after `run --json`.
    pub arguments: &'static str,
    /// What is run, in this order.
    pub scenarios: &'static [&'static [Scenario]],
}

/// A scenario to run, with the properties of its group.
struct Planned {
    name: String,
    arguments: &'static str,
    run: fn(&mut Board),
}

/// Runs the groups on both boards at once, each board booted once, and again after a scenario that failed.
/// The arguments of the process choose those whose names (`arm64::filter::plug::mouse`) contain one of them.
///
/// # Panics
///
/// If there is no thread to be had.
#[must_use]
pub fn run_all(groups: &[Group]) -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let chosen: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_chosen = |name: &str| chosen.is_empty() || chosen.iter().any(|part| name.contains(part.as_str()));
    let of_board = |architecture: Architecture| -> Vec<Planned> {
        let all = groups
            .iter()
            .flat_map(|group| group.scenarios.iter().copied().flatten().map(move |one| (group, one)));
        let named = all.map(|(group, one)| Planned {
            name: format!("{}::{}::{}", architecture.name(), group.name, one.name),
            arguments: group.arguments,
            run: one.run,
        });
        named.filter(|planned| is_chosen(&planned.name)).collect()
    };
    if arguments.iter().any(|argument| argument == "--list") {
        for planned in Architecture::ALL.into_iter().flat_map(of_board) {
            println!("{}: test", planned.name);
        }
        return ExitCode::SUCCESS;
    }
    let boards = Architecture::ALL.map(|architecture| {
        let planned = of_board(architecture);
        let run = move || run_on(architecture, &planned);
        thread::Builder::new().name(architecture.name().into()).spawn(run).expect("a thread")
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
fn run_on(architecture: Architecture, all: &[Planned]) -> (usize, Vec<String>) {
    let mut board: Option<Board> = None;
    let (mut passed, mut failed) = (0, Vec::new());
    for Planned { name, arguments, run } in all {
        let begun = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| {
            let board = board.get_or_insert_with(|| boot(architecture));
            if board.usual != *arguments {
                board.usual = arguments;
                board.restart_daemon("");
            }
            run(board);
        }));
        let took = begun.elapsed().as_secs_f32();
        if result.is_ok() {
            println!("test {name} ... ok ({took:.1} s)");
            passed += 1;
        } else {
            println!("test {name} ... FAILED ({took:.1} s)");
            if let Some(board) = board.take() {
                println!("{}", last_words(&board));
            }
            failed.push(name.clone());
        }
    }
    (passed, failed)
}

fn boot(architecture: Architecture) -> Board {
    let board = Board::boot(architecture, &Extra::default());
    println!("{}: booted in {:.1} s", architecture.name(), board.booted_in.as_secs_f32());
    board
}

/// What helps to see why.
fn last_words(board: &Board) -> String {
    let said = board.console.since(board.log.started_at()).into_iter();
    let notices: Vec<_> = said.filter(|line| !line.contains("\"kind\":\"event\"")).collect();
    let (notices, tail) = (notices.join("\n"), board.console.tail());
    format!("beside events the console said:\n{notices}\nand at last:\n{tail}")
}
