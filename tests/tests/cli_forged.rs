//! Devices whose `uevent` files have lines that the kernel did not write: all are ignored, counted and reported.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use sureplug_tests::daemon::{Daemon, json, number, raise_number, run, sureplug, watching_all};
use sureplug_tests::kernel::mark;
use sureplug_tests::privilege::turn_to_raise;
use sureplug_tests::stand_in::StandIn;

/// More devices than are reported by name.
const DEVICES: u64 = 40;

fn in_metrics(file: &Path) -> u64 {
    let text = fs::read_to_string(file).expect("the metrics");
    let line = text.lines().find_map(|line| line.strip_prefix("sureplug_sysfs_forged_lines_total "));
    line.and_then(|line| line.parse().ok()).expect("a figure")
}

fn start(options: &str, sysfs: &StandIn) -> Daemon {
    let daemon = Daemon::start(watching_all(&format!("{options} --sysfs {}", sysfs.path().display())));
    daemon.wait_until_scanned();
    daemon
}

/// A sysfs with this many devices that each write a line. A `partial` one looks as if it was just
/// being added.
fn forging(partial: bool) -> StandIn {
    let sysfs = StandIn::new();
    for number in 0..DEVICES {
        let (link, devpath) = (format!("class/net/n{number}"), format!("/devices/a/net/n{number}"));
        let uevent = if partial { "IFINDEX=2\nMODALIAS=evil\n" } else { "IFINDEX=2\nDEVTYPE=x\" y\n" };
        sysfs.plug(&link, &devpath, uevent);
        if partial {
            fs::remove_file(sysfs.path().join(&devpath[1..]).join("modalias")).expect("its alias");
        }
    }
    sysfs
}

#[test]
fn a_device_that_writes_lines_is_reported_once_and_forges_nothing() {
    let Some(_turn) = turn_to_raise("a device that writes lines into its uevent file") else { return };
    let sysfs = StandIn::new();
    let uevent =
        "HID_ID=3\nHID_NAME=M\nHID_PHYS=p\nHID_UNIQ=A\nMODALIAS=evil\nDEVNAME=sda\nMAJOR=8\nMODALIAS=hid:x\n";
    sysfs.plug("bus/hid/devices/1", "/devices/a/1", uevent);
    fs::write(sysfs.path().join("devices/a/1/modalias"), "hid:x\n").expect("its alias");
    sysfs.plug("class/net/eth0", "/devices/a/net/eth0", "IFINDEX=2\n");
    let daemon = start("--json", &sysfs);
    // A second scan meets it again.
    sysfs.plug("class/net/eth1", "/devices/a/net/eth1", "IFINDEX=3\n");
    raise_number(0, &mark());
    daemon.wait_for_line(|line| json(line)["kind"] == "unreported");
    let output = daemon.finish();
    output.assert_fine();
    let forged: Vec<_> = output.objects("forged");
    assert_eq!(forged.len(), 1, "{forged:?}");
    assert_eq!(
        (&forged[0]["devpath"], &forged[0]["line"]),
        (&"/devices/a/1".into(), &"MODALIAS=evil".into())
    );
    let added =
        output.objects("event").into_iter().find(|event| event["devpath"] == "/devices/a/1").expect("an add");
    let properties = &added["properties"];
    assert_eq!(properties["MODALIAS"], "hid:x");
    assert!(properties["DEVNAME"].is_null() && properties["MAJOR"].is_null(), "{properties}");
}

#[test]
fn i9_lines_of_more_devices_than_are_named_are_counted_in_all_outputs() {
    let Some(_turn) = turn_to_raise("many devices that write lines") else { return };
    for partial in [false, true] {
        let sysfs = forging(partial);
        let directory = tempfile::tempdir().expect("a directory");
        let (socket, metrics) = (directory.path().join("events"), directory.path().join("metrics"));
        let mut command = watching_all("--json --ports 127 --metrics-interval-s 1");
        command.arg("--sysfs").arg(sysfs.path()).arg("--socket").arg(&socket);
        let daemon = Daemon::start({
            command.arg("--metrics").arg(&metrics);
            command
        });
        daemon.wait_until_scanned();
        // A second scan meets them again.
        sysfs.plug("class/net/last", "/devices/a/net/last", "IFINDEX=3\n");
        raise_number(0, &mark());
        daemon.wait_for_line(|line| json(line)["kind"] == "unreported");
        let status = run({
            let mut command = sureplug("status --json --socket");
            command.arg(&socket);
            command
        });
        let counted = |value: &Value| number(value, "forged_lines");
        let of_daemon = status.objects("status").into_iter().find(|part| part["part"] == "daemon");
        let in_status = counted(&of_daemon.expect("figures"));
        let end = Instant::now() + Duration::from_secs(20);
        while in_metrics(&metrics) < DEVICES {
            assert!(Instant::now() < end, "they are not in the metrics");
            raise_number(1, &mark());
            thread::sleep(Duration::from_millis(100));
        }
        let output = daemon.finish();
        output.assert_fine();
        // What lacks files in two looks is taken as it is, by the first scan already.
        assert_eq!(number(&output.objects("scanned")[0], "devices"), DEVICES);
        assert!(in_status >= DEVICES && counted(&output.totals()) >= in_status, "{in_status}");
        let named: BTreeSet<_> =
            output.objects("forged").into_iter().map(|forged| forged["devpath"].to_string()).collect();
        assert_eq!((named.len(), output.objects("forged").len()), (16, 16), "{named:?}");
    }
}

#[test]
fn a_list_without_a_daemon_reports_lines_that_the_kernel_did_not_write() {
    for partial in [false, true] {
        let sysfs = forging(partial);
        let output = run({
            let mut command = sureplug("list --subsystem net --socket /nonexistent/events --sysfs");
            command.arg(sysfs.path());
            command
        });
        assert_eq!((output.code, output.stdout.len() as u64), (Some(0), DEVICES), "{output:#?}");
        let named =
            output.stderr.iter().filter(|line| line.contains("has lines that the kernel did not write"));
        assert_eq!(named.count(), 16, "{output:#?}");
        let last = output.stderr.last().expect("a warning");
        assert!(last.contains("ignored 40 lines of uevent files"), "{last}");
    }
}

#[test]
fn a_quotation_mark_does_not_end_the_line_in_a_warning() {
    let Some(_turn) = turn_to_raise("a line with quotation marks") else { return };
    let sysfs = StandIn::new();
    sysfs.plug("class/net/n0", "/devices/a/net/n0", "IFINDEX=2\nx\": all is well, \\\"\n");
    let output = start("", &sysfs).finish();
    output.assert_fine();
    let warning = output.stdout.iter().find(|line| line.contains("did not write")).expect("a warning");
    assert!(warning.contains(r#"such as "x\": all is well, \\\"": they are ignored"#), "{warning}");
    assert!(output.stdout.iter().any(|line| line.contains("ignored 1 lines of uevent files")), "{output:#?}");
}
