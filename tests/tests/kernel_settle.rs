//! Changes without an event or a counter: the scan after a burst finds them, and reports nothing
//! else.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use sureplug_tests::daemon::{Daemon, json, marked, number, raise_number, watching_all};
use sureplug_tests::fold::Fold;
use sureplug_tests::kernel::devices::NetDevice;
use sureplug_tests::kernel::{mark, own_sysfs};
use sureplug_tests::privilege::turn_to_raise;
use sureplug_tests::stand_in::StandIn;
use sureplug_tests::sysfs_truth::{assert_true, devpaths};

fn is_kind(line: &str, kind: &str) -> bool {
    json(line)["kind"] == kind
}

fn counts(line: &Value) -> [u64; 3] {
    ["added", "removed", "replaced"].map(|key| number(line, key))
}

#[test]
fn i3_devices_whose_events_never_came_are_found_after_the_next_burst() {
    let Some(_turn) = own_sysfs("devices without events") else { return };
    let tap = |name: &str| NetDevice::tap(name).expect("a tap");
    let (replaced, gone, stays) = (tap("hreplaced"), tap("hgone"), tap("visible"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_small_buffer"));
    command.args(["4000000", "--hide", "h"]);
    let daemon = Daemon::start(command);
    daemon.wait_until_scanned();

    replaced.destroy().expect("it is gone");
    gone.destroy().expect("it is gone");
    let (_replaced, _new) = (tap("hreplaced"), tap("hnew"));
    let mark = mark();
    let raised = Instant::now();
    raise_number(0, &mark);
    let (at, found) = daemon.wait_for_line_from(0, |line| is_kind(line, "unreported"));
    assert!(raised.elapsed() >= Duration::from_secs(2), "the burst was not over");
    assert_eq!(counts(&json(&found)), [1, 1, 1], "{found}");
    drop(stays);
    daemon.wait_for_line_from(at, |line| json(line)["devpath"] == "/devices/virtual/net/visible");
    let output = daemon.finish();
    output.assert_fine();
    assert_true(&output.fold(), Path::new("/sys"), "behind a filter");
    let delivered = |name: &str| -> Vec<(String, String)> {
        let events = output.objects("event").into_iter();
        let ours = events.filter(|event| event["devpath"] == format!("/devices/virtual/net/{name}"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        ours.map(|event| (text(&event["action"]), text(&event["properties"]["SUREPLUG_ORIGIN"]))).collect()
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|&(action, origin)| (action.into(), origin.into())).collect()
    };
    assert_eq!(delivered("hreplaced"), pairs(&[("add", "scan"), ("remove", "repair"), ("add", "repair")]));
    assert_eq!(delivered("hgone"), pairs(&[("add", "scan"), ("remove", "repair")]));
    assert_eq!(delivered("hnew"), pairs(&[("add", "repair")]));
    assert_eq!(delivered("visible"), pairs(&[("add", "scan"), ("remove", "kernel")]));
    assert_eq!(number(&output.totals(), "lost"), 0, "no counter shows it");
}

#[test]
fn i3_changes_without_events_are_found_and_removals_carry_the_properties_of_additions() {
    let Some(_turn) = turn_to_raise("a stand-in for sysfs") else { return };
    let sysfs = StandIn::new();
    let hub = "/devices/pci0/usb1/1-1";
    let stick = "/devices/pci0/usb1/1-1/1-1.2";
    let interface = "/devices/pci0/usb1/1-1/1-1.2/1-1.2:1.0";
    let usb = |name: &str| format!("bus/usb/devices/{name}");
    sysfs.plug(&usb("1-1"), hub, "DEVTYPE=usb_device\nPRODUCT=409/55aa/101\nBUSNUM=001\nDEVNUM=002\n");
    sysfs.plug(
        &usb("1-1.2"),
        stick,
        "MAJOR=189\nMINOR=2\nDEVNAME=x/y\nDEVTYPE=usb_device\nPRODUCT=46f4/1/0\nBUSNUM=001\nDEVNUM=003\n",
    );
    sysfs.plug(&usb("1-1.2:1.0"), interface, "DEVTYPE=usb_interface\nPRODUCT=46f4/1/0\n");
    let daemon = Daemon::start(watching_all(&format!("--json --sysfs {}", sysfs.path().display())));
    let scanned = json(&daemon.wait_for_line(|line| is_kind(line, "scanned")));
    assert_eq!(number(&scanned, "devices"), 3);

    // Another stick in the same port, and a net device.
    sysfs.unplug(&usb("1-1.2:1.0"), interface);
    sysfs.unplug(&usb("1-1.2"), stick);
    sysfs.plug(&usb("1-1.2"), stick, "DEVTYPE=usb_device\nPRODUCT=46f4/1/0\nBUSNUM=001\nDEVNUM=004\n");
    sysfs.plug(&usb("1-1.2:1.0"), interface, "DEVTYPE=usb_interface\nPRODUCT=46f4/1/0\n");
    sysfs.plug("class/net/eth9", "/devices/pci0/net/eth9", "INTERFACE=eth9\nIFINDEX=9\n");
    let mark = mark();
    raise_number(0, &mark);
    let found = daemon.wait_for_line(|line| is_kind(line, "unreported"));
    assert_eq!(counts(&json(&found)), [1, 0, 2], "{found}");
    let output = daemon.finish();
    output.assert_fine();
    let fold = output.fold();
    let delivered: std::collections::BTreeSet<_> = fold.present.keys().cloned().collect();
    assert_eq!(delivered, devpaths(sysfs.path()));
    assert_eq!(fold.present[stick].properties["DEVNUM"], "004");
    assert!(fold.parents_first.is_empty(), "{:?}", fold.parents_first);
    let removed = output.objects("event").into_iter().filter(|event| event["action"] == "remove");
    let removed: Vec<Value> = removed.collect();
    assert_eq!(removed.len(), 2);
    assert_eq!((&removed[0]["devpath"], &removed[1]["devpath"]), (&interface.into(), &stick.into()));
    assert_eq!(removed[1]["properties"]["DEVNAME"], "x/y");
    // Outside of that sysfs, and delivered nevertheless.
    let null = output.objects("event").into_iter().find(|event| marked(event, &mark) == Some(0));
    assert_eq!(null.expect("the event")["properties"]["SUREPLUG_TRACKED"], "no");
}

#[test]
fn complete_burst_is_followed_by_no_correction() {
    let Some(_turn) = own_sysfs("a quiet scan") else { return };
    let daemon = Daemon::start(watching_all("--json"));
    daemon.wait_until_scanned();
    drop(NetDevice::tap("quiet").expect("a tap"));
    let _stays = NetDevice::tap("stays").expect("a tap");
    std::thread::sleep(Duration::from_millis(3_500));
    let output = daemon.finish();
    output.assert_fine();
    assert!(output.objects("unreported").is_empty());
    let repairs = output.objects("event").into_iter();
    assert_eq!(repairs.filter(|event| event["properties"]["SUREPLUG_ORIGIN"] == "repair").count(), 0);
    assert_true(&Fold::of(&output.stdout).expect("a well-formed stream"), Path::new("/sys"), "all came");
}
