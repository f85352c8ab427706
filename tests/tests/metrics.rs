//! `--metrics`: what a node exporter collects.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sureplug_tests::daemon::{Daemon, number, run, sureplug};
use sureplug_tests::kernel::{Injector, SmallDisk, own_network_namespace, own_sysfs};
use sureplug_tests::privilege::not_run;

const EVENT: &[u8] = b"change@/devices/x\0ACTION=change\0DEVPATH=/devices/x\0SUBSYSTEM=usb\0";

fn start(file: &Path, interval_s: u32) -> Daemon {
    let mut command = sureplug(&format!("--json --metrics-interval-s {interval_s} --metrics"));
    command.arg(file);
    let mut daemon = Daemon::start(command);
    daemon.wait_until_it_reads();
    daemon.wait_until_scanned();
    daemon
}

/// Each figure of the text, whose lines are all there.
fn figures(text: &str) -> BTreeMap<&str, f64> {
    assert!(text.ends_with('\n') && text.lines().count().is_multiple_of(3), "cut off: {text}");
    let values = text.lines().filter(|line| !line.starts_with('#'));
    values
        .map(|line| line.rsplit_once(' ').expect("a value"))
        .map(|(name, value)| (name, value.parse().expect("a number")))
        .collect()
}

fn wait_for(file: &Path, holds: impl Fn(&BTreeMap<&str, f64>) -> bool) -> String {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let text = fs::read_to_string(file).expect("the file");
        if holds(&figures(&text)) {
            return text;
        }
        assert!(Instant::now() < end, "{text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn promtool_accepts_the_metrics() {
    let name = "promtool on the metrics";
    let Some(_turn) = own_network_namespace(name) else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("sureplug.prom");
    let daemon = start(&file, 1);
    let text = fs::read_to_string(&file).expect("the file");
    daemon.finish().assert_fine();
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else { return not_run(name, "there is no promtool") };
    promtool.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    assert!(
        output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(),
        "{output:?}\n{text}"
    );
}

#[test]
fn metrics_hold_every_counter() {
    let Some(_turn) = own_sysfs("the metrics of a run") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("sureplug.prom");
    let daemon = start(&file, 1);
    let injector = Injector::new();
    for _ in 0..50 {
        injector.send(EVENT);
    }
    let text = wait_for(&file, |figures| figures["sureplug_uevents_received_total"] >= 50.0);
    let found = figures(&text);
    let output = daemon.finish();
    let totals = output.totals();
    let size = run(sureplug("size --json")).object();
    for (name, wanted) in [
        ("sureplug_uevents_received_total", number(&totals, "received")),
        ("sureplug_uevents_lost_total", 0),
        ("sureplug_messages_foreign_total", 0),
        ("sureplug_rcvbuf_bytes", number(&totals, "effective_bytes")),
        ("sureplug_rcvbuf_wanted_bytes", number(&size, "wanted_bytes")),
        ("sureplug_devices", number(&totals, "devices")),
        ("sureplug_max_stall_seconds", number(&totals, "max_stall_ms") / 1_000),
        ("sureplug_build_info{version=\"0.1.0\"}", 1),
    ] {
        let wanted = f64::from(u32::try_from(wanted).expect("a small number"));
        assert!((found[name] - wanted).abs() < 1e-9, "{name}: {} and {wanted}", found[name]);
    }
}

/// A reader at any time finds a whole file, and not more new ones than there are intervals.
#[test]
fn the_file_is_replaced_whole_and_not_too_often() {
    let Some(_turn) = own_network_namespace("the file of the metrics") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("sureplug.prom");
    let begun = Instant::now();
    let daemon = start(&file, 1);
    let injector = Injector::new();
    let mut inodes = Vec::new();
    while begun.elapsed() < Duration::from_millis(3_500) {
        injector.send(EVENT);
        let opened = fs::File::open(&file).expect("the file");
        let text = std::io::read_to_string(&opened).expect("text");
        assert_eq!(figures(&text).len(), 31);
        let metadata = opened.metadata().expect("metadata");
        let version = (metadata.ino(), metadata.mtime_nsec());
        if inodes.last() != Some(&version) {
            inodes.push(version);
        }
    }
    let intervals = usize::try_from(begun.elapsed().as_secs()).expect("seconds");
    assert!((2..=intervals + 1).contains(&inodes.len()), "{} files in {intervals} s", inodes.len());
    daemon.finish().assert_fine();
    let left: Vec<_> =
        fs::read_dir(&directory).expect("the directory").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["sureplug.prom"]);
}

