//! The output of `sureplug run`: its first lines, one line per event, the totals at the end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sureplug_tests::daemon::{
    Daemon, Output, json, marked, now_us, number, raise_number, run, stamp, watching_all,
};
use sureplug_tests::kernel::{mark, raise};
use sureplug_tests::privilege::turn_to_raise;

/// A buffer that no storm of a test fills.
const LARGE: &str = "--ports 127 --max-stall-ms 60000 --port-device keyboard";

#[test]
fn the_first_lines_are_profile_budget_and_buffer() {
    let size = run(watching_all("size --json --ports 7")).object();
    let [per_port, cycles, other, budget, hub8, default, granted, wanted] = [
        "per_port_bytes",
        "cycles",
        "other_subsystems_bytes",
        "budget_bytes",
        "hub8_bytes",
        "rmem_default_bytes",
        "granted_bytes",
        "wanted_bytes",
    ]
    .map(|key| number(&size, key));
    let output = started("--ports 7 --allow-undersized");
    assert_eq!(
        output.stdout[..3],
        [
            "sureplug: profile: 7 USB ports (stated), storage in each, stall up to 1000 ms, devpath up to 96 B".into(),
            format!(
                "sureplug: budget: {budget} B = 7 ports x {per_port} B a plug and unplug x {cycles} cycles + {other} B \
                 of other subsystems; at least {hub8} B (hub with 8 sticks) and {default} B (default)"
            ),
            format!("sureplug: receive buffer: {granted} B effective, {wanted} B wanted"),
        ]
    );
    let start = json(&started("--json --ports 7 --allow-undersized").stdout[0]);
    assert_eq!(start["kind"], "start");
    for key in ["ports", "per_port_bytes", "cycles", "other_subsystems_bytes", "budget_bytes", "wanted_bytes"]
    {
        assert_eq!(start[key], size[key], "{key}");
    }
    assert_eq!(
        (&start["effective_bytes"], &start["port_device"]),
        (&size["granted_bytes"], &size["port_device"])
    );
}

/// Started, and ended as soon as it was up.
fn started(line: &str) -> Output {
    let mut daemon = Daemon::start(watching_all(line));
    daemon.wait_until_it_reads();
    let output = daemon.finish();
    output.assert_fine();
    output
}

#[test]
fn sigterm_and_sigint_end_it_with_totals() {
    for (signal, name) in [(Signal::SIGTERM, "SIGTERM"), (Signal::SIGINT, "SIGINT")] {
        let daemon = Daemon::start(watching_all(""));
        daemon.wait_until_scanned();
        daemon.signal(signal);
        let output = daemon.wait();
        output.assert_fine();
        let [ended, counts, repairs, figures] = output.stdout.last_chunk().expect("lines");
        assert_eq!(*ended, format!("sureplug: ended by {name}"));
        assert!(counts.starts_with("sureplug: received "), "{counts}");
        assert!(counts.ends_with(", malformed 0, foreign 0, truncated 0"), "{counts}");
        assert!(repairs.starts_with("sureplug: 0 repairs, "), "{repairs}");
        assert!(repairs.ends_with("; 0 events missed and 0 lines dropped by this output"), "{repairs}");
        assert!(figures.starts_with("sureplug: peak "), "{figures}");
        assert!(figures.ends_with(" ms (profile: 1000 ms)"), "{figures}");
    }
}

#[test]
fn an_event_is_one_line_with_the_stamp_of_the_kernels_log() {
    let Some(_turn) = turn_to_raise("the line of an event") else { return };
    let daemon = Daemon::start(watching_all(""));
    daemon.wait_until_scanned();
    let before = now_us();
    raise("change", &mark(), "");
    let line = daemon.wait_for_line(|line| stamp(line).is_some_and(|(at, _)| at >= before));
    let after = now_us();
    let (at, _) = stamp(&line).expect("a stamp");
    assert!((before..=after).contains(&at), "{line}: not from {before} to {after}");
    daemon.wait_for_line(|line| {
        stamp(line).is_some_and(|(_, event)| event == "change mem /devices/virtual/mem/null null")
    });
    daemon.finish().assert_fine();
}

#[test]
fn verbose_shows_all_properties_below_the_event() {
    let Some(_turn) = turn_to_raise("the properties of an event") else { return };
    let daemon = Daemon::start(watching_all("run -v"));
    daemon.wait_until_scanned();
    let (first, last) = (mark(), mark());
    raise("add", &first, "COLOUR=green");
    raise("add", &last, "");
    daemon.wait_for_line(|line| line.contains(&last));
    let output = daemon.finish();
    output.assert_fine();

    let uuid = format!("    SYNTH_UUID={first}");
    let at = output.stdout.iter().position(|line| *line == uuid).expect("the event");
    let begin = output.stdout[..at].iter().rposition(|line| stamp(line).is_some()).expect("its line");
    let block: Vec<_> =
        output.stdout[begin + 1..].iter().take_while(|line| line.starts_with("    ")).collect();
    // It is present already.
    assert!(output.stdout[begin].ends_with("] change mem /devices/virtual/mem/null null"));
    for property in [
        "SUREPLUG_ORIGIN=kernel",
        "SUREPLUG_ACTION=add",
        "ACTION=change",
        "DEVPATH=/devices/virtual/mem/null",
        "SUBSYSTEM=mem",
        "SYNTH_ARG_COLOUR=green",
        "MAJOR=1",
    ] {
        assert!(block.iter().any(|line| line[4..] == *property), "{property} in {block:#?}");
    }
    assert!(block.last().is_some_and(|line| line.starts_with("    SEQNUM=")), "{block:#?}");
}

