//! I4 and I8 on the running kernel: media changes, detached loop devices and synthetic events are no removal, and
//! a replacement without events is one.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use sureplug_tests::daemon::{Daemon, Output, json, number, raise_number, watching_all};
use sureplug_tests::kernel::devices::{LoopDevice, NetDevice};
use sureplug_tests::kernel::{Injector, mark, own_network_namespace, own_sysfs};
use sureplug_tests::served::{LARGE, Served};
use sureplug_tests::stand_in::StandIn;

/// A loop device that no machine has by itself.
const LOOP: u32 = 130;

/// Longer than a burst takes to settle, and the scan after it.
const SETTLED: Duration = Duration::from_millis(3_500);

/// Action and origin of each event of a devpath, and the kernel's action if another one is delivered.
fn events(output: &Output, devpath: &str) -> Vec<String> {
    let events = output.objects("event").into_iter().filter(|event| event["devpath"] == devpath);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let event = |event: Value| {
        let properties = &event["properties"];
        let kernel = properties["SUREPLUG_ACTION"].as_str().map_or(String::new(), |a| format!(" ({a})"));
        format!("{} {}{kernel}", text(&properties["SUREPLUG_ORIGIN"]), text(&event["action"]))
    };
    events.map(event).collect()
}

#[test]
fn i4_a_detached_loop_device_is_not_replaced() {
    let Some(_turn) = own_sysfs("a loop device") else { return };
    let daemon = Daemon::start(watching_all("--json"));
    daemon.wait_until_scanned();
    let device = LoopDevice::create(LOOP).expect("a loop device");
    let file = tempfile::tempfile().expect("a file");
    file.set_len(1 << 20).expect("some blocks");
    device.attach(&file).expect("a disk");
    device.detach().expect("no disk");
    thread::sleep(SETTLED);
    let output = daemon.finish();
    output.assert_fine();
    assert!(output.objects("unreported").is_empty(), "{:?}", output.objects("unreported"));
    let delivered = events(&output, &format!("/devices/virtual/block/loop{LOOP}"));
    assert_eq!(delivered[0], "kernel add");
    assert!(
        delivered.len() > 2 && delivered[1..].iter().all(|delivered| delivered == "kernel change"),
        "{delivered:?}"
    );
}

#[test]
fn i4_a_synthetic_remove_is_delivered_as_change() {
    let Some(_turn) = own_sysfs("a synthetic remove") else { return };
    let scanned = NetDevice::tap("scanned").expect("a tap");
    let daemon = Daemon::start(watching_all("--json"));
    daemon.wait_until_scanned();
    let added = NetDevice::tap("added").expect("a tap");
    for device in [&scanned, &added] {
        let uevent = format!("/sys/class/net/{}/uevent", device.name());
        for action in ["remove", "move", "unbind", "offline", "add"] {
            fs::write(&uevent, action).expect("a synthetic event");
        }
    }
    thread::sleep(SETTLED);
    added.destroy().expect("it is gone");
    daemon.wait_for_line(|line| json(line)["action"] == "remove");
    let output = daemon.finish();
    output.assert_fine();
    assert!(output.objects("unreported").is_empty(), "{:?}", output.objects("unreported"));
    let synthetic = [
        "kernel change (remove)",
        "kernel change (move)",
        "kernel unbind",
        "kernel offline",
        "kernel change (add)",
    ];
    let delivered = |name: &str| events(&output, &format!("/devices/virtual/net/{name}"));
    assert_eq!(delivered("scanned"), [&["scan add"], &synthetic[..]].concat());
    assert_eq!(delivered("added"), [&["kernel add"], &synthetic[..], &["kernel remove"]].concat());
    assert_eq!(number(&output.totals(), "lost"), 0);
}

#[test]
fn i4_a_synthetic_remove_of_a_bus_is_delivered_as_change() {
    let Some(_turn) = own_network_namespace("a synthetic remove of a bus") else { return };
    let daemon = Daemon::start(watching_all("--json"));
    daemon.wait_until_scanned();
    fs::write("/sys/bus/platform/uevent", "remove").expect("a synthetic event");
    daemon.wait_for_line(|line| json(line)["devpath"] == "/bus/platform");
    let output = daemon.finish();
    output.assert_fine();
    assert_eq!(events(&output, "/bus/platform"), ["kernel change (remove)"]);
}

