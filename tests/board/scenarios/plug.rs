//! Devices are plugged in and unplugged while the daemon listens: it tells of each, from the kernel's own events.

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
];

/// The first daemon was started by its init script, and told all that was there.
fn coldplug(board: &mut Board) {
    let truth = board.settle();
    assert!(truth.0.len() > 100, "{} devices", truth.0.len());
    assert_eq!(board.log.of_kind(0, "scanned").count(), 1);
}

/// All that a device brings comes and goes, told by the kernel alone.
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
