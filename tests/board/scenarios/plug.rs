//! Devices are plugged in and unplugged while the daemon runs: it reports each from the kernel's
//! own events.

use sureplug_board_tests::{Board, Scenario, Usb};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "plug::coldplug", run: coldplug },
    Scenario { name: "plug::keyboard", run: |board| one(board, Usb::Keyboard) },
    Scenario { name: "plug::mouse", run: |board| one(board, Usb::Mouse) },
    Scenario { name: "plug::hub", run: |board| one(board, Usb::Hub) },
    Scenario { name: "plug::stick_2", run: |board| one(board, Usb::Stick(2)) },
    Scenario { name: "plug::stick_4", run: |board| one(board, Usb::Stick(4)) },
    Scenario { name: "plug::uas", run: |board| one(board, Usb::Uas(4)) },
    Scenario { name: "plug::serial", run: |board| one(board, Usb::Serial) },
    Scenario { name: "plug::audio", run: |board| one(board, Usb::Audio) },
    Scenario { name: "plug::ethernet", run: |board| one(board, Usb::Ethernet) },
    Scenario { name: "plug::hub_with_8", run: |board| many(board, &HUB_WITH_8) },
    Scenario { name: "plug::nested_hubs_with_21", run: |board| many(board, &NESTED_HUBS_WITH_21) },
    Scenario { name: "plug::flap", run: flap },
    Scenario { name: "plug::the_kernel_decides", run: kernel_decides },
];

/// QEMU's hub is too slow for UAS.
pub(crate) const HUB_WITH_8: [(&str, Usb); 9] = [
    ("3", Usb::Hub),
    ("3.1", Usb::Stick(4)),
    ("3.2", Usb::Keyboard),
    ("3.3", Usb::Mouse),
    ("3.4", Usb::Stick(4)),
    ("3.5", Usb::Serial),
    ("3.6", Usb::Audio),
    ("3.7", Usb::Ethernet),
    ("3.8", Usb::Stick(2)),
];

const NESTED_HUBS_WITH_21: [(&str, Usb); 24] = [
    ("3", Usb::Hub),
    ("3.1", Usb::Stick(4)),
    ("3.2", Usb::Keyboard),
    ("3.3", Usb::Mouse),
    ("3.4", Usb::Stick(4)),
    ("3.5", Usb::Serial),
    ("3.6", Usb::Keyboard),
    ("3.7", Usb::Ethernet),
    ("3.8", Usb::Hub),
    ("3.8.1", Usb::Stick(4)),
    ("3.8.2", Usb::Keyboard),
    ("3.8.3", Usb::Mouse),
    ("3.8.4", Usb::Stick(2)),
    ("3.8.5", Usb::Serial),
    ("3.8.6", Usb::Audio),
    ("3.8.7", Usb::Mouse),
    ("3.8.8", Usb::Hub),
    ("3.8.8.1", Usb::Stick(4)),
    ("3.8.8.2", Usb::Keyboard),
    ("3.8.8.3", Usb::Mouse),
    ("3.8.8.4", Usb::Stick(2)),
    ("3.8.8.5", Usb::Serial),
    ("3.8.8.6", Usb::Keyboard),
    ("3.8.8.7", Usb::Mouse),
];

/// The init script started the first daemon, which reported all present devices.
fn coldplug(board: &mut Board) {
    let truth = board.settle();
    // Of USB there are the root hubs; of all subsystems there is much more.
    let least = if board.log.selects("platform") { 100 } else { 4 };
    assert!(truth.0.len() >= least, "{} devices", truth.0.len());
    assert_eq!(board.log.of_kind(0, "scanned").count(), 1);
}

/// All parts of a device come and go, reported from the kernel's own events.
fn one(board: &mut Board, usb: Usb) {
    let before = board.settle();
    let start = board.listen();
    board.plug("2", usb);
    let with = board.settle();
    let added = board.log.at_port(start, "2").filter(|event| event["action"] == "add").count();
    assert_eq!(added, with.at_port("2").count(), "{usb}");
    board.unplug("2");
    assert_eq!(board.settle(), before, "{usb}");
    board.log.assert_lost_nothing(start);
}

/// They come at once, and go at once.
fn many(board: &mut Board, devices: &[(&str, Usb)]) {
    let before = board.settle();
    let start = board.listen();
    board.plug_at_once(devices);
    let with = board.settle();
    let added = board.log.at_port(start, "3").filter(|event| event["action"] == "add").count();
    assert_eq!(added, with.at_port("3").count());
    board.unplug_all();
    assert_eq!(board.settle(), before);
    board.log.assert_lost_nothing(start);
}

/// It goes as soon as the board has seen it, while what it brings still comes.
fn flap(board: &mut Board) {
    const FLAPS: usize = 10;
    let before = board.settle();
    let start = board.listen();
    for _ in 0..FLAPS {
        board.plug("2", Usb::Keyboard);
        board.wait_until("ls -d /sys/bus/usb/devices/?-2");
        board.unplug("2");
        board.wait_until("! ls -d /sys/bus/usb/devices/?-2");
    }
    assert_eq!(board.settle(), before);
    let events = |action: &str| {
        let events = board.log.at_port(start, "2").filter(|event| event["action"] == action);
        events.filter(|event| event["properties"]["DEVTYPE"] == "usb_device").count()
    };
    assert_eq!(events("add"), events("remove"));
    // What was missed may have come and gone.
    let is_whole = events("add") == FLAPS || board.log.missed(start) > 0 && events("add") < FLAPS;
    assert!(is_whole, "{} of {FLAPS}", events("add"));
    board.log.assert_lost_nothing(start);
}

/// The daemon reports everything that it receives: with a filter, the kernel has decided every
/// header itself.
fn kernel_decides(board: &mut Board) {
    board.restart_daemon("");
    many(board, &NESTED_HUBS_WITH_21);
    let start = board.log.of_kind(0, "start").next().expect("a first line").clone();
    let is_filtered = !board.log.selects("platform");
    assert_eq!(start["filter"], if is_filtered { "kernel" } else { "none" }, "{start}");
    let totals = board.stop_daemon();
    let told =
        board.log.of_kind(0, "event").filter(|event| event["properties"]["SUREPLUG_ORIGIN"] == "kernel");
    // Of what was missed, some may be the first scan's.
    let (told, missed) = (told.count() as u64, board.log.missed(0));
    let received = totals["received"].as_u64().expect("a number");
    assert!(told <= received && received <= told + missed, "{told} reported, {missed} missed: {totals}");
    board.start_daemon("");
}
