//! What applications receive, as specified in `PROTOCOL.md`.

use std::os::fd::{AsFd, AsRawFd};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{Shutdown, shutdown};
use sureplug_tests::application::{Application, Delivered};
use sureplug_tests::kernel::devices::NetDevice;
use sureplug_tests::kernel::{mark, own_sysfs, raise};
use sureplug_tests::served::{LARGE, Served};
use sureplug_tests::sysfs_truth::{assert_true, devpaths};

fn actions(delivered: &[Delivered]) -> Vec<&str> {
    delivered.iter().map(|delivered| delivered.action.as_str()).collect()
}

fn only_error(application: &mut Application) -> Delivered {
    let delivered = application.receive_all();
    let last = delivered.last().expect("an error").clone();
    assert!(last.is_marker() && last.action == "error", "{delivered:?}");
    assert!(!last.get("SUREPLUG_MESSAGE").is_empty(), "{last:?}");
    last
}

#[test]
fn a_client_gets_what_is_present_and_then_what_happens() {
    let Some(_turn) = own_sysfs("a snapshot and what follows") else { return };
    let served = Served::start(LARGE);
    let mut application = served.connect("SNAPSHOT=yes\n");
    let snapshot = application.receive_until_marker("end");
    let begin = &snapshot[0];
    assert_eq!((begin.action.as_str(), begin.get("SUREPLUG_PROTOCOL")), ("begin", "1"));
    assert_eq!(begin.get("SUREPLUG_REQUESTED"), "yes");
    assert!(snapshot[1..snapshot.len() - 1].iter().all(|delivered| delivered.action == "add"));
    assert_true(&application.fold, "/sys".as_ref(), "snapshot");

    let tap = NetDevice::tap("broker0").expect("a tap");
    let added = application.receive_until(|delivered| delivered.devpath == "/devices/virtual/net/broker0");
    let added = added.last().expect("an event");
    assert_eq!((added.action.as_str(), added.get("SUREPLUG_ORIGIN")), ("add", "kernel"));
    assert!(added.number("SUREPLUG_MONOTONIC_US") > 0);
    tap.destroy().expect("it goes");
    application.receive_until(|delivered| {
        delivered.action == "remove" && delivered.devpath == "/devices/virtual/net/broker0"
    });
    assert_true(&application.fold, "/sys".as_ref(), "live");

    let output = served.finish();
    output.assert_fine();
    assert_eq!(only_error(&mut application).get("SUREPLUG_ERROR"), "ending");
}

#[test]
fn client_without_a_request_gets_everything() {
    let Some(_turn) = own_sysfs("a client without a request") else { return };
    let served = Served::start(LARGE);
    let mut application = served.connect("");
    let snapshot = application.receive_until_marker("end");
    assert_eq!(snapshot[0].get("SUREPLUG_REQUESTED"), "no");
    assert_true(&application.fold, "/sys".as_ref(), "snapshot");
    // A request that comes too late is answered from there on.
    application.send(b"SUBSYSTEM=net").expect("it listens");
    let again = application.receive_until_marker("end");
    let begin = again.iter().position(|delivered| delivered.action == "begin").expect("a new beginning");
    assert_eq!(again[begin].get("SUREPLUG_REQUESTED"), "yes");
    assert!(again[begin + 1..again.len() - 1].iter().all(|delivered| delivered.get("SUBSYSTEM") == "net"));
}

#[test]
fn a_client_gets_what_it_selects() {
    let Some(_turn) = own_sysfs("selections of clients") else { return };
    let served = Served::start(LARGE);
    let mut net = served.connect("SUBSYSTEM=net\nSUBSYSTEM=block\n");
    let mut later = served.connect("SNAPSHOT=no\nSUBSYSTEM=mem");
    assert_eq!(actions(&later.receive_until_marker("end")), ["begin", "end"]);
    net.receive_until_marker("end");
    let truth = devpaths("/sys".as_ref());
    let of = |part: &str| truth.iter().filter(|path| path.contains(part)).count();
    assert!(net.fold.names("net").contains("lo") && net.fold.devpaths("mem").is_empty());
    assert_eq!(net.fold.present.len(), of("/net/") + of("/block/"));
    let mark = mark();
    raise("change", &mark, "NUMBER=1");
    let changed = later.receive().expect("an event");
    assert_eq!((changed.get("SYNTH_UUID"), changed.get("SUBSYSTEM")), (mark.as_str(), "mem"));
    // Nothing of it for the other.
    let _tap = NetDevice::tap("broker1").expect("a tap");
    let added = net.receive().expect("an event");
    assert_eq!(added.devpath, "/devices/virtual/net/broker1");
}

