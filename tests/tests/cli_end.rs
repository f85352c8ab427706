//! The daemon ends with its totals, whatever happened to the output, and is not killed by writing
//! to it.

use std::fs::{self, File};
use std::io::{Read, pipe};
use std::os::fd::OwnedFd;

use nix::sys::signal::Signal;
use sureplug_tests::daemon::{Daemon, raise_number, watching_all};
use sureplug_tests::kernel::mark;
use sureplug_tests::privilege::turn_to_raise;

#[test]
fn the_totals_come_however_much_was_missed_before() {
    let Some(_turn) = turn_to_raise("the totals behind missed events") else { return };
    let (reader, writer) = pipe().expect("a pipe");
    // The lines of text are short: what is left of a full ring is less than the totals.
    let mut daemon =
        Daemon::start_into(watching_all("--ports 127 --max-stall-ms 60000"), OwnedFd::from(writer));
    daemon.wait_until_it_reads();
    let mark = mark();
    // More than the ring and the pipe hold; they are read only after the end was requested.
    (0..12_000).for_each(|number| raise_number(number, &mark));
    daemon.wait_until_drained();
    daemon.wait_until_asleep("sureplug");
    daemon.signal(Signal::SIGTERM);
    // When the intake has ended, the daemon has tried to write them and waits for its reader.
    daemon.wait_until("its intake ends", |pid| {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("its threads").flatten();
        threads
            .filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok())
            .all(|c| c != "intake\n")
    });
    daemon.wait_until_asleep("sureplug");
    let mut text = String::new();
    File::from(OwnedFd::from(reader)).read_to_string(&mut text).expect("text");
    daemon.wait().assert_fine();

    let last: Vec<&str> = text.lines().rev().take(4).collect();
    let [peak, repairs, received, ended] = last[..] else { panic!("{last:?}") };
    assert!(peak.starts_with("sureplug: peak ") && repairs.contains(" devices present, "), "{last:?}");
    assert!(received.starts_with("sureplug: received "), "{last:?}");
    assert_eq!(ended, "sureplug: ended by SIGTERM");
    assert!(text.contains(" events missed here: "), "{last:?}");
}

#[test]
fn i5_a_signal_for_a_write_cannot_stop_or_kill_it() {
    let mut daemon = Daemon::start(watching_all("run"));
    daemon.wait_until_it_reads();
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("its status");
    let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).expect("blocked signals");
    let blocked = u64::from_str_radix(blocked.trim(), 16).expect("a mask");
    for signal in [Signal::SIGTTOU, Signal::SIGXFSZ, Signal::SIGTERM, Signal::SIGINT] {
        assert!(blocked & 1 << (signal as u64 - 1) != 0, "{signal} is not blocked: {blocked:x}");
    }
    daemon.finish().assert_fine();
}

#[test]
fn a_second_signal_ends_it_although_the_output_is_not_taken() {
    let Some(_turn) = turn_to_raise("a second signal") else { return };
    let (mut reader, writer) = pipe().expect("a pipe");
    let mut daemon =
        Daemon::start_into(watching_all("--json --ports 127 --max-stall-ms 60000"), OwnedFd::from(writer));
    daemon.wait_until_it_reads();
    let mark = mark();
    (0..2_000).for_each(|number| raise_number(number, &mark));
    daemon.wait_until_drained();
    daemon.signal(Signal::SIGTERM);
    // A reader that takes a little all the time would keep it for long.
    let mut some = [0; 512];
    for _ in 0..20 {
        let _ = reader.read(&mut some).expect("some");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    daemon.signal(Signal::SIGTERM);
    daemon.wait().assert_fine();
    // It ended with lines unread and unwritten: the last is cut, or is no totals.
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("text");
    assert!(
        !text.trim_end().lines().last().is_some_and(|line| line.contains("\"totals\"")),
        "all was written"
    );
}
