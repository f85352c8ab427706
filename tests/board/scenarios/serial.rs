//! The serial line is slow, and noisy.

use std::collections::BTreeSet;
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use sureplug_board_tests::{Board, Lines, Log, PATIENCE, Scenario, Source, Usb};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "serial::i5_a_slow_line_delays_nothing", run: slow_line },
    Scenario { name: "serial::i5_a_slow_console", run: slow_console },
    Scenario { name: "serial::input_harms_nothing", run: input },
    Scenario { name: "serial::log_on_an_adapter_that_goes", run: adapter },
];

/// 115,200 baud: ten bits a byte.
const BYTES_PER_SECOND: u32 = 11_520;

/// The line takes nothing during a storm, whose log is many times what ring and journal hold, and the socket is read all the
/// same. The reader of the line gets the number of events that it missed, and then the delta. No speed is involved: a line
/// that is merely slow may keep up with a board that is slower.
fn slow_line(board: &mut Board) {
    board.stop_daemon();
    board.start_daemon_on_line("");
    let before = board.settle();
    let start = board.listen();
    board.line.hold(true);
    for _ in 0..3 {
        let sticks =
            ["3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "3.8"].map(|port| (port, Usb::Stick(4)));
        board.plug_at_once(&[("3", Usb::Hub)]);
        board.plug_at_once(&sticks);
        board.wait_for_sysfs();
        board.unplug_all();
        board.wait_for_sysfs();
    }
    board.line.hold(false);
    assert_eq!(board.settle(), before);
    assert!(board.log.missed(start) > 0, "the line kept up");
    let missed = board.log.missed(0);
    let totals = board.stop_daemon();
    for key in ["lost", "malformed", "truncated", "repairs", "output_dropped_lines"] {
        assert_eq!(totals[key], 0, "{totals}");
    }
    assert_eq!(totals["output_missed_events"], missed, "{totals}");
    board.start_daemon("");
}

/// The console's UART makes the processor wait for the line, so that the board is slow itself: nothing is lost.
fn slow_console(board: &mut Board) {
    let before = board.settle();
    board.console.throttle(Some(BYTES_PER_SECOND));
    board.plug_at_once(&[
        ("3", Usb::Hub),
        ("3.1", Usb::Stick(4)),
        ("3.2", Usb::Keyboard),
        ("3.3", Usb::Stick(4)),
    ]);
    board.wait_for_sysfs();
    board.unplug_all();
    board.wait_for_sysfs();
    assert_eq!(board.settle(), before);
    board.console.throttle(None);
    let totals = board.stop_daemon();
    for key in ["lost", "malformed", "truncated", "repairs", "output_dropped_lines"] {
        assert_eq!(totals[key], 0, "{totals}");
    }
    board.start_daemon("");
}

/// The log goes to a USB serial adapter: not there at the start, then plugged in, unplugged and plugged in again.
/// It has the same name each time, and its reader ends with the truth.
fn adapter(board: &mut Board) {
    board.stop_daemon();
    let path = board.directory().join("adapter");
    let listener = UnixListener::bind(&path).expect("a socket");
    let address = json!({"type": "unix", "data": {"path": path.to_string_lossy()}});
    let backend = json!({"type": "socket", "data": {"addr": address, "server": false}});
    board.qmp("chardev-add", &json!({"id": "adapter", "backend": backend}));
    let (stream, _) = listener.accept().expect("QEMU connects");
    board.source = Source::Other(Lines::of(stream));
    board.log = Log::default();
    board.run_init_script("--log /dev/ttyUSB0");
    // It answers when it has looked for the adapter.
    board.wait_until("sureplug status");
    let with_adapter = json!({"chardev": "adapter"});
    board.plug_with("6", Usb::Serial, &with_adapter);
    board.wait_for_kind("reset");
    board.plug("2", Usb::Stick(2));
    assert_adapter_gets_all(board);
    board.unplug("6");
    board.wait_for_sysfs();
    board.unplug("2");
    board.plug("4", Usb::Keyboard);
    board.wait_for_sysfs();
    let start = board.listen();
    board.plug_with("6", Usb::Serial, &with_adapter);
    board.wait_for_kind("reset");
    assert_adapter_gets_all(board);
    assert!(board.log.of_kind(start, "output_dropped").count() > 0);
    board.shell.run("test -c /dev/ttyUSB0");
    board.shell.run("/etc/init.d/S30sureplug stop");
    let totals = board.wait_for_kind("totals");
    assert_eq!(totals["lost"], 0, "{totals}");
    board.unplug_all();
    board.wait_for_sysfs();
    board.start_daemon("");
}

/// Since the daemon's first line went nowhere, the fold is held against the devices of two subsystems.
fn assert_adapter_gets_all(board: &mut Board) {
    let end = Instant::now() + PATIENCE;
    loop {
        let truth = board.wait_for_sysfs();
        board.listen();
        let told = ["usb", "block", "tty"].map(|subsystem| board.log.fold.devpaths(subsystem));
        let is = ["usb", "block", "tty"].map(|subsystem| {
            let devices = truth.0.iter().filter(|(_, device)| device.subsystem == subsystem);
            devices.map(|(devpath, _)| devpath.clone()).collect::<BTreeSet<_>>()
        });
        if told == is {
            return;
        }
        assert!(Instant::now() < end, "reported {told:?}, actual {is:?}");
        thread::sleep(Duration::from_millis(200));
    }
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
    // Help, sync, and a key unknown to the kernel, while the daemon is silent: the kernel would
    // write between its lines.
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
