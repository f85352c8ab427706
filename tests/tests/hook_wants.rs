//! What a hook is run for, and what it learns of what it missed.

use std::fs;

use sureplug_tests::daemon::{json, number, root, sureplug};
use sureplug_tests::hook_script::{Script, few};
use sureplug_tests::kernel::{Injector, own_sysfs};

/// Returns the flags of the shipped hook for modules that follow the hook itself.
fn shipped_flags() -> String {
    let defaults = fs::read_to_string(root().join("board/dist/hook-modprobe.default")).expect("the defaults");
    let flags = defaults.lines().find_map(|line| line.strip_prefix("SUREPLUG_HOOK=\"")).expect("the flags");
    let flags = flags.strip_suffix('"').expect("an end");
    flags.strip_prefix("--hook /usr/lib/sureplug/modprobe ").expect("the hook").to_owned()
}

#[test]
fn the_shipped_hook_for_modules_is_run_only_where_one_can_be_loaded() {
    let Some(_turn) = own_sysfs("the runs of the first scan") else { return };
    let sysfs = few(60);
    for device in 1..=3 {
        let name = format!("1-{device}");
        let uevent = format!("MODALIAS=usb:v46F4p000{device}\nBUSNUM=001\n");
        sysfs.plug(&format!("bus/usb/devices/{name}"), &format!("/devices/usb1/{name}"), &uevent);
    }
    let script = Script::new("echo \"$SEQNUM $ACTION ${MODALIAS-none}\" >>$LOG\n");
    let daemon = script.daemon(sysfs.path(), &shipped_flags());
    daemon.wait_until_scanned();
    // One without, and one with: when that has run, all before it have.
    let injector = Injector::new();
    injector.send(b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=tty\0");
    injector.send(b"add@/devices/y\0ACTION=add\0DEVPATH=/devices/y\0SUBSYSTEM=usb\0MODALIAS=usb:last\0");
    let lines =
        script.wait_until("the last one", |lines| lines.iter().any(|line| line.ends_with("usb:last")));
    assert_eq!(lines.len(), 4, "{lines:#?}");
    let numbers: Vec<_> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(numbers, ["1", "2", "3", "4"], "without a gap");
    let output = daemon.finish();
    output.assert_fine();
    assert_eq!(number(&output.totals(), "hook_runs"), 4);
}

#[test]
fn a_hook_is_run_only_for_its_subsystems() {
    let Some(_turn) = own_sysfs("a hook of some subsystems") else { return };
    let sysfs = few(20);
    sysfs.plug("bus/usb/devices/1-1", "/devices/usb1/1-1", "BUSNUM=001\n");
    let script = Script::new("echo \"$1\" >>$LOG\n");
    let daemon = script.daemon(sysfs.path(), "--hook-subsystem usb --hook-subsystem block");
    daemon.wait_until_scanned();
    let injector = Injector::new();
    injector.send(b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=tty\0");
    injector.send(b"add@/devices/y\0ACTION=add\0DEVPATH=/devices/y\0SUBSYSTEM=block\0");
    script.wait_until("the last one", |lines| lines.iter().any(|line| line == "block"));
    assert_eq!(script.lines(), ["usb", "block"]);
    daemon.finish().assert_fine();
}

#[test]
fn events_missed_by_a_slow_hook_are_counted_reported_and_passed_on() {
    let Some(_turn) = own_sysfs("a hook that lags") else { return };
    let sysfs = few(1);
    let script = Script::new(
        "echo \"${SUREPLUG_MISSED-0} $ACTION\" >>$LOG\nwhile [ -e \"$LOG.wait\" ]; do sleep 0.05; done\n",
    );
    let wait = script.path().with_file_name("log.wait");
    fs::write(&wait, "").expect("a file");
    let daemon = script.daemon(sysfs.path(), "--hook-timeout-ms 60000");
    daemon.wait_until_scanned();
    script.wait_until("the first run", |lines| lines.len() == 1);
    // Changes of a device that stays: there is no other trace of them.
    let injector = Injector::new();
    let change = |padding: &str| {
        format!(
            "change@/devices/virtual/net/few0\0ACTION=change\0DEVPATH=/devices/virtual/net/few0\0SUBSYSTEM=net\0INTERFACE=few0\0P={padding}\0"
        )
    };
    let padding = "x".repeat(1_000);
    for _ in 0..1_500 {
        injector.send(change(&padding).as_bytes());
    }
    injector.send(b"add@/devices/last\0ACTION=add\0DEVPATH=/devices/last\0SUBSYSTEM=net\0");
    fs::remove_file(&wait).expect("the file");
    let missed = daemon.wait_for_line(|line| json(line)["kind"] == "hook_missed");
    let missed = number(&json(&missed), "events");
    assert!(missed > 0, "how many depends on how far the daemon has read");
    injector.send(b"add@/devices/behind\0ACTION=add\0DEVPATH=/devices/behind\0SUBSYSTEM=net\0");
    let lines =
        script.wait_until("a run that knows", |lines| lines.iter().any(|line| !line.starts_with("0 ")));
    let passed: u64 = lines.iter().filter_map(|line| line.split(' ').next()?.parse::<u64>().ok()).sum();
    let socket = script.path().with_file_name("events");
    let status = sureplug("status").arg("--socket").arg(&socket).output().expect("the status");
    let status = String::from_utf8(status.stdout).expect("text");
    let counted =
        status.lines().find_map(|line| line.trim().strip_prefix("hook_missed_events")).expect("a count");
    let output = daemon.finish();
    output.assert_fine();
    assert_eq!(counted.trim().parse(), Ok(passed), "{status}");
    assert_eq!(number(&output.totals(), "hook_missed_events"), passed);
    assert!(passed >= missed, "{lines:?}");
}

#[test]
fn a_key_that_is_none_is_refused() {
    for key in ["", "A=B", "A B", "\n"] {
        let output = sureplug("run").args(["--hook-property", key]).output().expect("a run");
        assert_eq!(output.status.code(), Some(2), "{key:?}");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains("--hook-property"), "{error}");
    }
}
