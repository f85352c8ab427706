//! The losses of other listeners, over the serial console; and the events of devices.

use serde_json::Value;
use sureplug_board_tests::{Architecture, Board, PATIENCE, Scenario, Usb};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "audit::small_reader", run: small_reader },
    Scenario { name: "audit::screen", run: screen },
    Scenario { name: "measure::keyboard", run: |board| measure(board, Usb::Keyboard, KEYBOARD) },
    Scenario { name: "measure::stick_4", run: |board| measure(board, Usb::Stick(4), STICK_4) },
    Scenario { name: "measure::card_reader", run: |board| measure(board, Usb::CardReader(4), CARD_READER) },
];

/// Events of a plug and an unplug, and what Linux 6.1 charges for them on arm64 and on 32-bit ARM.
type Wanted = ([u64; 2], [[u64; 2]; 2]);

const KEYBOARD: Wanted = ([20, 19], [[26_624, 25_344], [23_808, 22_592]]);
const STICK_4: Wanted = ([21, 20], [[25_856, 24_576], [22_976, 22_272]]);
const CARD_READER: Wanted = ([33, 32], [[40_704, 39_424], [37_056, 36_352]]);

fn of_kind(said: &str, kind: &str) -> Vec<Value> {
    let objects = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    objects.filter(|object| object["kind"] == kind).collect()
}

fn is_arm64(board: &Board) -> bool {
    board.architecture == Architecture::Arm64
}

/// Starts the application of the small buffer, which then has something else to do while a stick is plugged in and out.
fn flood_small_reader(board: &mut Board) -> u64 {
    let pid = board.shell.number("small_reader >/dev/null 2>&1 & echo $!");
    board.wait_until_it_listens(pid);
    board.shell.run(&format!("kill -STOP {pid}"));
    board.plug("1", Usb::Stick(4));
    board.wait_for_sysfs();
    pid
}

fn end_small_reader(board: &mut Board, pid: u64) {
    board.shell.run(&format!("kill -KILL {pid}"));
    board.unplug_all();
    board.wait_for_sysfs();
}

fn small_reader(board: &mut Board) {
    let pid = flood_small_reader(board);
    let (code, said) = board.shell.try_run("sureplug audit --json");
    let (_, text) = board.shell.try_run("sureplug audit");
    end_small_reader(board, pid);
    assert_eq!(code, 1, "{said}");
    let sockets = of_kind(&said, "socket");
    let of = |command: &str| {
        sockets.iter().find(|socket| socket["owners"][0]["command"] == command).expect("its socket")
    };
    let theirs = of("small_reader");
    let floor = if is_arm64(board) { 2_304 } else { 2_240 };
    assert_eq!(theirs["owners"][0]["pid"], pid);
    assert_eq!(theirs["effective_bytes"], floor, "{theirs}");
    let drops = theirs["drops"].as_u64().expect("a number");
    assert!((10..=21).contains(&drops), "{theirs}");
    let verdict = theirs["verdict"].as_str().expect("a verdict");
    assert!(verdict.starts_with(&format!("floor: asked for {} or less", floor / 2)), "{verdict}");
    assert!(verdict.ends_with(&format!("lost {drops} so far")), "{verdict}");
    assert_eq!(
        (&of("sureplug")["verdict"], &of("sureplug")["drops"]),
        (&Value::from("fits"), &Value::from(0))
    );
    assert!(text.contains(verdict) && text.contains("the kernel's own"), "{text}");
}

/// The screen on the serial console, which does not report its size.
fn screen(board: &mut Board) {
    let pid = flood_small_reader(board);
    let start = board.console.count();
    let watch = board.shell.number("sureplug audit --watch >/dev/ttyAMA0 2>&1 & echo $!");
    let mut screens = 0;
    let third = board.console.wait_for(start, PATIENCE, |line| {
        screens += line.matches("\x1b[H").count();
        screens == 3
    });
    third.unwrap_or_else(|error| panic!("the third screen: {error}"));
    // The empty line ends what it draws: the daemon's next line has one of its own.
    board
        .shell
        .run(&format!("kill {watch}; wait {watch} || true; echo >/dev/ttyAMA0; echo drawn >/dev/ttyAMA0"));
    let drawn = board.console.wait_for(start, PATIENCE, |line| line == "drawn");
    drawn.unwrap_or_else(|error| panic!("its end: {error}"));
    let drawn = board.console.since(start).join("\n");
    end_small_reader(board, pid);
    let screens: Vec<&str> = drawn.split("\x1b[H").skip(1).collect();
    assert!(screens.len() >= 2, "{drawn}");
    let (last, whole) = screens.split_last().expect("screens");
    assert!(!last.is_empty());
    for screen in whole {
        let lines: Vec<&str> = screen.split("\x1b[J").next().unwrap_or_default().lines().collect();
        let lines: Vec<&str> =
            lines.iter().map(|line| line.trim_end_matches(['\r', '\n']).trim_end_matches("\x1b[K")).collect();
        assert!(lines.len() < 24 && lines.iter().all(|line| line.chars().count() < 80), "{screen}");
        assert!(
            lines.iter().any(|line| line.contains("small_reader") && line.contains(&pid.to_string())),
            "{screen}"
        );
    }
}

/// As a person does it: plug, wait, unplug.
fn measure(board: &mut Board, device: Usb, (events, charges): Wanted) {
    board.shell.run("sureplug measure --json >/tmp/measure 2>&1 & sleep 1");
    let wait_for = |board: &mut Board, text: &str| {
        // In a shell of its own, which may end.
        board.shell.run(&format!(
            "(for i in $(seq 300); do grep -q '{text}' /tmp/measure && exit; usleep 100000; done; true)"
        ));
        let said = board.shell.run("cat /tmp/measure");
        assert!(said.contains(text), "{said}");
        said
    };
    wait_for(board, "plug in the device");
    board.plug("1", device);
    wait_for(board, "unplug it");
    board.unplug("1");
    let said = wait_for(board, "\"kind\":\"measure\"");
    board.wait_for_sysfs();
    let [found] = &of_kind(&said, "measure")[..] else { panic!("{said}") };
    let number = |key: &str| found[key].as_u64().expect("a number");
    assert_eq!([number("plug_events"), number("unplug_events")], events, "{said}");
    let charges = charges[usize::from(!is_arm64(board))];
    assert_eq!([number("plug_bytes"), number("unplug_bytes")], charges, "{said}");
    assert_eq!(found["is_charge_measured"], true);
    let custom = found["port_device"].as_str().expect("a device");
    let size = board.shell.try_run(&format!("sureplug size --json --ports 1 --port-device {custom}")).1;
    assert!(size.contains("\"kind\":\"size\""), "{size}");
}
