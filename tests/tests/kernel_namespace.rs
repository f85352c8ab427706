//! I4 and I9 where sysfs was mounted in another network namespace, as `unshare -n` leaves it: its network devices are not
//! those of the socket.

use std::os::unix::net::UnixDatagram;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use serde_json::Value;
use sureplug_tests::daemon::{Daemon, Output, json, marked, raise_number, run, sureplug, watching_all};
use sureplug_tests::kernel::devices::{NetDevice, set_up};
use sureplug_tests::kernel::{mark, own_sysfs};
use sureplug_tests::served::Served;

/// Longer than a burst takes to settle, and the scan after it.
const SETTLED: Duration = Duration::from_millis(3_500);

/// Leaves the network namespace that `/sys` belongs to.
fn leave_sysfs_behind() {
    unshare(CloneFlags::CLONE_NEWNET).expect("another network namespace");
}

fn events(output: &Output, name: &str) -> Vec<(String, String)> {
    let devpath = format!("/devices/virtual/net/{name}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let events = output.objects("event").into_iter().filter(|event| event["devpath"] == devpath);
    events.map(|event| (text(&event["action"]), text(&event["properties"]["SUREPLUG_ORIGIN"]))).collect()
}

fn of_kernel(actions: &[&str]) -> Vec<(String, String)> {
    actions.iter().map(|action| ((*action).to_owned(), "kernel".to_owned())).collect()
}

fn is_kind(line: &str, kind: &str) -> bool {
    json(line)["kind"] == kind
}

#[test]
fn i4_i9_network_devices_of_another_namespace_are_neither_listed_nor_swept() {
    let Some(_turn) = own_sysfs("the sysfs of another network namespace") else { return };
    let _theirs = NetDevice::bridge("theirs").expect("a bridge");
    let _both = NetDevice::bridge("both").expect("a bridge");
    leave_sysfs_behind();
    let _other = NetDevice::bridge("other").expect("a bridge, so that the numbers differ");
    let both = NetDevice::bridge("both").expect("a bridge");
    let served = Served::start("--json");
    let status = served.connect("STATUS").receive_all();
    let figures = status.iter().find(|delivered| delivered.devpath == "/sureplug/daemon").expect("figures");
    assert_eq!(figures.get("STATE"), "restricted");
    let daemon = &served.daemon;
    let (at, _) = daemon.wait_for_line_from(0, |line| is_kind(line, "foreign_sysfs"));
    let ours = NetDevice::bridge("ours").expect("a bridge");
    let mark = mark();
    raise_number(0, &mark);
    thread::sleep(SETTLED);
    ours.destroy().expect("it is gone");
    both.destroy().expect("it is gone");
    daemon.wait_for_line_from(at, |line| {
        json(line)["devpath"] == "/devices/virtual/net/ours" && json(line)["action"] == "remove"
    });
    let output = served.finish();
    output.assert_fine();
    assert_eq!(output.objects("foreign_sysfs").len(), 1);
    assert!(output.objects("unreported").is_empty(), "{:?}", output.objects("unreported"));
    assert_eq!(events(&output, "ours"), of_kernel(&["add", "remove"]));
    for name in ["theirs", "lo", "both"] {
        assert_eq!(events(&output, name), [], "{name}");
    }
    // Everything else is as always.
    let null = output.objects("event").into_iter().find(|event| marked(event, &mark) == Some(0)).expect("it");
    assert_eq!(null["properties"]["SUREPLUG_TRACKED"], Value::Null);
    let fold = output.fold();
    assert!(fold.devpaths("mem").contains("/devices/virtual/mem/null"));
}

#[test]
fn i9_without_a_daemon_no_network_devices_of_another_namespace_are_listed() {
    let Some(_turn) = own_sysfs("a list in another network namespace") else { return };
    let _theirs = NetDevice::bridge("theirs").expect("a bridge");
    let nobody = "list --json --socket /nonexistent/events";
    let names = |output: &Output| output.objects("device").iter().filter(|d| d["subsystem"] == "net").count();
    let before = run(watching_all(nobody));
    assert_eq!((before.stderr.len(), names(&before)), (1, 2), "{before:#?}");
    leave_sysfs_behind();
    let output = run(watching_all(nobody));
    assert!(output.stderr.iter().any(|line| line.contains("another network namespace")), "{output:#?}");
    assert_eq!((output.code, names(&output)), (Some(0), 0), "{output:#?}");
}

/// As `unshare -n` makes it: both have nothing but `lo`, which is up in one of them.
#[test]
fn i9_a_namespace_whose_loopback_is_down_differs_from_one_where_it_is_up() {
    let Some(_turn) = own_sysfs("two network namespaces with nothing but lo") else { return };
    set_up("lo").expect("it is up");
    // A socket keeps the namespace alive that this thread leaves.
    let _kept = UnixDatagram::unbound().expect("a socket");
    let started = || {
        let daemon = Daemon::start(sureplug("run --json --subsystem net"));
        daemon.wait_until_scanned();
        let output = daemon.finish();
        output.assert_fine();
        (output.objects("foreign_sysfs").len(), events(&output, "lo").len())
    };
    assert_eq!(started(), (0, 1), "its own");
    leave_sysfs_behind();
    assert_eq!(started(), (1, 0), "another one's");
}

/// The two are indistinguishable until one has a device that the other lacks.
#[test]
fn i4_a_network_device_that_a_foreign_sysfs_lacks_is_not_removed() {
    let Some(_turn) = own_sysfs("a foreign sysfs with the same devices") else { return };
    leave_sysfs_behind();
    let daemon = Daemon::start(sureplug("run --json --subsystem net"));
    daemon.wait_until_scanned();
    let ours = NetDevice::bridge("ours").expect("a bridge");
    daemon.wait_for_line(|line| is_kind(line, "foreign_sysfs"));
    ours.destroy().expect("it is gone");
    daemon.wait_for_line(|line| json(line)["action"] == "remove");
    let output = daemon.finish();
    output.assert_fine();
    assert_eq!(events(&output, "ours"), of_kernel(&["add", "remove"]));
    assert!(output.objects("unreported").is_empty(), "{:?}", output.objects("unreported"));
    assert_eq!(output.objects("foreign_sysfs").len(), 1);
}

#[test]
fn i8_the_sysfs_of_its_own_namespace_is_not_foreign() {
    let Some(_turn) = own_sysfs("its own sysfs") else { return };
    let _stays = NetDevice::bridge("stays").expect("a bridge");
    let daemon = Daemon::start(watching_all("--json"));
    daemon.wait_until_scanned();
    for _ in 0..3 {
        for number in 0..20 {
            drop(NetDevice::tap(&format!("tap{number}")).expect("a tap"));
        }
        thread::sleep(SETTLED / 3);
    }
    thread::sleep(SETTLED);
    let output = daemon.finish();
    output.assert_fine();
    assert_eq!((output.objects("foreign_sysfs").len(), output.objects("unreported").len()), (0, 0));
    assert_eq!(output.fold().names("net"), ["lo".to_owned(), "stays".to_owned()].into());
}
