//! A program for each event, one at a time, that delays nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use sureplug_tests::daemon::{Daemon, Output, json, number, run, sureplug, watching_all};
use sureplug_tests::fold::Fold;
use sureplug_tests::hook_script::{Script, few};
use sureplug_tests::kernel::devices::{NetDevice, delete_together};
use sureplug_tests::kernel::{mark, own_sysfs, raise};
use sureplug_tests::sysfs_truth::net_devices;

fn finish(daemon: Daemon) -> Output {
    let output = daemon.finish();
    output.assert_fine();
    output
}

#[test]
fn hook_gets_the_subsystem_and_the_properties_only() {
    let Some(_turn) = own_sysfs("a hook's environment") else { return };
    let script =
        Script::new("{ echo \"arguments=$# $1\"; tr '\\0' '\\n' </proc/$$/environ; echo end; } >>$LOG\n");
    let sysfs = few(2);
    let mut command = script.command(sysfs.path(), "");
    command.env("LD_LIBRARY_PATH", "/nowhere").env("SECRET", "of the daemon");
    let daemon = Daemon::start(command);
    let lines =
        script.wait_until("it ran twice", |lines| lines.iter().filter(|line| *line == "end").count() == 2);
    let wanted = |number: usize| {
        vec![
            "arguments=1 net".to_owned(),
            "PATH=/sbin:/bin:/usr/sbin:/usr/bin".to_owned(),
            "HOME=/".to_owned(),
            format!("SEQNUM={number}"),
            "SUREPLUG_ORIGIN=scan".to_owned(),
            "ACTION=add".to_owned(),
        ]
    };
    assert_eq!(lines[..6], wanted(1)[..], "{lines:#?}");
    assert!(lines.iter().all(|line| !line.contains("SECRET") && !line.contains("nowhere")), "{lines:#?}");
    let second = lines.iter().position(|line| line == "end").expect("an end") + 1;
    assert_eq!(lines[second..second + 6], wanted(2)[..], "{lines:#?}");
    assert!(lines[second..].iter().any(|line| line.starts_with("DEVPATH=/devices/virtual/net/few")));
    // The kernel's own number is beside it.
    let mark = mark();
    raise("change", &mark, "NUMBER=1");
    script.wait_until("the event", |lines| {
        let seqnum = |line: &String| line.starts_with("SUREPLUG_KERNEL_SEQNUM=");
        lines.iter().any(seqnum) && lines.contains(&format!("SYNTH_UUID={mark}"))
    });
    finish(daemon);
}

#[test]
fn runs_come_one_at_a_time_in_order_without_a_gap_in_their_number() {
    let Some(_turn) = own_sysfs("a hook's order") else { return };
    let script = Script::new("echo begin $SEQNUM >>$LOG\nsleep 0.02\necho end $SEQNUM >>$LOG\n");
    let sysfs = few(5);
    let daemon = script.daemon(sysfs.path(), "");
    daemon.wait_until_scanned();
    let mark = mark();
    (0..50).for_each(|_| raise("change", &mark, ""));
    let lines = script.wait_until("all have run", |lines| lines.len() == 110);
    let wanted: Vec<_> = (1..=55).flat_map(|n| [format!("begin {n}"), format!("end {n}")]).collect();
    assert_eq!(lines, wanted);
    finish(daemon);
}

#[test]
fn i5_a_slow_hook_falls_behind_and_gets_the_difference_lost_removals_included() {
    let Some(_turn) = own_sysfs("a slow hook") else { return };
    let script = Script::new(
        "echo \"$ACTION $DEVPATH $SUBSYSTEM $SUREPLUG_TRACKED\" >>$LOG\n[ ! -e ${LOG}.slow ] || sleep 1\n",
    );
    let names: Vec<String> = (0..30).map(|number| format!("hooked{number}")).collect();
    let daemon = script.daemon("/sys".as_ref(), "--max-stall-ms 60000 --port-device keyboard");
    daemon.wait_until_scanned();
    let kept: Vec<_> =
        names.iter().map(|name| NetDevice::tap(name).expect("a tap").leave().expect("it stays")).collect();
    assert_eq!(kept.len(), 30);
    let last = format!("add /devices/virtual/net/{} net ", names[29]);
    script.wait_until("it knows them all", |lines| lines.contains(&last));
    fs::write(script.log().with_extension("slow"), "").expect("a file");
    delete_together(&names).expect("they are gone");
    let mark = mark();
    (0..2_000).for_each(|_| raise("change", &mark, ""));
    let tap = NetDevice::tap("fresh").expect("a tap");
    (0..2_000).for_each(|_| raise("change", &mark, ""));
    fs::remove_file(script.log().with_extension("slow")).expect("a file");
    let lines = script.wait_until("the difference", |lines| {
        lines.iter().filter(|line| line.starts_with("remove ") && line.ends_with(" net ")).count() == 30
            && lines.contains(&"add /devices/virtual/net/fresh net ".to_owned())
    });
    // The events that it received, far fewer than 4,000, yield the actual devices.
    assert!(lines.iter().filter(|line| line.starts_with("change")).count() < 2_500);
    let mut present = BTreeMap::new();
    for line in &lines {
        let fields: Vec<_> = line.split(' ').collect();
        let [action, devpath, subsystem, tracked] = fields[..] else { panic!("{line}") };
        match action {
            _ if tracked == "no" => {}
            "add" => assert!(present.insert(devpath, subsystem).is_none(), "{line}"),
            "remove" => assert!(present.remove(devpath).is_some(), "{line}"),
            _ => assert!(present.contains_key(devpath), "{line}"),
        }
    }
    let names: Vec<_> =
        present.iter().filter(|(_, s)| **s == "net").filter_map(|(p, _)| p.rsplit('/').next()).collect();
    let mut truth: Vec<_> = net_devices("/sys".as_ref()).into_keys().collect();
    let mut names: Vec<_> = names.into_iter().map(str::to_owned).collect();
    names.sort_unstable();
    truth.sort_unstable();
    assert_eq!(names, truth);
    drop(tap);
    // The socket was read nevertheless, and the console is true.
    let output = finish(daemon);
    assert_eq!(number(&output.totals(), "lost"), 0);
    assert!(Fold::of(&output.stdout).is_ok());
}

