//! `sureplug monitor` and `sureplug list`: what a daemon knows, as a person or a program wants to see it.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use sureplug_tests::daemon::{Daemon, json, run, sureplug};
use sureplug_tests::fold::Fold;
use sureplug_tests::kernel::devices::NetDevice;
use sureplug_tests::kernel::{mark, own_sysfs, raise};
use sureplug_tests::served::{LARGE, Served};
use sureplug_tests::stand_in::StandIn;
use sureplug_tests::sysfs_truth::{assert_true, net_devices};

fn at(served: &Served, line: &str) -> Command {
    let mut command = sureplug(line);
    command.arg("--socket").arg(served.path());
    command
}

#[test]
fn monitor_shows_what_is_present_and_what_comes() {
    let Some(_turn) = own_sysfs("monitor") else { return };
    let served = Served::start(LARGE);
    let all = Daemon::start(at(&served, "monitor --json"));
    let text = Daemon::start(at(&served, "monitor --subsystem mem --subsystem net -v"));
    all.wait_for_line(|line| json(line)["kind"] == "current");
    text.wait_for_line(|line| line.contains("live events follow"));
    let tap = NetDevice::tap("monitored").expect("a tap");
    let mark = mark();
    raise("change", &mark, "NUMBER=1");
    for monitor in [&all, &text] {
        monitor.wait_for_line(|line| line.contains("/devices/virtual/net/monitored"));
        monitor.wait_for_line(|line| line.contains(&mark));
    }
    text.wait_for_line(|line| line.contains("] change mem /devices/virtual/mem/null null"));
    text.wait_for_line(|line| line == "    SUREPLUG_ORIGIN=kernel");
    drop(tap);
    all.wait_for_line(|line| json(line)["action"] == "remove");
    served.finish().assert_fine();
    for monitor in [all, text] {
        let output = monitor.wait();
        assert_eq!(output.code, Some(3));
        assert_eq!(
            output.stderr,
            ["sureplug: the daemon ends", "sureplug: the daemon closed the connection"]
        );
        if output.stdout[0].starts_with('{') {
            assert_true(
                &Fold::of(&output.stdout).expect("lines that keep the rule"),
                "/sys".as_ref(),
                "monitor",
            );
        } else {
            assert!(output.stdout.iter().all(|line| !line.contains(" tty ")), "{output:?}");
        }
    }
}

#[test]
fn monitor_opens_a_socket_of_its_own_where_no_daemon_runs() {
    let Some(_turn) = own_sysfs("monitor --direct") else { return };
    let served = Served::start(LARGE);
    let nowhere = served.path().with_extension("none");
    let mut alone = sureplug("monitor --json --subsystem mem --socket");
    alone.arg(&nowhere);
    for (command, is_said) in [(alone, true), (at(&served, "monitor --direct --json --subsystem mem"), false)]
    {
        let monitor = Daemon::start(command);
        monitor.wait_until_scanned();
        let mark = mark();
        raise("change", &mark, "");
        monitor.wait_for_line(|line| json(line)["properties"]["SYNTH_UUID"] == mark.as_str());
        let output = monitor.finish();
        assert_eq!(output.code, Some(0));
        assert_eq!(output.stderr.iter().any(|line| line.contains("no daemon serves")), is_said, "{output:?}");
        assert_eq!(output.totals()["ended_by"], "SIGTERM");
    }
    assert!(!nowhere.exists(), "it serves no application");
}

#[test]
fn list_is_what_the_daemon_knows() {
    let Some(_turn) = own_sysfs("list") else { return };
    let _tap = NetDevice::tap("listed").expect("a tap");
    let served = Served::start(LARGE);
    let output = run(at(&served, "list --json --subsystem net"));
    output.assert_fine();
    let devices = output.objects("device");
    let names: Vec<_> =
        devices.iter().filter_map(|device| device["devpath"].as_str()?.rsplit('/').next()).collect();
    assert_eq!(names.len(), net_devices("/sys".as_ref()).len());
    assert!(names.contains(&"listed") && devices.iter().all(|device| device["source"] == "daemon"));
    let all = run(at(&served, "list --json"));
    assert_eq!(all.objects("device").len() as u64, served.figure("DEVICES"));
    let text = run(at(&served, "list")).stdout;
    assert!(text.iter().any(|line| line.ends_with("null mem /dev/null")), "{text:#?}");
}

