//! Firmware that a driver requests of user space while a hook waits for the driver.

use std::fs;
use std::path::PathBuf;

use sureplug_tests::daemon::{json, number};
use sureplug_tests::hook_script::{Script, few};
use sureplug_tests::kernel::{Injector, own_sysfs};

/// Runs for events of `firmware` at the same time, as the manual states it.
const PARALLEL: usize = 4;

/// Raises an event as `firmware_class` does for a request.
fn request(injector: &Injector, action: &str, name: &str) {
    let path = format!("/devices/virtual/few0/firmware/{name}");
    let text = format!(
        "{action}@{path}\0ACTION={action}\0DEVPATH={path}\0SUBSYSTEM=firmware\0FIRMWARE={name}\0TIMEOUT=60\0"
    );
    injector.send(text.as_bytes());
}

fn change(injector: &Injector, number: usize) {
    let path = "/devices/virtual/net/few0";
    let text = format!(
        "change@{path}\0ACTION=change\0DEVPATH={path}\0SUBSYSTEM=net\0INTERFACE=few0\0NUMBER={number}\0"
    );
    injector.send(text.as_bytes());
}

fn beside(script: &Script, name: &str) -> PathBuf {
    script.path().with_file_name(name)
}

fn count(lines: &[String], begin: &str) -> usize {
    lines.iter().filter(|line| line.starts_with(begin)).count()
}

#[test]
fn a_hook_waits_for_firmware_that_the_hook_loads() {
    let Some(_turn) = own_sysfs("a hook that waits for firmware") else { return };
    let sysfs = few(1);
    // As `modprobe` does, whose driver asks for firmware as it starts.
    let script = Script::new(
        "[ \"$1\" = firmware ] && { echo \"load $FIRMWARE\" >>$LOG; : >$LOG.$FIRMWARE; exit; }\n\
         echo \"wait $SEQNUM\" >>$LOG; while [ ! -e $LOG.blob ]; do sleep 0.02; done; echo \"done $SEQNUM\" >>$LOG\n",
    );
    let daemon = script.daemon(sysfs.path(), "--hook-timeout-ms 20000");
    daemon.wait_until_scanned();
    script.wait_until("it waits", |lines| count(lines, "wait") == 1);
    request(&Injector::new(), "add", "blob");
    let lines = script.wait_until("it has waited", |lines| count(lines, "done") == 1);
    assert_eq!(lines, ["wait 1", "load blob", "done 1"]);
    let output = daemon.finish();
    output.assert_fine();
    assert!(output.objects("hook").is_empty(), "{output:#?}");
    assert_eq!(number(&output.totals(), "hook_runs"), 2);
}

#[test]
fn runs_for_firmware_are_bounded_and_other_events_stay_in_order() {
    let Some(_turn) = own_sysfs("many requests for firmware") else { return };
    let sysfs = few(1);
    let script = Script::new(
        "[ \"$1\" = firmware ] || { echo \"net ${UEVENT_NUMBER-scan} $$\" >>$LOG; sleep 0.02; echo end $$ >>$LOG; exit; }\n\
         echo \"begin $FIRMWARE\" >>$LOG; while [ ! -e $LOG.go ]; do sleep 0.02; done; echo \"finish\" >>$LOG\n",
    );
    let daemon = script.daemon(sysfs.path(), "--hook-timeout-ms 60000");
    daemon.wait_until_scanned();
    let injector = Injector::new();
    for number in 0..20 {
        request(&injector, "add", &format!("blob{number:02}"));
        change(&injector, number);
    }
    // Those of other subsystems go on while as many as can be wait.
    let lines = script.wait_until("the others", |lines| count(lines, "end") == 21);
    let others: Vec<_> = lines.iter().filter(|line| !line.starts_with("begin")).collect();
    for (number, pair) in others.chunks(2).enumerate() {
        let pid = pair[0].rsplit(' ').next().expect("a process");
        let wanted = number.checked_sub(1).map_or("scan".to_owned(), |number| number.to_string());
        assert_eq!(pair, [&format!("net {wanted} {pid}"), &format!("end {pid}")], "{lines:#?}");
    }
    let begun = |lines: &[String]| -> Vec<String> {
        lines.iter().filter_map(|line| line.strip_prefix("begin ")).map(str::to_owned).collect()
    };
    let all: Vec<_> = (0..20).map(|number| format!("blob{number:02}")).collect();
    let mut first = begun(&lines);
    first.sort_unstable();
    assert_eq!(first, all[..PARALLEL]);
    fs::write(beside(&script, "log.go"), "").expect("a file");
    let lines = script.wait_until("all", |lines| count(lines, "finish") == 20);
    let mut begun = begun(&lines);
    begun.sort_unstable();
    assert_eq!(begun, all);
    let output = daemon.finish();
    output.assert_fine();
    assert_eq!(number(&output.totals(), "hook_runs"), 41);
    assert!(output.objects("hook").is_empty(), "{output:#?}");
}

#[test]
fn each_run_for_firmware_has_its_own_limit_and_report() {
    let Some(_turn) = own_sysfs("firmware that never comes") else { return };
    let sysfs = few(1);
    let script = Script::new("[ \"$1\" = firmware ] || exit 0\necho \"$FIRMWARE says\"; sleep 1000\n");
    let mut daemon = script.daemon(sysfs.path(), "--hook-timeout-ms 700");
    daemon.wait_until_scanned();
    let injector = Injector::new();
    let names: Vec<_> = (0..PARALLEL + 2).map(|number| format!("blob{number}")).collect();
    // Reports are written one at a time: of several at once the others are counted.
    for name in &names {
        request(&injector, "add", name);
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let (mut reports, mut start) = (Vec::new(), 0);
    while reports.len() < names.len() {
        let (at, line) = daemon.wait_for_line_from(start, |line| json(line)["kind"] == "hook");
        start = at + 1;
        reports.push(json(&line));
    }
    for (report, name) in reports.iter().zip(&names) {
        assert_eq!(report["ending"], "killed, since it took more than 700 ms", "{report}");
        assert!(report["event"].as_str().expect("a header").ends_with(name.as_str()), "{reports:#?}");
        assert_eq!(report["output"], format!("{name} says\n"), "{report}");
    }
    daemon.wait_until("none is left", |pid| {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        children.is_ok_and(|children| children.trim().is_empty())
    });
    daemon.finish().assert_fine();
}