#[test]
fn hook_that_takes_too_long_is_killed_with_its_children() {
    let Some(_turn) = own_sysfs("a hook that hangs") else { return };
    // Ignoring what can be ignored.
    let script = Script::new("trap '' TERM INT HUP\nsleep 1000 &\necho $! >>$LOG\nwait\nsleep 1000\n");
    let sysfs = few(2);
    let daemon = script.daemon(sysfs.path(), "--hook-timeout-ms 300");
    let reports: Vec<_> = (0..2)
        .map(|nth| {
            let mut left = nth;
            let line = daemon.wait_for_line(|line| {
                let is_it = json(line)["kind"] == "hook";
                left -= i32::from(is_it);
                is_it && left < 0
            });
            json(&line)
        })
        .collect();
    for report in &reports {
        assert_eq!(report["ending"], "killed, since it took more than 300 ms", "{report}");
        assert!(report["event"].as_str().expect("a header").starts_with("add@/devices/virtual/net/few"));
    }
    let children = script.lines();
    assert_eq!(children.len(), 2);
    for child in children {
        script.wait_until("the child is gone", |_| {
            fs::read_to_string(format!("/proc/{child}/stat")).map_or(true, |stat| stat.contains(") Z "))
        });
    }
    finish(daemon);
}

#[test]
fn how_it_ends_and_what_it_writes_is_reported_within_bounds() {
    let Some(_turn) = own_sysfs("a hook's output") else { return };
    let script = Script::new(
        "case $INTERFACE in few0) exit 3;; few1) echo said; echo \"on both\" >&2;; few2) kill -9 $$;; \
         few3) yes flood | head -c 300000;; few4) exit 0;; few5) kill -40 $$;; esac\n",
    );
    let sysfs = few(6);
    let daemon = script.daemon(sysfs.path(), "");
    daemon.wait_until_scanned();
    daemon.wait_for_line(|line| line.contains("few5") && json(line)["kind"] == "hook");
    thread::sleep(Duration::from_millis(300));
    let output = finish(daemon);
    let reports = output.objects("hook");
    let of = |name: &str| {
        reports.iter().find(|report| report["event"].as_str().is_some_and(|e| e.ends_with(name)))
    };
    assert_eq!(of("few0").expect("a report")["ending"], "exit code 3");
    assert_eq!(of("few1").expect("a report")["output"], "said\non both\n");
    assert_eq!(of("few2").expect("a report")["ending"], "killed by signal 9");
    assert_eq!(of("few5").expect("a report")["ending"], "killed by signal 40");
    let flood = of("few3").expect("a report");
    assert_eq!(
        (flood["output"].as_str().expect("text").len(), number(flood, "dropped_bytes")),
        (512, 300_000 - 512)
    );
    assert!(of("few4").is_none(), "nothing to say");
}

#[test]
fn hooks_end_is_noticed_although_sigchld_was_ignored_at_start() {
    let Some(_turn) = own_sysfs("a hook below who ignores SIGCHLD") else { return };
    let script = Script::new("exit 3\n");
    let sysfs = few(1);
    let direct = script.command(sysfs.path(), "");
    let mut command = Command::new("env");
    command.arg("--ignore-signal=CHLD").arg(direct.get_program()).args(direct.get_args());
    let daemon = Daemon::start(command);
    let report = daemon.wait_for_line(|line| json(line)["kind"] == "hook");
    assert_eq!(json(&report)["ending"], "exit code 3");
    finish(daemon);
}

#[test]
fn program_that_cannot_run_is_reported_before_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("not-executable");
    fs::write(&file, "").expect("a file");
    for path in [Path::new("/no/such/program"), &file, Path::new("/tmp")] {
        let mut command = sureplug("run --hook");
        let output = run({
            command.arg(path).arg("--socket").arg(directory.path().join("events"));
            command
        });
        assert_eq!((output.code, output.stdout.len()), (Some(3), 0), "{output:?}");
        assert!(output.stderr[0].contains("cannot run the program"), "{output:?}");
    }
    assert_eq!(run(sureplug("run --hook-timeout-ms 0")).code, Some(2));
}

