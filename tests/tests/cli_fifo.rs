//! Nothing that stands at a path keeps a command from starting, or from ending by a signal.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::libc::O_NONBLOCK;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use sureplug_board::diag::pcap::{file_header, packet_header};
use sureplug_tests::daemon::{Daemon, Output, number, run, sureplug};
use sureplug_tests::kernel::{Injector, own_network_namespace, without_seqnum};
use sureplug_tests::stand_in::StandIn;
use sureplug_tests::usb_tree::UsbTree;
use sureplug_tests::vectors::KERNELS;

fn fifo(path: &Path) -> PathBuf {
    mkfifo(path, Mode::S_IRWXU).expect("a FIFO");
    path.to_owned()
}

/// Both ends of a FIFO: what opens one of them need not wait, but what reads finds nothing.
fn both_ends(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).custom_flags(O_NONBLOCK).open(path).expect("a FIFO opens")
}

fn assert_refused(output: &Output, wanted: &str) {
    assert_eq!(output.code, Some(3), "{output:#?}");
    assert!(output.stderr.last().is_some_and(|line| line.contains(wanted)), "{wanted}: {output:#?}");
}

fn plug() -> Vec<Vec<u8>> {
    KERNELS[2].datagrams("storage_ss_mbr4_plug").expect("a capture")
}

#[test]
fn lock_that_is_no_regular_file_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("events");
    let lock = directory.path().join("events.lock");
    let start = || {
        let mut command = sureplug("run --ports 1 --socket");
        command.arg(&socket);
        run(command)
    };
    fifo(&lock);
    assert_refused(&start(), "events.lock: it is a FIFO, not a regular file");
    let ends = both_ends(&lock);
    assert_refused(&start(), "events.lock: it is a FIFO, not a regular file");
    drop(ends);
    fs::remove_file(&lock).expect("a FIFO");
    let target = directory.path().join("made by root");
    symlink(&target, &lock).expect("a link");
    assert_refused(&start(), "events.lock: it is a symbolic link, not a regular file");
    assert!(!target.exists() && !socket.exists());
}

#[test]
fn attributes_of_hubs_that_are_no_regular_files_are_read_as_missing() {
    for attribute in ["maxchild", "removable"] {
        let tree = UsbTree::new().root_hub("usb1", 2).root_hub("usb2", 3);
        let file = tree.path().join("bus/usb/devices/usb2").join(attribute);
        let ports = if attribute == "maxchild" { 2 } else { 5 };
        let counts = |what: &str| {
            let size = run(sureplug(&format!("size --json --sysfs {}", tree.path().display()))).object();
            assert_eq!(number(&size, "ports_in_sysfs"), ports, "{attribute}: {what}");
        };
        fs::remove_file(&file).expect("an attribute");
        fifo(&file);
        counts("no writer");
        let ends = both_ends(&file);
        counts("a writer");
        let line = format!("run --sysfs {0} --socket {0}/events", tree.path().display());
        let mut daemon = Daemon::start(sureplug(&line));
        daemon.wait_until_it_reads();
        daemon.finish().assert_fine();
        drop(ends);
        fs::remove_file(&file).expect("a FIFO");
        symlink("/dev/zero", &file).expect("a link");
        counts("no end");
    }
}

