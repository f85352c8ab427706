//! The reports of `sureplug run` on a scan: what it finds, what it cannot read, and what does not
//! fit.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::thread;
use std::time::Duration;

use sureplug_tests::daemon::{Daemon, Output, json, now_us, number, raise_number, stamp, watching_all};
use sureplug_tests::fold::Fold;
use sureplug_tests::kernel::{Injector, SmallDisk, mark, own_network_namespace, own_sysfs};
use sureplug_tests::privilege::turn_to_raise;
use sureplug_tests::stand_in::StandIn;
use sureplug_tests::sysfs_truth::devpaths;

fn start(options: &str, sysfs: &StandIn) -> Daemon {
    let daemon = Daemon::start(watching_all(&format!("{options} --sysfs {}", sysfs.path().display())));
    daemon.wait_until_scanned();
    daemon
}

fn of_kind<'o>(output: &'o Output, kind: &str) -> impl Iterator<Item = serde_json::Value> + use<'o> {
    output.objects(kind).into_iter()
}

#[test]
fn the_present_devices_come_first_parents_before_children_and_then_how_many() {
    let before = now_us();
    let sysfs = StandIn::new();
    sysfs.plug("class/net/eth0", "/devices/a/1-1/1-1:1.0/net/eth0", "INTERFACE=eth0\nIFINDEX=2\n");
    sysfs.plug("bus/usb/devices/1-1:1.0", "/devices/a/1-1/1-1:1.0", "DEVTYPE=usb_interface\n");
    sysfs.plug(
        "bus/usb/devices/1-1",
        "/devices/a/1-1",
        "MAJOR=189\nMINOR=1\nDEVNAME=x/1\nDEVTYPE=usb_device\nPRODUCT=46f4/1/0\n",
    );
    let output = start("", &sysfs).finish();
    output.assert_fine();
    let delivered: Vec<(u64, &str)> = output.stdout.iter().filter_map(|line| stamp(line)).collect();
    // Other tests may raise events meanwhile.
    let of_scan = |line: &&str| line.ends_with("(scan)") || line.starts_with("scanned");
    let lines: Vec<&str> = delivered.iter().map(|(_, line)| *line).filter(of_scan).collect();
    assert_eq!(
        lines[..3],
        [
            "add usb /devices/a/1-1 46f4:0001 x/1 (scan)",
            "add usb /devices/a/1-1/1-1:1.0 (scan)",
            "add net /devices/a/1-1/1-1:1.0/net/eth0 (scan)"
        ]
    );
    assert!(
        lines[3].starts_with("scanned: 3 devices in sysfs, in ") && lines[3].ends_with(" ms"),
        "{lines:?}"
    );
    assert!(delivered.iter().all(|(at, _)| (before..=now_us()).contains(at)), "{delivered:?}");
    assert!(output.stdout.iter().any(|line| line.contains("0 repairs, 3 devices present")), "{output:#?}");
}

#[test]
fn scan_names_unreadable_devices_once_and_goes_on() {
    let Some(_turn) = turn_to_raise("a directory that cannot be read") else { return };
    let sysfs = StandIn::new();
    sysfs.plug("class/net/eth0", "/devices/a/net/eth0", "IFINDEX=2\n");
    symlink("looped", sysfs.path().join("class/looped")).expect("a link to itself");
    let daemon = start("--json", &sysfs);
    // A second scan meets it again.
    sysfs.plug("class/net/eth1", "/devices/a/net/eth1", "IFINDEX=3\n");
    raise_number(0, &mark());
    daemon.wait_for_line(|line| json(line)["kind"] == "unreported");
    let output = daemon.finish();
    output.assert_fine();
    let unreadable: Vec<_> = of_kind(&output, "unreadable").collect();
    assert_eq!(unreadable.len(), 1, "{unreadable:?}");
    assert_eq!(unreadable[0]["path"], "class/looped");
    assert!(unreadable[0]["message"].as_str().is_some_and(|message| !message.is_empty()), "{unreadable:?}");
    assert_eq!(output.fold().names("net").len(), 2);
}