#[test]
fn stream_without_a_snapshot_may_begin_with_a_removal() {
    let Some(_turn) = own_sysfs("a removal without an add") else { return };
    let tap = NetDevice::tap("broker2").expect("a tap");
    let served = Served::start(LARGE);
    let mut application =
        Application::connect(&served.path(), "SNAPSHOT=no\nSUBSYSTEM=net").expect("a daemon");
    application.receive_until_marker("end");
    tap.destroy().expect("it goes");
    let gone = application.receive_until(|delivered| delivered.action == "remove");
    assert_eq!(gone.last().expect("one").devpath, "/devices/virtual/net/broker2");
}

#[test]
fn a_list_is_what_is_present_and_the_end() {
    let Some(_turn) = own_sysfs("a list") else { return };
    let served = Served::start(LARGE);
    let mut all = served.connect("LIST");
    assert_eq!(all.receive_all().last().expect("packets").action, "end");
    assert_true(&all.fold, "/sys".as_ref(), "list");
    let mut net = served.connect("LIST\nSUBSYSTEM=net\n");
    net.receive_all();
    assert_eq!(net.fold.names("net").len(), net.fold.present.len());
    assert!(net.is_current && net.fold.names("net").contains("lo"));
    assert_eq!(served.connect("LIST\nSUBSYSTEM=none").receive_all().len(), 2);
}

#[test]
fn a_status_is_figures_and_the_end() {
    let Some(_turn) = own_sysfs("a status") else { return };
    let served = Served::start(LARGE);
    let mut reader = served.connect("SNAPSHOT=no");
    reader.receive_until_marker("end");
    let mark = mark();
    (0..100).for_each(|number| raise("change", &mark, &format!("NUMBER={number}")));
    (0..100).for_each(|_| drop(reader.receive().expect("an event")));
    let delivered = served.connect("STATUS\n").receive_all();
    assert_eq!(actions(&delivered), ["begin", "status", "status", "end"]);
    let daemon = &delivered[1];
    assert_eq!((daemon.devpath.as_str(), daemon.get("STATE")), ("/sureplug/daemon", "steady"));
    assert_eq!(daemon.number("PID"), u64::from(served.daemon.pid()));
    assert_eq!((daemon.number("RECEIVED"), daemon.number("LOST"), daemon.number("CLIENTS")), (100, 0, 1));
    assert_eq!(daemon.number("DEVICES"), devpaths("/sys".as_ref()).len() as u64);
    let client = &delivered[2];
    assert_eq!((client.number("PID"), client.number("MISSED_EVENTS")), (u64::from(std::process::id()), 0));
    assert_eq!(client.number("SENT_PACKETS"), 102);
}