/// A card reader: the kernel counts `DISKSEQ` for the disk up, and its partitions show the same number.
#[test]
fn i8_a_media_change_moves_the_number_of_partitions_without_replacing_them() {
    let Some(_turn) = own_network_namespace("partitions of a card reader") else { return };
    let sysfs = StandIn::new();
    fs::create_dir_all(sysfs.path().join("class/block")).expect("a class");
    let disk = |number: u32| format!("MAJOR=8\nMINOR=0\nDEVNAME=sda\nDEVTYPE=disk\nDISKSEQ={number}\n");
    let partition = |number: u32| {
        format!("MAJOR=8\nMINOR=1\nDEVNAME=sda1\nDEVTYPE=partition\nDISKSEQ={number}\nPARTN=1\n")
    };
    let paths = ["/devices/usb/sda", "/devices/usb/sda/sda1"];
    sysfs.plug("class/block/sda", paths[0], &disk(9));
    let daemon = Daemon::start(watching_all(&format!("--json --sysfs {}", sysfs.path().display())));
    daemon.wait_until_scanned();
    let injector = Injector::new();
    let send = |action: &str, path: &str, extra: &str, text: &str| {
        let properties = text.replace('\n', "\0");
        let event =
            format!("{action}@{path}\0ACTION={action}\0DEVPATH={path}\0SUBSYSTEM=block\0{extra}{properties}");
        injector.send(event.as_bytes());
    };
    // The partition is live, the disk from the scan.
    sysfs.plug("class/block/sda1", paths[1], &partition(9));
    send("add", paths[1], "", &partition(9));
    daemon.wait_for_line(|line| json(line)["devpath"] == paths[1]);
    send("change", paths[0], "DISK_MEDIA_CHANGE=1\0", &disk(9));
    fs::write(sysfs.path().join(&paths[0][1..]).join("uevent"), disk(10)).expect("another medium");
    fs::write(sysfs.path().join(&paths[1][1..]).join("uevent"), partition(10)).expect("another medium");
    thread::sleep(SETTLED);
    send("change", paths[1], "SYNTH_UUID=0\0", &partition(10));
    daemon.wait_for_line(|line| json(line)["devpath"] == paths[1] && json(line)["action"] == "change");
    let output = daemon.finish();
    output.assert_fine();
    assert!(output.objects("unreported").is_empty(), "{:?}", output.objects("unreported"));
    assert_eq!(events(&output, paths[0]), ["scan add", "kernel change"]);
    assert_eq!(events(&output, paths[1]), ["kernel add", "kernel change"]);
}

/// Only the directory distinguishes the two.
#[test]
fn i3_a_replacement_without_events_of_a_device_that_an_event_added_is_found() {
    let Some(_turn) = own_network_namespace("a replacement without events") else { return };
    let sysfs = StandIn::new();
    let daemon = Daemon::start(watching_all(&format!("--json --sysfs {}", sysfs.path().display())));
    daemon.wait_until_scanned();
    let path = "/devices/a/gadget";
    sysfs.plug("bus/usb/devices/gadget", path, "DEVTYPE=x\n");
    let injector = Injector::new();
    injector.send(format!("add@{path}\0ACTION=add\0DEVPATH={path}\0SUBSYSTEM=usb\0DEVTYPE=x\0").as_bytes());
    daemon.wait_for_line(|line| json(line)["devpath"] == path);
    let directory = sysfs.path().join(&path[1..]);
    let other = directory.with_file_name("other");
    fs::create_dir(&other).expect("a directory");
    fs::write(other.join("uevent"), "DEVTYPE=x\n").expect("its uevent");
    fs::remove_dir_all(&directory).expect("the old one is gone");
    fs::rename(&other, &directory).expect("the new one is there");
    raise_number(0, &mark());
    let found = json(&daemon.wait_for_line(|line| json(line)["kind"] == "unreported"));
    assert_eq!(["added", "removed", "replaced"].map(|key| number(&found, key)), [0, 0, 1], "{found}");
    let output = daemon.finish();
    output.assert_fine();
    assert_eq!(events(&output, path), ["kernel add", "repair remove", "repair add"]);
}

