//! What outsiders write reaches no terminal as it stands, and becomes no line and no key.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;
use sureplug_core::uevent::is_visible;
use sureplug_tests::daemon::{Daemon, Output, json, run, sureplug, watching_all};
use sureplug_tests::kernel::{Injector, Listener, own_network_namespace, own_sysfs};
use sureplug_tests::stand_in::StandIn;

/// Names that a terminal or a reader of lines could take for something else. None has a slash, as none in sysfs has.
const NAMES: [&str; 6] = [
    "a\nadd usb \u{1b}[2J",
    "gpj\u{202e}exe",
    "x (driver) 1234:5678",
    "MODALIAS=evil\nDEVNAME=sda",
    "\r\u{9b}31m\u{7f}",
    "\u{200b}\u{feff}\u{2028}",
];

fn assert_visible(output: &Output) {
    for line in output.stdout.iter().chain(&output.stderr) {
        assert!(line.chars().all(is_visible), "{line:?}");
    }
}

#[test]
fn i7_a_process_cannot_write_to_the_terminal_of_an_audit() {
    let Some(_turn) = own_network_namespace("a process with a hostile name") else { return };
    let _listener = Listener::with_rcvbuf(1 << 16, 1);
    for name in NAMES {
        // The kernel cuts it at 15 bytes.
        fs::write("/proc/self/comm", name).expect("a name");
        let output = run(sureplug("audit"));
        assert_visible(&output);
        let pid = std::process::id().to_string();
        assert_eq!(
            output.stdout.iter().filter(|line| line.trim_start().starts_with(&pid)).count(),
            1,
            "{output:#?}"
        );
    }
}

/// A sysfs with a class, a bus and devices of such names.
fn hostile() -> StandIn {
    let sysfs = StandIn::new();
    for (number, name) in NAMES.iter().enumerate() {
        let devpath = format!("/devices/{number}/{name}");
        let uevent =
            format!("DRIVER={name}\nMAJOR=8\nMINOR={number}\nDEVNAME={number}\u{202e}\u{1b}\nA={name}\n");
        sysfs.plug(&format!("class/c{name}/{name}"), &devpath, &uevent);
        symlink(format!("../../class/c{name}"), sysfs.path().join(&devpath[1..]).join("subsystem"))
            .expect("a link");
    }
    sysfs
}

#[test]
fn i7_names_of_devices_and_subsystems_stay_one_line_of_a_list() {
    let sysfs = hostile();
    let list = |options: &str| {
        run({
            let mut command = sureplug(&format!("list --socket /nonexistent/events {options} --sysfs"));
            command.arg(sysfs.path());
            command
        })
    };
    let output = list("");
    assert_visible(&output);
    assert_eq!(output.stdout.len(), NAMES.len(), "{output:#?}");
    let devices = list("--json").objects("device");
    for (number, name) in NAMES.iter().enumerate() {
        let devpath = format!("/devices/{number}/{name}");
        let device = devices.iter().find(|device| device["devpath"] == devpath.as_str());
        let device = device.unwrap_or_else(|| panic!("{devpath:?} is not in {devices:#?}"));
        assert_eq!((&device["subsystem"], device["id"].is_null()), (&format!("c{name}").into(), true));
    }
}

#[test]
fn i7_names_of_devices_and_subsystems_stay_one_line_of_the_log() {
    let Some(_turn) = own_sysfs("devices with hostile names") else { return };
    let sysfs = hostile();
    for options in ["", "--verbose"] {
        let daemon = Daemon::start(watching_all(&format!("{options} --sysfs {}", sysfs.path().display())));
        daemon.wait_until_scanned();
        let output = daemon.finish();
        output.assert_fine();
        assert_visible(&output);
        let added = output.stdout.iter().filter(|line| line.contains("] add ") && line.ends_with("(scan)"));
        assert_eq!(added.count(), NAMES.len(), "{output:#?}");
        assert!(!output.stdout.iter().any(|line| line.trim_start().starts_with("MODALIAS=")), "{output:#?}");
    }
}

#[test]
fn events_cannot_carry_the_streams_own_keys() {
    let Some(_turn) = own_network_namespace("an event with keys of the stream") else { return };
    let daemon = Daemon::start(watching_all("--json"));
    daemon.wait_until_scanned();
    Injector::new().send(
        b"add@/devices/x\0ACTION=add\0SUREPLUG_ORIGIN=scan\0DEVPATH=/devices/x\0SUBSYSTEM=usb\0SUREPLUG_TRACKED=no\0SUREPLUG_NEW=1\0A=1\0",
    );
    let line = json(&daemon.wait_for_line(|line| json(line)["devpath"] == "/devices/x"));
    let properties = &line["properties"];
    assert_eq!((&properties["SUREPLUG_ORIGIN"], &properties["A"]), (&"kernel".into(), &"1".into()), "{line}");
    assert!(properties["SUREPLUG_NEW"].is_null() && line["repeated"] == Value::Null, "{line}");
    daemon.finish().assert_fine();
}
