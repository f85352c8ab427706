//! A sysfs that is not there yet, or that cannot be read: reported, tried again, and never `steady`.

use std::fs::{self, Permissions};
use std::io::{Read, pipe};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::Signal;
use serde_json::Value;
use sureplug_tests::application::Application;
use sureplug_tests::daemon::{
    Daemon, json, number, run, sureplug, unprivileged, unprivileged_program, watching_all,
};
use sureplug_tests::kernel::devices::NetDevice;
use sureplug_tests::kernel::{Injector, own_sysfs};
use sureplug_tests::privilege::turn_to_raise;
use sureplug_tests::receive::receive;
use sureplug_tests::stand_in::StandIn;
use sureplug_tests::sysfs_truth::assert_true;

/// A stand-in that everybody may read, and a directory that everybody may write to.
fn for_everybody() -> (StandIn, tempfile::TempDir) {
    let (sysfs, directory) = (StandIn::new(), tempfile::tempdir().expect("a directory"));
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
    set(sysfs.path(), 0o755);
    set(directory.path(), 0o777);
    (sysfs, directory)
}

/// Lets only root read the devices of the class `net`, or everybody.
fn readable(sysfs: &StandIn, readable: bool) {
    let mode = Permissions::from_mode(if readable { 0o755 } else { 0 });
    fs::set_permissions(sysfs.path().join("class/net"), mode).expect("a mode");
}

fn daemon_figures(socket: &Path) -> Value {
    let output = run({
        let mut command = sureplug("status --json --socket");
        command.arg(socket);
        command
    });
    output.objects("status").into_iter().find(|part| part["part"] == "daemon").expect("figures")
}

fn plug(sysfs: &StandIn, name: &str) {
    let devpath = format!("/devices/pci0/net/{name}");
    sysfs.plug(&format!("class/net/{name}"), &devpath, &format!("INTERFACE={name}\nIFINDEX=9\n"));
}

fn of_kind(kind: &str) -> impl FnMut(&str) -> bool + use<'_> {
    move |line| json(line)["kind"] == kind
}

#[test]
fn i3_i9_a_scan_that_could_not_read_a_directory_has_not_resynced() {
    let Some(_turn) = own_sysfs("an unreadable sysfs after a loss") else { return };
    let (sysfs, directory) = for_everybody();
    plug(&sysfs, "kept");
    let socket = directory.path().join("events");
    let line = format!("2304 --sysfs {} --socket {}", sysfs.path().display(), socket.display());
    let daemon = Daemon::start(unprivileged_program(Path::new(env!("CARGO_BIN_EXE_small_buffer")), &line));
    daemon.wait_until_scanned();
    assert_eq!(daemon_figures(&socket)["state"], "steady");

    readable(&sysfs, false);
    plug(&sysfs, "added");
    let injector = Injector::new();
    daemon.stop();
    for _ in 0..100 {
        injector.send(b"change@/module/x\0ACTION=change\0DEVPATH=/module/x\0SUBSYSTEM=module\0");
    }
    daemon.signal(Signal::SIGCONT);
    let (at, loss) = daemon.wait_for_line_from(0, of_kind("overrun"));
    let loss = json(&loss);
    assert_eq!((&loss["repaired"], &loss["path"]), (&false.into(), &"class/net".into()), "{loss}");
    let (at, line) = daemon.wait_for_line_from(at, of_kind("incomplete"));
    let line = json(&line);
    assert_eq!((&line["path"], number(&line, "errno")), (&"class/net".into(), 13), "{line}");
    assert!(number(&line, "unreadable") >= 1 && number(&line, "retry_us") > 0, "{line}");
    std::thread::sleep(Duration::from_secs(1));
    let figures = daemon_figures(&socket);
    assert_eq!((&figures["state"], number(&figures, "repairs")), (&"repairing".into(), 0), "{figures}");

    readable(&sysfs, true);
    let (_, line) = daemon.wait_for_line_from(at, of_kind("completed"));
    assert_eq!(number(&json(&line), "added"), 1, "{line}");
    let figures = daemon_figures(&socket);
    assert_eq!((&figures["state"], number(&figures, "repairs")), (&"steady".into(), 1), "{figures}");
    let output = daemon.finish();
    output.assert_fine();
    assert!(output.fold().present.contains_key("/devices/pci0/net/added"));
    assert_eq!(output.objects("incomplete").len(), 1, "an attempt that finds the same says nothing");
}