#[test]
fn a_program_that_vanishes_is_reported_and_ends_nothing() {
    let Some(_turn) = own_sysfs("a hook that vanishes") else { return };
    let script = Script::new("echo ran >>$LOG\n");
    let sysfs = few(1);
    let daemon = script.daemon(sysfs.path(), "");
    script.wait_until("it ran once", |lines| !lines.is_empty());
    fs::remove_file(script.path()).expect("a file");
    raise("change", &mark(), "");
    daemon.wait_for_line(|line| json(line)["ending"] == "not started: No such file or directory");
    finish(daemon);
}

#[test]
fn hook_that_leaves_its_process_group_is_killed() {
    let Some(_turn) = own_sysfs("a hook that leaves its group") else { return };
    let script = Script::new(
        "echo $INTERFACE >>$LOG; exec python3 -c 'import os, time; os.setpgid(0, os.getpgid(os.getppid())); time.sleep(300)'\n",
    );
    let sysfs = few(2);
    let daemon = script.daemon(sysfs.path(), "--hook-timeout-ms 1500");
    script.wait_until("it ran for the next", |lines| lines.len() == 2);
    let report = daemon.wait_for_line(|line| json(line)["kind"] == "hook");
    assert_eq!(json(&report)["ending"], "killed, since it took more than 1500 ms");
    daemon.wait_for_line(|line| json(line)["kind"] == "hook" && line.contains("few1"));
    finish(daemon);
}

#[test]
fn children_left_behind_cannot_write_to_the_log() {
    let Some(_turn) = own_sysfs("a hook that leaves a child behind") else { return };
    let script = Script::new("{ yes; echo \"$INTERFACE $?\" >>$LOG; } 2>/dev/null &\n");
    let sysfs = few(2);
    let daemon = script.daemon(sysfs.path(), "");
    // By SIGPIPE.
    let lines = script.wait_until("what it left has ended", |lines| lines.len() == 2);
    assert!(lines.contains(&"few0 141".to_owned()) && lines.contains(&"few1 141".to_owned()), "{lines:#?}");
    finish(daemon);
}

#[test]
fn relative_path_is_resolved_where_the_daemon_starts() {
    let Some(_turn) = own_sysfs("a hook with a relative path") else { return };
    let script = Script::new("pwd >>$LOG\n");
    let sysfs = few(1);
    let mut command = watching_all("--json --ports 127 --hook ./hook");
    let directory = script.path().parent().expect("a directory").to_owned();
    command.arg("--sysfs").arg(sysfs.path()).arg("--socket").arg(directory.join("events"));
    let daemon = Daemon::start({
        command.current_dir(directory);
        command
    });
    assert_eq!(script.wait_until("it ran", |lines| !lines.is_empty()), ["/"]);
    finish(daemon);
}

/// Runs a command in a process that gets the children of those that end before theirs, as PID 1 does, and that has some
/// before the command is executed in it.
fn as_subreaper(command: &Command) -> Command {
    let mut python = Command::new("python3");
    let script = "import ctypes, os, sys, time\nctypes.CDLL(None).prctl(36, 1, 0, 0, 0)\n\
                  for seconds in (0, 1):\n\x20if os.fork() == 0: time.sleep(seconds); os._exit(0)\n\
                  os.execv(sys.argv[1], sys.argv[1:])";
    python.args(["-c", script]).arg(command.get_program()).args(command.get_args());
    python
}

/// Waits until a daemon has no child, a zombie included.
fn wait_until_childless(daemon: &mut Daemon) {
    daemon.wait_until("it has no child", |pid| {
        let parent = pid.to_string();
        let stats = fs::read_dir("/proc").expect("a directory").flatten();
        let mut stats = stats.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
        // The state and the parent follow the name in parentheses.
        !stats.any(|stat| stat.rsplit(')').next().and_then(|rest| rest.split(' ').nth(2)) == Some(&*parent))
    });
}

#[test]
fn orphans_of_runs_are_reaped_by_the_daemon() {
    let Some(_turn) = own_sysfs("a hook that leaves children to PID 1") else { return };
    let script = Script::new("(sleep 0.5 &)\necho ran >>$LOG\n");
    let sysfs = few(20);
    let mut daemon = Daemon::start(as_subreaper(&script.command(sysfs.path(), "")));
    script.wait_until("it ran for each", |lines| lines.len() == 20);
    wait_until_childless(&mut daemon);
    finish(daemon);
}

#[test]
fn children_from_before_the_start_are_reaped_without_a_hook() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = sureplug("run --ports 1 --socket");
    command.arg(directory.path().join("events"));
    let mut daemon = Daemon::start(as_subreaper(&command));
    daemon.wait_until_scanned();
    wait_until_childless(&mut daemon);
    finish(daemon);
}