/// The directory is gone before the synthetic event is applied; the kernel's own `remove` follows
/// it.
#[test]
fn a_synthetic_remove_leaves_the_removal_to_the_kernels_own() {
    let Some(_turn) = own_network_namespace("a synthetic remove of what is gone") else { return };
    let sysfs = StandIn::new();
    sysfs.plug("class/net/eth9", "/devices/a/net/eth9", "INTERFACE=eth9\nIFINDEX=9\n");
    let daemon = Daemon::start(watching_all(&format!("--json --sysfs {}", sysfs.path().display())));
    daemon.wait_until_scanned();
    let injector = Injector::new();
    let text = |uuid: &str| {
        format!(
            "remove@/devices/a/net/eth9\0ACTION=remove\0DEVPATH=/devices/a/net/eth9\0SUBSYSTEM=net\0{uuid}IFINDEX=9\0"
        )
    };
    injector.send(text("SYNTH_UUID=0\0").as_bytes());
    daemon.wait_for_line(|line| json(line)["action"] == "change");
    sysfs.unplug("class/net/eth9", "/devices/a/net/eth9");
    for uuid in ["SYNTH_UUID=0\0", "", "SYNTH_UUID=0\0"] {
        injector.send(text(uuid).as_bytes());
    }
    daemon.wait_for_line(|line| json(line)["action"] == "remove");
    let output = daemon.finish();
    output.assert_fine();
    let change = "kernel change (remove)";
    assert_eq!(events(&output, "/devices/a/net/eth9"), ["scan add", change, change, "kernel remove"]);
}

/// As long as nothing happens that would begin a scan.
#[test]
fn a_snapshot_has_the_properties_of_the_last_change() {
    let Some(_turn) = own_network_namespace("a snapshot after a change") else { return };
    let sysfs = StandIn::new();
    for class in ["power_supply", "block"] {
        fs::create_dir_all(sysfs.path().join("class").join(class)).expect("a class");
    }
    let supply = "/devices/platform/ac/power_supply/AC";
    let disk = "/devices/usb/sdz";
    sysfs.plug(
        "class/power_supply/AC",
        supply,
        "POWER_SUPPLY_NAME=AC\nPOWER_SUPPLY_ONLINE=1\nPOWER_SUPPLY_VOLTAGE_NOW=5\n",
    );
    sysfs.plug("class/block/sdz", disk, "MAJOR=8\nMINOR=9\nDEVNAME=sdz\nDEVTYPE=disk\nDISKSEQ=3\n");
    let served = Served::start(&format!("{LARGE} --sysfs {}", sysfs.path().display()));
    let mut live = served.connect("SNAPSHOT=yes\n");
    live.receive_until_marker("end");
    let injector = Injector::new();
    let change = |path: &str, properties: &str| {
        injector.send(format!("change@{path}\0ACTION=change\0DEVPATH={path}\0{properties}").as_bytes());
    };
    change(
        supply,
        "SUBSYSTEM=power_supply\0SYNTH_ARG_X=1\0POWER_SUPPLY_NAME=AC\0POWER_SUPPLY_ONLINE=0\0POWER_SUPPLY_TYPE=Mains\0",
    );
    change(
        disk,
        "SUBSYSTEM=block\0DISK_MEDIA_CHANGE=1\0MAJOR=8\0MINOR=9\0DEVNAME=sdz\0DEVTYPE=disk\0DISKSEQ=4\0",
    );
    live.receive_until(|delivered| delivered.devpath == disk && delivered.action == "change");
    for request in ["LIST\n", "SNAPSHOT=yes\n"] {
        let mut client = served.connect(request);
        let all = client.receive_until_marker("end");
        let add = |path: &str| all.iter().find(|delivered| delivered.devpath == path).expect("a device");
        let supply = add(supply);
        assert_eq!(
            ["POWER_SUPPLY_ONLINE", "POWER_SUPPLY_TYPE", "POWER_SUPPLY_VOLTAGE_NOW", "SYNTH_ARG_X"]
                .map(|key| supply.get(key)),
            ["0", "Mains", "", ""],
            "{supply:?}"
        );
        assert_eq!(
            ["DISKSEQ", "DISK_MEDIA_CHANGE"].map(|key| add(disk).get(key)),
            ["4", ""],
            "{:?}",
            add(disk)
        );
    }
    served.finish().assert_fine();
}