#[test]
fn i3_clients_do_not_take_the_descriptors_that_a_scan_needs() {
    let Some(_turn) = own_sysfs("a scan with few descriptors") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("events");
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "ulimit -n 40; exec \"$0\" 2304 --socket \"$1\"",
        env!("CARGO_BIN_EXE_small_buffer"),
    ]);
    command.arg(&socket);
    let daemon = Daemon::start(command);
    daemon.wait_until_scanned();
    let _idle: Vec<_> = (0..16).map(|_| Application::connect(&socket, "").expect("a client")).collect();
    std::thread::sleep(Duration::from_millis(500));
    let injector = Injector::new();
    daemon.stop();
    for _ in 0..50 {
        injector.send(b"change@/module/x\0ACTION=change\0DEVPATH=/module/x\0SUBSYSTEM=module\0");
    }
    let bridges: Vec<_> = (0..20).map(|n| NetDevice::tap(&format!("few{n}")).expect("a tap")).collect();
    daemon.signal(Signal::SIGCONT);
    let loss = json(&daemon.wait_for_line(of_kind("overrun")));
    assert_eq!(loss["repaired"], true, "{loss}");
    std::thread::sleep(Duration::from_millis(500));
    let output = daemon.finish();
    output.assert_fine();
    assert_true(&output.fold(), Path::new("/sys"), "with few descriptors");
    drop(bridges);
}

#[test]
fn i3_i9_a_scan_without_descriptors_is_repeated_until_there_are_some() {
    let Some(_turn) = own_sysfs("a scan without descriptors") else { return };
    let mut command = Command::new(env!("CARGO_BIN_EXE_small_buffer"));
    command.arg("2304");
    let daemon = Daemon::start(command);
    daemon.wait_until_scanned();
    let allow = |descriptors: u32| {
        let limit = format!("--nofile={descriptors}:4096");
        let prlimit = Command::new("prlimit").args(["--pid", &daemon.pid().to_string(), &limit]).status();
        assert!(prlimit.expect("prlimit, of util-linux").success());
    };
    // As many as it polls, and all of them in use.
    allow(8);
    let injector = Injector::new();
    daemon.stop();
    for _ in 0..50 {
        injector.send(b"change@/module/x\0ACTION=change\0DEVPATH=/module/x\0SUBSYSTEM=module\0");
    }
    let _tap = NetDevice::tap("nofile").expect("a tap");
    daemon.signal(Signal::SIGCONT);
    let (at, line) = daemon.wait_for_line_from(0, of_kind("incomplete"));
    let line = json(&line);
    assert_eq!((&line["path"], number(&line, "errno")), (&"class".into(), 24), "{line}");
    allow(64);
    let (_, line) = daemon.wait_for_line_from(at, of_kind("completed"));
    assert_eq!(number(&json(&line), "added"), 1, "{line}");
    let output = daemon.finish();
    output.assert_fine();
    assert_eq!(output.objects("overrun")[0]["repaired"], false);
    assert_true(&output.fold(), Path::new("/sys"), "with descriptors again");
}