#[test]
fn json_has_the_documented_fields() {
    let Some(_turn) = turn_to_raise("an event as JSON") else { return };
    let daemon = Daemon::start(watching_all("--json"));
    daemon.wait_until_scanned();
    let mark = mark();
    let before = now_us();
    raise_number(0, &mark);
    let line = daemon.wait_for_line(|line| marked(&json(line), &mark) == Some(0));
    let after = now_us();
    daemon.finish().assert_fine();

    assert!(line.starts_with(r#"{"kind":"event","monotonic_us":"#), "{line}");
    let event = json(&line);
    let mut keys: Vec<_> = event.as_object().expect("an object").keys().collect();
    keys.sort();
    assert_eq!(keys, ["action", "devpath", "kind", "monotonic_us", "properties", "seqnum", "subsystem"]);
    assert_eq!(event["action"], "change");
    assert_eq!(event["devpath"], "/devices/virtual/mem/null");
    assert_eq!(event["subsystem"], "mem");
    assert_eq!(event["properties"]["DEVNAME"], "null");
    assert_eq!(event["properties"]["SEQNUM"], number(&event, "seqnum").to_string());
    assert!((before..=after).contains(&number(&event, "monotonic_us")), "{before} {line} {after}");
}

#[test]
fn i2_the_totals_count_each_event_that_was_shown() {
    let Some(_turn) = turn_to_raise("the totals") else { return };
    let daemon = Daemon::start(watching_all("--json"));
    daemon.wait_until_scanned();
    let mark = mark();
    for number in 0..500 {
        raise_number(number, &mark);
        // So that the output keeps up.
        if number % 100 == 99 {
            daemon.wait_for_line(|line| marked(&json(line), &mark) == Some(number));
        }
    }
    let output = daemon.finish();
    output.assert_fine();
    assert_eq!(output.numbers(&mark), (0..500).collect::<Vec<_>>());
    output.assert_accounts_for_all();
    let totals = output.totals();
    assert_eq!((&totals["ended_by"], number(&totals, "output_dropped_lines")), (&"SIGTERM".into(), 0));
    assert!(number(&totals, "received") >= 500);
    assert!((1..=number(&totals, "effective_bytes")).contains(&number(&totals, "peak_queued_bytes")));
}

#[test]
fn a_signal_ends_it_in_the_middle_of_a_storm() {
    let Some(_turn) = turn_to_raise("the end in a storm") else { return };
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let daemon = Daemon::start(watching_all(&format!("--json {LARGE}")));
        daemon.wait_until_scanned();
        let (mark, storm) = (mark(), AtomicBool::new(true));
        let output = thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0.. {
                    if !storm.load(Ordering::Relaxed) {
                        break;
                    }
                    raise_number(number, &mark);
                }
            });
            // The scope ends only when the storm does.
            let output = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                daemon.wait_for_line(|line| marked(&json(line), &mark) >= Some(1000));
                daemon.signal(signal);
                daemon.wait()
            }));
            storm.store(false, Ordering::Relaxed);
            output
        });
        let output = output.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        output.assert_fine();
        output.assert_accounts_for_all();
    }
}

#[test]
fn stops_and_other_signals_do_not_disturb_it() {
    let Some(_turn) = turn_to_raise("events between signals") else { return };
    let daemon = Daemon::start(watching_all("--json"));
    daemon.wait_until_scanned();
    let mark = mark();
    for number in 0..100 {
        daemon.stop();
        raise_number(number, &mark);
        daemon.signal(Signal::SIGCONT);
        for ignored in [Signal::SIGWINCH, Signal::SIGCHLD, Signal::SIGURG] {
            daemon.signal(ignored);
        }
    }
    daemon.wait_for_line(|line| marked(&json(line), &mark) == Some(99));
    let output = daemon.finish();
    output.assert_fine();
    assert_eq!(output.numbers(&mark), (0..100).collect::<Vec<_>>());
    output.assert_accounts_for_all();
}

#[test]
fn the_longest_stall_is_that_of_a_stopped_process() {
    let Some(_turn) = turn_to_raise("the longest stall") else { return };
    let daemon = Daemon::start(watching_all("--json"));
    daemon.wait_until_scanned();
    let mark = mark();
    raise_number(0, &mark);
    daemon.wait_for_line(|line| marked(&json(line), &mark) == Some(0));

    daemon.stop();
    let mut next = 1;
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        raise_number(next, &mark);
        next += 1;
        thread::sleep(Duration::from_millis(10));
    }
    daemon.signal(Signal::SIGCONT);

    daemon.wait_for_line(|line| marked(&json(line), &mark) == Some(next - 1));
    let output = daemon.finish();
    output.assert_fine();
    assert_eq!(output.numbers(&mark), (0..next).collect::<Vec<_>>());
    output.assert_accounts_for_all();
    let totals = output.totals();
    let stall = number(&totals, "longest_stall_us");
    assert!((1_500_000..30_000_000).contains(&stall), "{totals}");
}