#[test]
fn a_place_that_cannot_be_written_is_refused_and_one_that_fills_up_is_reported() {
    let Some(_turn) = own_network_namespace("metrics without a place") else { return };
    let output = run(sureplug("--metrics /nonexistent/sureplug.prom"));
    assert_eq!(output.code, Some(3));
    assert!(
        output.stderr[0].contains("cannot write the metrics /nonexistent/sureplug.prom: No such file"),
        "{output:#?}"
    );

    // A symbolic link does not redirect it.
    let directory = tempfile::tempdir().expect("a directory");
    let (file, victim) = (directory.path().join("linked.prom"), directory.path().join("victim"));
    fs::write(&victim, "precious").expect("a file");
    symlink(&victim, directory.path().join("linked.prom.tmp")).expect("a link");
    start(&file, 1).finish().assert_fine();
    assert_eq!(fs::read_to_string(&victim).expect("a file"), "precious");
    assert!(fs::symlink_metadata(&file).expect("the file").is_file());

    let disk = SmallDisk::mount();
    let file = disk.path().join("sureplug.prom");
    let daemon = start(&file, 1);
    let whole = fs::read_to_string(&file).expect("the file");
    fs::write(disk.path().join("other"), [0; SmallDisk::BYTES]).expect_err("a full disk");
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(figures(&fs::read_to_string(&file).expect("the file")).len(), figures(&whole).len());
    let output = daemon.finish();
    let said: Vec<_> =
        output.stderr.iter().filter(|line| line.contains("cannot write the metrics")).collect();
    assert_eq!((output.code, said.len()), (Some(0), 1), "once: {output:#?}");
}

#[test]
fn i2_totals_status_and_metrics_count_the_same() {
    let Some(_turn) = own_sysfs("one table of figures") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let (file, socket) = (directory.path().join("sureplug.prom"), directory.path().join("events"));
    let mut command = sureplug("--json --metrics-interval-s 1 --metrics");
    command.arg(&file).arg("--socket").arg(&socket);
    let daemon = Daemon::start(command);
    daemon.wait_until_scanned();
    let injector = Injector::new();
    (0..50).for_each(|_| injector.send(EVENT));
    // The removal of what is not known.
    injector.send(
        b"remove@/devices/virtual/net/y\0ACTION=remove\0DEVPATH=/devices/virtual/net/y\0SUBSYSTEM=net\0",
    );
    wait_for(&file, |figures| figures.get("sureplug_unknown_removals_total") == Some(&1.0));
    let mut command = sureplug("status --json --socket");
    command.arg(&socket);
    let status = run(command);
    let status = status.objects("status").into_iter().find(|part| part["part"] == "daemon").expect("figures");
    let text = wait_for(&file, |figures| figures.get("sureplug_connections_total") == Some(&1.0));
    let metrics = figures(&text);
    let output = daemon.finish();
    output.assert_fine();
    let totals = output.totals();
    let counted: Vec<_> = totals.as_object().expect("an object").keys().collect();
    for key in counted.iter().filter(|key| !["kind", "ended_by"].contains(&key.as_str())) {
        assert!(status[key.as_str()].is_u64(), "{key} is missing in {status}");
    }
    for key in ["received", "unknown_removals", "devices", "output_missed_events", "output_dropped_lines"] {
        assert_eq!(status[key], totals[key], "{key}");
    }
    // As many figures, and how it was built and sized.
    assert_eq!(metrics.len(), counted.len() - 2 + 2, "{metrics:?} {totals}");
}

#[test]
fn i2_lines_that_a_full_disk_refuses_are_counted_at_once() {
    let Some(_turn) = own_sysfs("an output that takes nothing") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("events");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let mut command = sureplug("--json --socket");
    command.arg(&socket);
    let mut daemon = Daemon::start_into(command, full);
    daemon.wait_until_asleep("console");
    let injector = Injector::new();
    (0..960).for_each(|_| injector.send(EVENT));
    daemon.wait_until_drained();
    daemon.wait_until_asleep("intake");
    let mut command = sureplug("status --json --socket");
    command.arg(&socket);
    let status = run(command);
    let status = status.objects("status").into_iter().find(|part| part["part"] == "daemon").expect("figures");
    let gone = number(&status, "output_missed_events") + number(&status, "output_dropped_lines");
    assert!(number(&status, "received") >= 960 && gone >= 960, "{status}");
    daemon.finish().assert_fine();
}