#[test]
fn i9_readiness_is_reported_with_what_could_not_be_read() {
    let Some(_turn) = turn_to_raise("an unreadable sysfs at start") else { return };
    let (sysfs, directory) = for_everybody();
    plug(&sysfs, "unseen");
    readable(&sysfs, false);
    let notify = directory.path().join("notify");
    let supervisor = UnixDatagram::bind(&notify).expect("a socket");
    fs::set_permissions(&notify, Permissions::from_mode(0o777)).expect("a mode");
    supervisor.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let said = || {
        let mut text = [0; 1_000];
        let length = receive(&supervisor, &mut text).expect("a message");
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let (mut reader, writer) = pipe().expect("a pipe");
    fcntl(&writer, FcntlArg::F_SETFD(FdFlag::empty())).expect("it is inherited");
    let socket = directory.path().join("events");
    let mut command =
        unprivileged(&format!("run --json --ports 1 --allow-undersized --ready-fd {}", writer.as_raw_fd()));
    command.arg("--sysfs").arg(sysfs.path()).arg("--socket").arg(&socket).env("NOTIFY_SOCKET", &notify);
    let daemon = Daemon::start(command);
    drop(writer);
    let ready = said();
    assert!(ready.starts_with("READY=1\nSTATUS=Devices are missing: "), "{ready}");
    assert!(ready.contains("class/net") && ready.contains("EACCES"), "{ready}");
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("a line");
    assert!(text.starts_with("Devices are missing: ") && text.ends_with('\n'), "{text}");
    daemon.wait_for_line(of_kind("incomplete"));
    assert_eq!(daemon_figures(&socket)["state"], "repairing");

    readable(&sysfs, true);
    daemon.wait_for_line(of_kind("completed"));
    assert_eq!(said(), "READY=1\nSTATUS=All devices are known");
    assert_eq!(daemon_figures(&socket)["state"], "steady");
    let output = daemon.finish();
    output.assert_fine();
    assert!(output.fold().present.contains_key("/devices/pci0/net/unseen"));
}

#[test]
fn i9_a_snapshot_that_is_known_to_be_out_of_date_states_so_until_it_no_longer_is() {
    let Some(_turn) = turn_to_raise("a snapshot of an unreadable sysfs") else { return };
    let (sysfs, directory) = for_everybody();
    plug(&sysfs, "unseen");
    readable(&sysfs, false);
    let socket = directory.path().join("events");
    let mut command = unprivileged("run --json --ports 1 --allow-undersized");
    command.arg("--sysfs").arg(sysfs.path()).arg("--socket").arg(&socket);
    let daemon = Daemon::start(command);
    daemon.wait_for_line(of_kind("incomplete"));
    let mut client = Application::connect(&socket, "SNAPSHOT=yes").expect("a client");
    let mut next_end = || loop {
        let delivered = client.receive().expect("it goes on");
        if delivered.is_marker() && delivered.action == "end" {
            return delivered.get("SUREPLUG_OUT_OF_DATE") == "yes";
        }
    };
    assert!(next_end(), "the snapshot lacks a device");
    let asked = |line: &str| {
        let mut command = sureplug(line);
        command.arg("--socket").arg(&socket);
        command
    };
    let listed = run(asked("list"));
    assert_eq!(listed.code, Some(0), "{listed:?}");
    assert!(listed.stderr[0].contains("the devices are out of date"), "{listed:?}");
    let monitor = Daemon::start(asked("monitor --json"));
    let current = json(&monitor.wait_for_line(of_kind("current")));
    assert_eq!(current["out_of_date"], true);

    readable(&sysfs, true);
    assert!(!next_end(), "all is known now");
    assert!(client.fold.present.contains_key("/devices/pci0/net/unseen"));
    let of_date = |line: &str| json(line)["kind"] == "current" && json(line)["out_of_date"] == false;
    monitor.wait_for_line(of_date);
    let listed = run(asked("list --json"));
    listed.assert_fine();
    assert!(listed.objects("device").iter().all(|device| device["out_of_date"] == false), "{listed:?}");
    drop(monitor);
    daemon.finish().assert_fine();
}

#[test]
fn i9_a_helper_of_the_kernel_is_warned_of() {
    let sysfs = StandIn::new();
    fs::create_dir_all(sysfs.path().join("kernel")).expect("a directory");
    for (helper, hook) in [("\n", ""), ("/sbin/mdev\n", ""), ("/sbin/mdev\n", "--hook /bin/true")] {
        fs::write(sysfs.path().join("kernel/uevent_helper"), helper).expect("a file");
        let directory = tempfile::tempdir().expect("a directory");
        let mut command = sureplug(&format!("run --json {hook} --sysfs {}", sysfs.path().display()));
        command.arg("--socket").arg(directory.path().join("events"));
        let daemon = Daemon::start(command);
        daemon.wait_until_scanned();
        let output = daemon.finish();
        output.assert_fine();
        let warned = output.objects("uevent_helper");
        assert_eq!(warned.len(), usize::from(helper.len() > 1), "{output:#?}");
        for warning in warned {
            assert_eq!(warning["helper"], "/sbin/mdev");
            let is_twice =
                warning["message"].as_str().is_some_and(|text| text.contains("each event is handled twice"));
            assert_eq!(is_twice, !hook.is_empty(), "{warning}");
        }
    }
}

/// Nothing at `/sys`, for the test's thread and the daemon that it starts.
struct Covered(PathBuf);

impl Covered {
    fn cover() -> Self {
        let nothing = None::<&str>;
        mount(Some("tmpfs"), "/sys", Some("tmpfs"), MsFlags::empty(), nothing).expect("an empty directory");
        Self("/sys".into())
    }
}

impl Drop for Covered {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

#[test]
fn i9_a_daemon_that_starts_before_sysfs_is_mounted_waits_for_it() {
    let Some(_turn) = own_sysfs("a start before sysfs is mounted") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("events");
    let notify = directory.path().join("notify");
    let supervisor = UnixDatagram::bind(&notify).expect("a socket");
    let covered = Covered::cover();
    let mut command = watching_all("run --json");
    command.arg("--socket").arg(&socket).env("NOTIFY_SOCKET", &notify);
    let daemon = Daemon::start(command);
    daemon.wait_for_line(of_kind("no_sysfs"));
    assert_eq!(daemon_figures(&socket)["state"], "starting");
    std::thread::sleep(Duration::from_secs(1));
    supervisor.set_nonblocking(true).expect("it does not block");
    assert!(supervisor.recv(&mut [0; 100]).is_err(), "it is not ready");

    // Uncovered as by a mount: another file system is at that path from now on.
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("sysfs"), "/sys", Some("sysfs"), flags, None::<&str>).expect("sysfs");
    let scanned = json(&daemon.wait_for_line(of_kind("scanned")));
    assert!(number(&scanned, "devices") > 10, "{scanned}");
    assert_eq!(daemon_figures(&socket)["state"], "steady");
    let tap = NetDevice::tap("late").expect("a tap");
    daemon.wait_for_line(|line| json(line)["devpath"] == "/devices/virtual/net/late");
    let output = daemon.finish();
    output.assert_fine();
    assert_true(&output.fold(), Path::new("/sys"), "sysfs came later");
    let tracked = |event: &Value| event["properties"]["SUREPLUG_TRACKED"].is_null();
    let late =
        output.objects("event").into_iter().find(|event| event["devpath"] == "/devices/virtual/net/late");
    assert!(late.is_some_and(|event| tracked(&event)), "its class is known by then");
    umount2("/sys", MntFlags::MNT_DETACH).expect("what was mounted last");
    drop((tap, covered));
}