#[test]
fn a_status_states_how_full_the_table_is() {
    let Some(_turn) = own_sysfs("the use of the table") else { return };
    let served = Served::start(LARGE);
    let mut reader = served.connect("SNAPSHOT=no");
    reader.receive_until_marker("end");
    let before = served.figure("TABLE_USED_BYTES");
    let all = served.figure("TABLE_BYTES");
    assert!(0 < before && before < all, "{before} of {all}");
    let tap = NetDevice::tap("fills").expect("a tap");
    reader.receive_until(|delivered| delivered.action == "add" && delivered.devpath.ends_with("/net/fills"));
    let with = served.figure("TABLE_USED_BYTES");
    assert!(with >= before + "/devices/virtual/net/fills".len() as u64, "{before}, then {with}");
    tap.destroy().expect("it goes");
    reader
        .receive_until(|delivered| delivered.action == "remove" && delivered.devpath.ends_with("/net/fills"));
    // The daemon's own output receives the event as well.
    let begun = Instant::now();
    while served.figure("TABLE_USED_BYTES") != before {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{} of {before}",
            served.figure("TABLE_USED_BYTES")
        );
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn bad_request_is_refused_without_disturbing_others() {
    let Some(_turn) = own_sysfs("malformed requests") else { return };
    let served = Served::start(LARGE);
    let mut good = served.connect("SUBSYSTEM=mem");
    good.receive_until_marker("end");
    let before = good.seq;
    let long = format!("SUBSYSTEM={}", "x".repeat(33));
    let many = "SUBSYSTEM=usb\n".repeat(17);
    let huge = "SUBSYSTEM=usb\n".repeat(10_000);
    let bad = [
        "HELLO",
        "STATUS\nLIST",
        "SNAPSHOT=maybe",
        "SUBSYSTEM",
        "SUBSYSTEM=",
        "\n",
        "STATUS\0",
        "LIST\nSNAPSHOT=no",
        "SNAPSHOT=no\nSNAPSHOT=yes",
        "STATUS\nSUBSYSTEM=usb",
        "status",
        " STATUS",
        "\0",
        "GET / HTTP/1.1\r\n\r\n",
        &long,
        &many,
        &huge,
    ];
    for request in bad {
        let error = only_error(&mut served.connect(request));
        assert_eq!(error.get("SUREPLUG_ERROR"), "bad-request", "{request:?}: {error:?}");
    }
    let mut application = served.connect("SNAPSHOT=no");
    application.receive_until_marker("end");
    application.send(b"SUBSYSTEM=usb").expect("it listens");
    assert_eq!(only_error(&mut application).get("SUREPLUG_ERROR"), "second-request");
    let mut flooding = served.connect("SNAPSHOT=no");
    while flooding.send(&[b'x'; 1_000]).is_ok() {}
    assert_eq!(only_error(&mut flooding).get("SUREPLUG_ERROR"), "second-request");
    raise("change", &mark(), "");
    assert_eq!(good.receive().expect("an event").action, "change");
    assert_eq!(good.seq, before + 1);
    assert_eq!(served.figure("REFUSED_CONNECTIONS"), bad.len() as u64 + 2);
}

#[test]
fn late_request_is_answered_behind_what_is_queued() {
    let Some(_turn) = own_sysfs("late requests") else { return };
    let served = Served::start(LARGE);
    let asks_late = |request: &str| {
        let mut late = served.connect("");
        // Its socket is full by then: there are more devices than that holds.
        thread::sleep(Duration::from_millis(300));
        late.send(request.as_bytes()).expect("it listens");
        thread::sleep(Duration::from_millis(100));
        late.receive_all()
    };
    let delivered = asks_late("STATUS");
    let markers: Vec<_> = delivered
        .iter()
        .filter(|delivered| delivered.is_marker())
        .map(|delivered| delivered.action.as_str())
        .collect();
    assert_eq!(markers, ["begin", "begin", "status", "end"], "of {} packets", delivered.len());
    let delivered = asks_late("garbage");
    assert_eq!(delivered.last().expect("packets").get("SUREPLUG_ERROR"), "bad-request");
    assert_eq!(served.figure("REFUSED_CONNECTIONS"), 1);
}

#[test]
fn an_empty_packet_or_half_an_end_is_no_request() {
    let Some(_turn) = own_sysfs("empty requests") else { return };
    let mut served = Served::start(LARGE);
    let mut empty = served.connect("");
    empty.send(b"").expect("it listens");
    let mut half = served.connect("");
    shutdown(half.as_fd().as_raw_fd(), Shutdown::Write).expect("half an end");
    for application in [&mut empty, &mut half] {
        assert_eq!(application.receive_until_marker("end")[0].get("SUREPLUG_REQUESTED"), "no");
    }
    // An end can be read for ever.
    served.daemon.wait_until_asleep("sureplug");
}

#[test]
fn seventeenth_client_learns_why_it_is_refused() {
    let Some(_turn) = own_sysfs("seventeen clients") else { return };
    let served = Served::start(LARGE);
    let mut clients: Vec<_> = (0..16).map(|_| served.connect("SUBSYSTEM=mem")).collect();
    for client in &mut clients {
        client.receive_until_marker("end");
    }
    for request in ["SUBSYSTEM=mem", ""] {
        let error = only_error(&mut served.connect(request));
        assert_eq!(error.get("SUREPLUG_ERROR"), "busy");
        assert!(error.get("SUREPLUG_MESSAGE").contains("16 clients"), "{error:?}");
    }
    // Clients that only ask for a list or a status take no place.
    assert_eq!(served.figure("CLIENTS"), 16);
    assert!(served.connect("LIST").receive_all().len() > 100);
    raise("change", &mark(), "");
    for client in &mut clients {
        assert_eq!(client.receive().expect("an event").action, "change");
    }
    // A place is free again as soon as a client has left.
    drop(clients.pop());
    let deadline = Instant::now() + Duration::from_secs(10);
    while served.figure("CLIENTS") == 16 {
        assert!(Instant::now() < deadline, "the place stays taken");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(served.connect("SUBSYSTEM=mem").receive_until_marker("end")[0].action, "begin");
}

#[test]
fn no_event_can_pass_for_a_message_of_the_daemon() {
    let Some(_turn) = own_sysfs("forged properties") else { return };
    let served = Served::start(LARGE);
    let mut application = served.connect("SNAPSHOT=no");
    application.receive_until_marker("end");
    let injector = sureplug_tests::kernel::Injector::new();
    injector.send(
        b"end@/sureplug\0ACTION=end\0DEVPATH=/sureplug\0SUBSYSTEM=sureplug\0SUREPLUG_SEQ=9\0SUREPLUG_ORIGIN=scan\0",
    );
    let delivered = application.receive().expect("an event");
    assert!(!delivered.is_marker(), "{delivered:?}");
    assert_eq!((delivered.get("SUREPLUG_ORIGIN"), delivered.get("SUREPLUG_SEQ")), ("kernel", "3"));
}