#[test]
fn a_tree_shows_ids_drivers_and_nodes_with_and_without_a_daemon() {
    let Some(_turn) = own_sysfs("a tree") else { return };
    let sysfs = StandIn::new();
    let hub = "/devices/pci0/usb1";
    let device =
        |name: &str, path: &str, text: &str| sysfs.plug(&format!("bus/usb/devices/{name}"), path, text);
    device(
        "usb1",
        hub,
        "MAJOR=189\nMINOR=0\nDEVNAME=bus/usb/001/001\nDEVTYPE=usb_device\nDRIVER=usb\nPRODUCT=1d6b/2/601\n",
    );
    device(
        "1-1",
        &format!("{hub}/1-1"),
        "MAJOR=189\nMINOR=1\nDEVNAME=bus/usb/001/002\nDEVTYPE=usb_device\nDRIVER=usb\nPRODUCT=46f4/1/0\n",
    );
    device(
        "1-1:1.0",
        &format!("{hub}/1-1/1-1:1.0"),
        "DEVTYPE=usb_interface\nDRIVER=usb-storage\nPRODUCT=46f4/1/0\n",
    );
    device("1-1.4", &format!("{hub}/1-1/1-1.4"), "DEVTYPE=usb_device\nPRODUCT=403/6001/600\n");
    sysfs.plug("class/net/eth7", &format!("{hub}/1-1/1-1.4/net/eth7"), "INTERFACE=eth7\n");
    device("1-10", &format!("{hub}/1-10"), "DEVTYPE=usb_device\n");
    let tree = [
        "/devices/pci0/usb1 usb 1d6b:0002 (usb) /dev/bus/usb/001/001",
        "  1-1 usb 46f4:0001 (usb) /dev/bus/usb/001/002",
        "    1-1.4 usb 0403:6001",
        "      net/eth7 net",
        "    1-1:1.0 usb (usb-storage)",
        "  1-10 usb",
    ];
    let served = Served::start(&format!("{LARGE} --sysfs {}", sysfs.path().display()));
    assert_eq!(run(at(&served, "list")).stdout, tree);
    let only_net = run(at(&served, "list --subsystem net")).stdout;
    assert_eq!(only_net, [format!("{hub}/1-1/1-1.4/net/eth7 net")]);

    let nowhere = served.path().with_extension("none");
    let mut command = sureplug("list --sysfs");
    command.arg(sysfs.path()).arg("--socket").arg(&nowhere);
    let output = run(command);
    assert_eq!((output.code, &output.stdout[..]), (Some(0), &tree.map(String::from)[..]));
    assert!(output.stderr[0].contains("reading sysfs instead"), "{output:?}");
    let mut command = sureplug("list --json --subsystem net --sysfs");
    command.arg(sysfs.path()).arg("--socket").arg(&nowhere);
    assert!(run(command).stdout[0].contains("\"source\":\"sysfs\""));
}

/// Serves one client as a broker does whose patience ended before the request came; returns that.
fn answer_twice(listener: &UnixListener) -> String {
    let (mut client, _) = listener.accept().expect("a client");
    let mut request = [0; 1_024];
    let length = client.read(&mut request).expect("a request");
    let begin = |requested: &str| {
        format!(
            "begin@/sureplug\0ACTION=begin\0DEVPATH=/sureplug\0SUBSYSTEM=sureplug\0SUREPLUG_PROTOCOL=1\0\
             SUREPLUG_REQUESTED={requested}\0"
        )
    };
    let end = || "end@/sureplug\0ACTION=end\0DEVPATH=/sureplug\0SUBSYSTEM=sureplug\0".to_owned();
    let add = |subsystem: &str| {
        let devpath = format!("/devices/virtual/{subsystem}/one");
        format!(
            "add@{devpath}\0ACTION=add\0DEVPATH={devpath}\0SUBSYSTEM={subsystem}\0SUREPLUG_ORIGIN=scan\0\
             SUREPLUG_MONOTONIC_US=7000000\0"
        )
    };
    let packets = [begin("no"), add("mem"), add("net"), end(), begin("yes"), add("mem"), end()];
    for (packet, seq) in packets.iter().zip(1..) {
        let packet = format!("{packet}SUREPLUG_SEQ={seq}\0");
        client.write_all(packet.as_bytes()).expect("it listens");
    }
    String::from_utf8_lossy(&request[..length]).into_owned()
}

#[test]
fn late_request_starts_the_stream_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("events");
    let listener = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None);
    let listener = listener.expect("a socket");
    bind(listener.as_raw_fd(), &UnixAddr::new(&path).expect("a path")).expect("a path");
    listen(&listener, Backlog::new(1).expect("a number")).expect("a socket");
    // Of another type than this one's own; to accept is the same.
    let listener = UnixListener::from(listener);
    let outcome = |line: &str, path: &Path| {
        let mut command = sureplug(line);
        command.arg("--socket").arg(path);
        let program = Daemon::start(command);
        assert!(answer_twice(&listener).ends_with("SUBSYSTEM=mem"));
        program.wait()
    };

    let monitor = outcome("monitor --json --subsystem mem", &path);
    let kinds: Vec<_> = monitor.stdout.iter().map(|line| json(line)["kind"].clone()).collect();
    assert_eq!(kinds, ["event", "event", "current", "reset", "event", "current"]);
    let fold = Fold::of(&monitor.stdout).expect("lines that keep the rule");
    assert!(fold.present.keys().eq(["/devices/virtual/mem/one"]), "{fold:?}");

    let list = outcome("list --json --subsystem mem", &path);
    let devices = list.objects("device");
    assert_eq!(devices.len(), 1, "{devices:?}");
    assert_eq!(devices[0]["devpath"], "/devices/virtual/mem/one");
}