#[test]
fn attributes_of_devices_that_are_fifos_do_not_delay_a_scan() {
    let uevent = "MAJOR=189\nMINOR=1\nDEVNAME=bus/usb/001/002\nDEVTYPE=usb_device\nMODALIAS=usb:v1p1\n";
    let sysfs = StandIn::new();
    for (name, file) in [("1-1", "uevent"), ("1-2", "dev"), ("1-3", "modalias")] {
        let devpath = format!("/devices/usb1/{name}");
        sysfs.plug(&format!("bus/usb/devices/{name}"), &devpath, uevent);
        let file = sysfs.path().join(&devpath[1..]).join(file);
        fs::remove_file(&file).expect("a file");
        fifo(&file);
    }
    sysfs.plug("class/net/net0", "/devices/net/net0", "INTERFACE=net0\nIFINDEX=7\n");
    for file in ["ifindex", "flags"] {
        fifo(&sysfs.path().join("devices/net/net0").join(file));
    }
    fs::create_dir(sysfs.path().join("kernel")).expect("a directory");
    fifo(&sysfs.path().join("kernel/uevent_helper"));
    let line = format!("--sysfs {0} --socket {0}/events", sysfs.path().display());
    let output = run(sureplug(&format!("list {line}")));
    assert_eq!(output.code, Some(0), "{output:#?}");
    let daemon = Daemon::start(sureplug(&format!("run --ports 1 {line}")));
    daemon.wait_for_line(|line| line.contains("] scanned: ") || line.contains("] incomplete: "));
    daemon.finish().assert_fine();
}

#[test]
fn led_hook_and_metrics_that_are_fifos_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().display();
    let led = directory.path().join("class/leds/usb");
    fs::create_dir_all(&led).expect("a directory");
    fifo(&led.join("brightness"));
    let start = |options: &str| {
        run(sureplug(&format!("run --ports 1 --sysfs {path} --socket {path}/events {options}")))
    };
    assert_refused(&start("--led usb"), "--led usb: it is a FIFO without a reader");
    fs::remove_file(led.join("brightness")).expect("a FIFO");
    fs::write(led.join("brightness"), "").expect("a file");
    fifo(&led.join("trigger"));
    assert_refused(&start("--led usb"), "--led usb: it is a FIFO, not a regular file");
    let program = fifo(&directory.path().join("program"));
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
    assert_refused(&start(&format!("--hook {path}/program")), "cannot run the program: not a regular file");
    let metrics = fifo(&directory.path().join("metrics"));
    assert_refused(&start(&format!("--metrics {path}/metrics")), "not a regular file; choose");
    assert!(fs::metadata(metrics).expect("a FIFO").file_type().is_fifo());
}

#[test]
fn recording_into_a_fifo_without_a_reader_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = fifo(&directory.path().join("fifo"));
    let mut command = sureplug("record");
    command.arg(file);
    assert_refused(&run(command), "it is a FIFO without a reader");
}

#[test]
fn recording_whose_reader_has_stopped_ends_by_a_signal() {
    let Some(_turn) = own_network_namespace("a recording into a full FIFO") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let file = fifo(&directory.path().join("fifo"));
    let _ends = both_ends(&file);
    let mut command = sureplug("record");
    command.arg(file);
    let mut daemon = Daemon::start(command);
    daemon.wait_until_it_reads();
    // More than a pipe holds.
    let injector = Injector::new();
    for datagram in (0..20).flat_map(|_| plug()) {
        injector.send(without_seqnum(&datagram));
    }
    daemon.signal(Signal::SIGTERM);
    assert_refused(&daemon.wait(), "its reader takes no more");
}

#[test]
fn captures_are_read_from_fifos() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = fifo(&directory.path().join("fifo"));
    let decode = || {
        let mut command = sureplug("decode --json");
        command.arg(&file);
        command
    };
    // Without a writer there is nothing in it.
    assert_eq!(run(decode()).code, Some(1));
    assert_eq!(run(sureplug(&format!("measure --pcap {}", file.display()))).code, Some(3));
    let mut writer = both_ends(&file);
    let mut daemon = Daemon::start(decode());
    writer.write_all(&file_header()).expect("room");
    for datagram in plug() {
        let length = u16::try_from(datagram.len()).expect("a datagram");
        writer.write_all(&packet_header(7, length)).expect("room");
        thread::sleep(Duration::from_millis(5));
        writer.write_all(&datagram).expect("room");
    }
    daemon.wait_until("it has the FIFO open", |pid| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.into_iter().any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == file))
    });
    drop(writer);
    let output = daemon.wait();
    output.assert_fine();
    assert_eq!(output.objects("event").len(), plug().len());
}
