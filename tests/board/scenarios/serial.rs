//! The serial line is slow, and noisy.

use std::thread;
use std::time::Duration;

use serde_json::json;
use sureplug_board_tests::{Board, Scenario, Usb};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "serial::i5_a_slow_line_delays_nothing", run: slow_line },
    Scenario { name: "serial::input_harms_nothing", run: input },
];

/// 115,200 baud: ten bits a byte.
const BYTES_PER_SECOND: u32 = 11_520;

/// A storm's log takes the line a minute, and the socket is read all the same. Who reads the line is told how many
/// events it missed, and then the difference.
fn slow_line(board: &mut Board) {
    board.restart_daemon("");
    let before = board.settle();
    let start = board.listen();
    board.console.throttle(Some(BYTES_PER_SECOND));
    for _ in 0..2 {
        let sticks =
            ["3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "3.8"].map(|port| (port, Usb::Stick(4)));
        board.plug_at_once(&[("3", Usb::Hub)]);
        board.plug_at_once(&sticks);
        board.wait_for_sysfs();
        board.unplug_all();
        board.wait_for_sysfs();
    }
    // What the line has not taken yet.
    board.console.throttle(None);
    assert_eq!(board.settle(), before);
    let missed: u64 = board.log.of_kind(start, "missed").filter_map(|line| line["events"].as_u64()).sum();
    assert!(missed > 0, "the line kept up");
    let totals = board.stop_daemon();
    for key in ["lost", "malformed", "truncated", "repairs", "output_dropped_lines"] {
        assert_eq!(totals[key], 0, "{totals}");
    }
    assert_eq!(totals["output_missed_events"], missed, "{totals}");
    board.start_daemon("");
}

/// Control characters, line noise, breaks and magic keys.
fn input(board: &mut Board) {
    board.settle();
    let start = board.listen();
    let pid = board.shell.run("cat /run/sureplug.pid");
    let every_byte: Vec<u8> = (0..=255).collect();
    board.console.send(&every_byte);
    for control in [3, 4, 17, 19, 26, 28] {
        board.console.send(&[control; 3]);
    }
    board.plug("2", Usb::Stick(4));
    board.console.send(&every_byte.repeat(8));
    board.settle();
    // Help, sync, and what the kernel does not know, while nothing is said: the kernel would write between the lines.
    thread::sleep(Duration::from_millis(500));
    for key in *b"hs~" {
        board.qmp("chardev-send-break", &json!({"id": "console"}));
        board.console.send(&[key]);
    }
    thread::sleep(Duration::from_millis(500));
    board.listen();
    assert!(
        board.log.others.iter().any(|line| line.contains("sysrq")),
        "no magic key came: {:?}",
        board.log.others
    );
    board.console.send(&every_byte.repeat(8));
    board.unplug("2");
    board.settle();
    board.log.assert_lost_nothing(start);
    assert_eq!(board.shell.run("cat /run/sureplug.pid; kill -0 $(cat /run/sureplug.pid)"), pid);
}
