//! A device sends text that looks like properties: it stays text, in a scan, a listing, a hook's environment, and a
//! `remove` that the daemon makes.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sureplug_board_tests::{Board, PATIENCE, Scenario, Usb};

use crate::stopped::{end_small_buffer, start_with_small_buffer};

pub(crate) const SCENARIOS: &[Scenario] =
    &[Scenario { name: "forged::a_serial_number_is_no_property", run: serial_number_is_no_property }];

/// The mouse's serial number, in the 63 bytes that the kernel keeps. The kernel writes it into the
/// files of the HID and the input device.
const SERIAL: &str = "A\nMODALIAS=evil_module\nDEVNAME=sda\nMAJOR=8\nPRODUCT=1/2/3";

/// Notes whether it was given what the mouse would like.
const HOOK: &str = "#!/bin/sh\n\
    echo \"$ACTION $SUBSYSTEM $DEVPATH\" >>/run/hooked\n\
    [ \"$MODALIAS\" != evil_module ] && [ \"$DEVNAME\" != sda ] && [ \"$MAJOR\" != 8 ] || echo \"$DEVPATH\" >>/run/forged\n";

fn serial_number_is_no_property(board: &mut Board) {
    board.wait_for_sysfs();
    board.plug_with("2", Usb::Mouse, &json!({"serial": SERIAL}));
    board.wait_for_sysfs();
    let lines =
        "cat /sys/bus/hid/devices/*/uevent /sys/class/input/input*/uevent | grep -c '^MODALIAS=evil_module$'";
    assert!(board.shell.number(lines) >= 2, "the lines are not in sysfs");

    board.shell.run(&format!(
        "rm -f /run/hooked /run/forged; cat >/run/hook <<'END'\n{HOOK}END\nchmod +x /run/hook"
    ));
    board.restart_daemon("--hook /run/hook");
    board.wait_until(
        "grep -q '^add hid .*/[0-9]*-2/' /run/hooked && grep -q '^add input .*/input[0-9]*$' /run/hooked",
    );
    let start = 0;
    assert_no_forgery(board, start);
    board.listen();
    assert!(board.log.of_kind(start, "forged").count() > 0, "it is not reported");
    let hid = board.log.at_port(start, "2").find(|event| event["subsystem"] == "hid").expect("the mouse");
    assert_eq!((&hid["action"], &hid["properties"]["SUREPLUG_ORIGIN"]), (&json!("add"), &json!("scan")));
    assert!(
        hid["properties"]["MODALIAS"].as_str().is_some_and(|alias| alias.starts_with("hid:b0003g")),
        "{hid}"
    );
    assert!(hid["properties"]["HID_UNIQ"].as_str().is_some_and(|serial| serial.starts_with('A')), "{hid}");
    let input = board
        .log
        .at_port(start, "2")
        .find(|event| !event["properties"]["UNIQ"].is_null())
        .expect("its input");
    assert_eq!(input["properties"]["UNIQ"], format!("\"{SERIAL}\""), "whole, as in an event of the kernel");
    let listing = board.shell.run("sureplug list; sureplug list --json");
    assert!(listing.contains("hid") && !listing.contains("sda") && !listing.contains("evil"), "{listing}");
    board.wait_until("sleep 1; [ ! -e /run/forged ]");

    // A `remove` that the daemon makes itself, since the kernel's was lost.
    start_with_small_buffer(board);
    assert_no_forgery(board, 0);
    let start = board.listen();
    board.signal_daemon("STOP");
    board.plug_at_once(&[("1", Usb::Stick(4)), ("4", Usb::Stick(4))]);
    board.wait_for_sysfs();
    board.unplug("2");
    board.wait_for_sysfs();
    board.signal_daemon("CONT");
    let end = Instant::now() + PATIENCE;
    let removed = loop {
        let is_it = |event: &&Value| event["action"] == "remove" && event["subsystem"] == "hid";
        if let Some(event) = board.log.at_port(start, "2").find(is_it) {
            break event.clone();
        }
        assert!(Instant::now() < end, "the mouse was not removed");
        thread::sleep(Duration::from_millis(100));
        board.listen();
    };
    assert_eq!(removed["properties"]["SUREPLUG_ORIGIN"], "repair", "{removed}");
    assert_no_forgery(board, start);
    board.unplug_all();
    board.settle();
    end_small_buffer(board);
    board.settle();
}

/// No event of the mouse has a property from its text.
fn assert_no_forgery(board: &mut Board, start: usize) {
    board.listen();
    let mut events = 0;
    for event in board.log.at_port(start, "2") {
        let properties = &event["properties"];
        for (key, forged) in
            [("MODALIAS", "evil_module"), ("DEVNAME", "sda"), ("MAJOR", "8"), ("PRODUCT", "1/2/3")]
        {
            assert_ne!(properties[key], forged, "{event}");
        }
        assert!(event["repeated"].is_null(), "{event}");
        events += 1;
    }
    println!("{}: {events} events of the mouse", board.architecture.name());
}
