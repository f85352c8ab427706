//! What the daemon costs a board, from the guest's own `/proc`: the table in `board/FOOTPRINT.md`.

use std::thread;
use std::time::{Duration, Instant};

use sureplug_board_tests::{Board, PATIENCE, Scenario, Usb};

pub(crate) const SCENARIOS: &[Scenario] = &[Scenario { name: "footprint", run: footprint }];

/// More private memory than that is no component of a board's image: half of it is the static program.
const MAX_PRIVATE_KIB: u64 = 2_048;

/// A settle scan may come this late after an event.
const LAST_SCAN: Duration = Duration::from_secs(14);

fn footprint(board: &mut Board) {
    board.stop_daemon();
    // Without a line to write to, and with the events that the bare reader receives.
    board.run_init_script("--subsystem all --log /dev/null");
    board.shell.run("bare_reader >/dev/null 2>&1 & echo $! >/run/bare_reader.pid");
    thread::sleep(LAST_SCAN);
    let idle = Memory::of(board);
    let before = times(board);
    let sticks = ["3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "3.8"].map(|port| (port, Usb::Stick(4)));
    let mut storm = Memory::default();
    for _ in 0..3 {
        board.plug_at_once(&[("3", Usb::Hub)]);
        board.plug_at_once(&sticks);
        board.wait_for_sysfs();
        storm = Memory::of(board);
        board.unplug_all();
        board.wait_for_sysfs();
    }
    let after_storm = times(board);
    // On a slow machine the last scan may be later.
    let end = Instant::now() + PATIENCE;
    loop {
        let before = wakeups(board);
        thread::sleep(LAST_SCAN);
        if wakeups(board) == before {
            break;
        }
        assert!(Instant::now() < end, "it does not rest");
    }
    let after = Memory::of(board);
    let wakeups = wakeups(board);
    thread::sleep(Duration::from_secs(60));
    let wakeups = self::wakeups(board) - wakeups;
    board.shell.run("kill $(cat /run/bare_reader.pid); /etc/init.d/S30sureplug stop");
    board.shell.run("while kill -0 $(cat /run/sureplug.pid) 2>/dev/null; do sleep 0.1; done");
    let [ours, console, bare] = [0, 1, 2].map(|which| after_storm[which] - before[which]);
    println!(
        "footprint {}: resident/private kB idle {}/{}, storm {}/{}, after {}/{}; processor time of a storm {} us \
         and for the log {} us, of a bare reader {} us: ratio {}.{:02}; wake-ups in 60 s idle: {wakeups}",
        board.architecture.name(),
        idle.resident_kib,
        idle.private_kib,
        storm.resident_kib,
        storm.private_kib,
        after.resident_kib,
        after.private_kib,
        ours / 1_000,
        console / 1_000,
        bare / 1_000,
        ours / bare,
        ours * 100 / bare % 100,
    );
    assert_eq!(wakeups, 0, "wake-ups while nothing happens");
    assert!(after.private_kib <= MAX_PRIVATE_KIB, "{} kB", after.private_kib);
    // The ratio is not limited here: an emulated processor that shares a busy one measures that one. The benches do.
    assert!(ours > 0 && bare > 0);
    board.start_daemon("");
}

/// From `smaps_rollup`.
#[derive(Default)]
struct Memory {
    resident_kib: u64,
    private_kib: u64,
}

impl Memory {
    fn of(board: &mut Board) -> Self {
        let mut sum = |keys: &str| {
            let program = format!("/^({keys}):/ {{ sum += $2 }} END {{ print sum }}");
            board.shell.number(&format!("awk '{program}' /proc/$(cat /run/sureplug.pid)/smaps_rollup"))
        };
        Self { resident_kib: sum("Rss"), private_kib: sum("Private_Clean|Private_Dirty") }
    }
}

/// Processor time in nanoseconds: of the daemon but for its console thread, of that, and of the bare reader.
fn times(board: &mut Board) -> [u64; 3] {
    let mut sum =
        |files: &str| board.shell.number(&format!("cat {files} | awk '{{ sum += $1 }} END {{ print sum }}'"));
    let all = sum("/proc/$(cat /run/sureplug.pid)/task/*/schedstat");
    let console = sum("$(dirname $(grep -l console /proc/$(cat /run/sureplug.pid)/task/*/comm))/schedstat");
    [all - console, console, sum("/proc/$(cat /run/bare_reader.pid)/task/*/schedstat")]
}

/// Returns how often any of the daemon's threads has gone to sleep.
fn wakeups(board: &mut Board) -> u64 {
    board.shell.number(
        "awk '/^(non)?voluntary_ctxt_switches:/ { sum += $2 } END { print sum }' \
         /proc/$(cat /run/sureplug.pid)/task/*/status",
    )
}
