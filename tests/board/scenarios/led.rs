//! The status LED on a GPIO line: a daemon with the feature `gpio`, and the data register of the board's own PL061 as its
//! processor would read it.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use sureplug_board_tests::{Board, Extra, PATIENCE, Scenario, Usb};
use tempfile::TempDir;

pub(crate) const SCENARIOS: &[Scenario] = &[Scenario { name: "led::gpio_line", run: gpio_line }];

/// Where QEMU's `virt` boards have their PL061 (`hw/arm/virt.c`), and the daemon's line of its eight.
const PL061: u64 = 0x0903_0000;
const LINE: u64 = 5;

/// GPIODIR, of ARM's manual of the PL061.
const DIRECTION: u64 = 0x400;

/// For how long what does not blink is looked at.
const STEADY: Duration = Duration::from_millis(1_500);

/// How often it must rise to be called blinking.
const BLINKS: usize = 4;

/// How often.
const TICK: Duration = Duration::from_millis(20);

/// On a board of its own, with a daemon of its own.
fn gpio_line(shared: &mut Board) {
    let directory = TempDir::with_prefix("sureplug-gpio-").expect("a directory");
    let daemon = directory.path().join("sureplug");
    fs::copy(shared.architecture.daemon_with("gpio"), &daemon).expect("a copy");
    let extra = Extra { programs: vec![("sureplug".into(), daemon)], ..Extra::default() };
    let mut board = Board::boot(shared.architecture, &extra);
    let board = &mut board;
    assert!(!is_output(board), "no process has the line");

    board.stop_daemon();
    board.shell.run(
        "chmod a+rw /dev/gpiochip0; echo 4096 >/proc/sys/net/core/rmem_max; \
         echo 4096 >/proc/sys/net/core/rmem_default",
    );
    let led = format!("--led-gpio /dev/gpiochip0:{LINE}");
    // Less than a stick's events, as without `CAP_NET_ADMIN` the kernel gives no more.
    board.start_daemon_as_nobody(&format!("--allow-undersized {led}"));
    wait_until_high(board);
    assert!(is_output(board));
    assert_eq!(rises(board, STEADY), 0, "steady is on");
    let (code, said) = board.shell.try_run(&format!("sureplug run {led}"));
    assert!(code == 3 && said.contains("--led-gpio "), "the line is taken: {code}: {said}");

    // A loss blinks until it is acknowledged.
    board.signal_daemon("STOP");
    board.plug("2", Usb::Stick(4));
    board.wait_for_sysfs();
    board.signal_daemon("CONT");
    board.wait_for_kind("overrun");
    // How fast it does so is the unit tests': this looks as often as the machine lets it.
    let end = Instant::now() + PATIENCE;
    let mut blinked = 0;
    while blinked < BLINKS {
        assert!(Instant::now() < end, "{blinked} times on");
        blinked += rises(board, STEADY);
    }
    board.signal_daemon("USR1");
    wait_until_high(board);
    assert_eq!(rises(board, STEADY), 0, "acknowledged");

    board.stop_daemon();
    assert!(!is_high(board), "no daemon");
    for wrong in ["/dev/gpiochip0:8", "/dev/gpiochip7:0", "/dev/null:0"] {
        let (code, said) = board.shell.try_run(&format!("sureplug run --led-gpio {wrong}"));
        assert!(code == 3 && said.contains("--led-gpio "), "{wrong}: {code}: {said}");
    }
}

/// A register of the PL061.
fn register(board: &mut Board, offset: u64) -> u64 {
    let command = format!("xp /1wx {:#x}", PL061 + offset);
    let said = board.qmp("human-monitor-command", &json!({"command-line": command}));
    let word = said.as_str().and_then(|said| said.trim().rsplit_once("0x"));
    word.and_then(|(_, word)| u64::from_str_radix(word, 16).ok())
        .unwrap_or_else(|| panic!("{command}: {said}"))
}

fn is_output(board: &mut Board) -> bool {
    register(board, DIRECTION) & 1 << LINE != 0
}

/// GPIODATA: bits 2 to 9 of the address choose the lines.
fn is_high(board: &mut Board) -> bool {
    register(board, 4 << LINE) != 0
}

fn wait_until_high(board: &mut Board) {
    let end = Instant::now() + PATIENCE;
    while !is_high(board) {
        assert!(Instant::now() < end, "the line stays low");
        thread::sleep(TICK);
    }
}

/// How often the line goes from low to high.
fn rises(board: &mut Board, looked_for: Duration) -> usize {
    let end = Instant::now() + looked_for;
    let (mut rises, mut before) = (0, is_high(board));
    while Instant::now() < end {
        thread::sleep(TICK);
        let now = is_high(board);
        rises += usize::from(now && !before);
        before = now;
    }
    rises
}