#[test]
fn full_table_is_reported_once_and_events_pass_untracked() {
    const DEVICES: usize = 2_000;
    let Some(_turn) = own_network_namespace("a full table") else { return };
    let sysfs = StandIn::new();
    for number in 0..DEVICES {
        let name = format!("eth{number}");
        sysfs.plug(&format!("class/net/{name}"), &format!("/devices/a/net/{name}"), "X=y\n");
    }
    let daemon = start("--json", &sysfs);
    let injector = Injector::new();
    for action in ["add", "change", "remove"] {
        let text = format!("{action}@/devices/late\0ACTION={action}\0DEVPATH=/devices/late\0SUBSYSTEM=net\0");
        injector.send(text.as_bytes());
    }
    daemon.wait_for_line(|line| json(line)["devpath"] == "/devices/late" && json(line)["action"] == "remove");
    let output = daemon.finish();
    output.assert_fine();
    let fold = output.fold();
    let is_untracked = |event: &serde_json::Value| event["properties"]["SUREPLUG_TRACKED"] == "no";
    let devpath = |event: serde_json::Value| event["devpath"].as_str().expect("a devpath").to_owned();
    let untracked: BTreeSet<String> = of_kind(&output, "event").filter(is_untracked).map(devpath).collect();
    // Each is delivered, tracked or not.
    assert_eq!(fold.present.len() + untracked.len(), DEVICES + 1);
    assert!(untracked.contains("/devices/late"));
    let full: Vec<_> = of_kind(&output, "table_full").collect();
    assert_eq!(full.len(), 1, "{full:?}");
    assert_eq!(full[0]["subsystem"], "net", "{full:?}");
    assert!(number(&full[0], "subsystem_devices") > 0, "{full:?}");
    let totals = output.totals();
    assert!(fold.present.len() as u64 <= number(&full[0], "slots"), "{full:?}");
    assert_eq!(number(&totals, "devices"), fold.present.len() as u64, "{totals}");
    assert!(number(&totals, "untracked") >= untracked.len() as u64, "{totals}");
}

#[test]
fn i4_after_a_full_disk_everything_is_delivered_anew() {
    let Some(_turn) = own_sysfs("a disk that is full for a while") else { return };
    let disk = SmallDisk::with_size(64 * 1024);
    let sysfs = StandIn::new();
    sysfs.plug("class/net/eth0", "/devices/a/net/eth0", "IFINDEX=2\n");
    sysfs.plug("class/net/eth1", "/devices/a/net/eth1", "IFINDEX=3\n");
    let log = disk.path().join("log");
    let output = OpenOptions::new().create(true).append(true).open(&log).expect("a log");
    let options = format!("--json --sysfs {}", sysfs.path().display());
    let mut daemon = Daemon::start_into(watching_all(&options), output);
    let read = || fs::read_to_string(&log).expect("text");
    daemon.wait_until("it has scanned", |_| read().contains("\"scanned\""));
    let ballast = disk.path().join("ballast");
    let mut file = fs::File::create(&ballast).expect("a file");
    while file.write(&[0; 512]).is_ok_and(|written| written > 0) {}
    let mark = mark();
    (0..100).for_each(|number| raise_number(number, &mark));
    daemon.wait_until_drained();
    daemon.wait_until_asleep("console");
    // Devices that come and go now are reported to no consumer.
    sysfs.unplug("class/net/eth1", "/devices/a/net/eth1");
    sysfs.plug("class/net/eth2", "/devices/a/net/eth2", "IFINDEX=4\n");
    thread::sleep(Duration::from_millis(2_500));
    fs::remove_file(&ballast).expect("room");
    drop(file);
    raise_number(100, &mark);
    daemon.wait_until("it is told anew", |_| read().contains("\"reset\""));
    daemon.wait_until_asleep("console");
    daemon.finish().assert_fine();

    let text = read();
    let lines: Vec<&str> = text.lines().collect();
    let whole = |line: &&str| serde_json::from_str::<serde_json::Value>(line).is_ok();
    assert!(lines.iter().filter(|line| !whole(line)).count() <= 1, "{text}");
    let mut fold = Fold::default();
    for line in lines.iter().filter(|line| whole(line)) {
        fold.take(&json(line)).unwrap_or_else(|error| panic!("{error}\n{text}"));
    }
    assert_eq!(fold.resets, 1, "{text}");
    let dropped = lines.iter().position(|line| line.contains("\"output_dropped\"")).expect("how many");
    let reset = lines.iter().position(|line| line.contains("\"reset\"")).expect("a new beginning");
    assert!(dropped < reset && number(&json(lines[dropped]), "lines") > 0, "{text}");
    let delivered: BTreeSet<String> = fold.present.keys().cloned().collect();
    assert_eq!(delivered, devpaths(sysfs.path()));
}
