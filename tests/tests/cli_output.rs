//! I5: the socket is read in spite of any output, and the output is left as it was found.

use std::fs::{self, File, OpenOptions};
use std::io::{Write, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;
use nix::sys::termios::tcgetattr;
use sureplug_tests::daemon::{Daemon, json, marked, number, raise_number, run, watching_all};
use sureplug_tests::kernel::{SmallDisk, mark};
use sureplug_tests::privilege::turn_to_raise;

/// A buffer that no storm of a test fills.
const LARGE: &str = "--json --ports 127 --max-stall-ms 60000 --port-device keyboard";

/// The byte that Ctrl-S sends, which stops a terminal's output, and that of Ctrl-Q.
const STOP: &[u8] = b"\x13";
const GO_ON: &[u8] = b"\x11";

/// Events that make more lines than all buffers on their way hold.
const STORM: u64 = 20_000;

fn flags(output: impl AsFd) -> OFlag {
    OFlag::from_bits_retain(fcntl(output, FcntlArg::F_GETFL).expect("F_GETFL"))
}

fn set_non_blocking(output: impl AsFd) {
    let flags = flags(&output) | OFlag::O_NONBLOCK;
    fcntl(output, FcntlArg::F_SETFL(flags)).expect("F_SETFL");
}

fn unread_pipe() -> (OwnedFd, File) {
    let (reader, writer) = pipe().expect("a pipe");
    (writer.into(), File::from(OwnedFd::from(reader)))
}

fn terminal() -> (OwnedFd, File) {
    let ends = openpty(None, None).expect("a terminal");
    (ends.slave, File::from(ends.master))
}

/// Starts the daemon with an output that is not read.
fn start(output: &OwnedFd, options: &str) -> Daemon {
    let output = output.try_clone().expect("the same open file description");
    let mut daemon = Daemon::start_into(watching_all(options), output);
    daemon.wait_until_it_reads();
    // An event during the first scan may reach the output as part of the snapshot instead.
    daemon.wait_until_asleep("sureplug");
    daemon
}

/// A storm while the output is not read: all events are received, and the output is not touched.
/// When it is read again, the events that did not fit are accounted for, the delta follows, and the
/// stream continues.
fn storm_into(output: OwnedFd, mut other_end: File, stopped: bool) {
    let flags_before = flags(&output);
    let termios_before = tcgetattr(&output).ok();
    if stopped {
        other_end.write_all(STOP).expect("Ctrl-S");
    }
    let mut daemon = start(&output, LARGE);
    let mark = mark();
    (0..STORM).for_each(|number| raise_number(number, &mark));

    assert_eq!(daemon.wait_until_drained().drops, 0);
    daemon.wait_until_asleep("console");
    assert_eq!(flags(&output), flags_before, "while it runs");

    if stopped {
        other_end.write_all(GO_ON).expect("Ctrl-Q");
    }
    daemon.read_from(other_end);
    daemon.wait_for_line(|line| json(line)["kind"] == "missed");
    // Events that come before the reader has caught up may be missed as well.
    let has_caught_up = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let numbers = (STORM..STORM + 600).take_while(|_| !has_caught_up.load(Ordering::Relaxed));
            for number in numbers {
                raise_number(number, &mark);
                thread::sleep(Duration::from_millis(50));
            }
        });
        daemon.wait_for_line(|line| marked(&json(line), &mark).is_some_and(|number| number >= STORM));
        has_caught_up.store(true, Ordering::Relaxed);
    });
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    daemon.wait_for_line(|line| json(line)["kind"] == "totals");
    assert_eq!(flags(&output), flags_before, "at its end");
    assert_eq!(tcgetattr(&output).ok(), termios_before);

    // The other end has come to its end only now.
    drop(output);
    let output = daemon.wait();
    output.assert_fine();
    output.assert_accounts_for_all();
    let totals = output.totals();
    assert!(number(&totals, "received") > STORM && number(&totals, "output_missed_events") > 0, "{totals}");
    assert!(output.numbers(&mark).is_sorted_by(|a, b| a < b), "out of order");
}

#[test]
fn i5_a_pipe_that_is_not_read_loses_no_event() {
    let Some(_turn) = turn_to_raise("a pipe that is not read") else { return };
    let (writer, reader) = unread_pipe();
    storm_into(writer, reader, false);
}

#[test]
fn i5_a_pipe_that_is_non_blocking_already_loses_no_event() {
    let Some(_turn) = turn_to_raise("a non-blocking pipe") else { return };
    let (writer, reader) = unread_pipe();
    set_non_blocking(&writer);
    storm_into(writer, reader, false);
}

#[test]
fn i5_a_terminal_that_is_stopped_loses_no_event() {
    let Some(_turn) = turn_to_raise("a stopped terminal") else { return };
    let (terminal, other_end) = terminal();
    storm_into(terminal, other_end, true);
}

#[test]
fn i5_unread_terminal_loses_no_event() {
    let Some(_turn) = turn_to_raise("a terminal that is not read") else { return };
    let (terminal, other_end) = terminal();
    storm_into(terminal, other_end, false);
}

#[test]
fn a_full_non_blocking_pipe_loses_no_line_while_there_is_room_behind_it() {
    let Some(_turn) = turn_to_raise("lines behind a non-blocking pipe") else { return };
    let (writer, reader) = unread_pipe();
    set_non_blocking(&writer);
    let mut daemon = start(&writer, LARGE);
    drop(writer);
    let mark = mark();
    // The present devices fill the pipe's 64 KiB; these are fewer than those waiting after it.
    (0..200).for_each(|number| raise_number(number, &mark));
    daemon.wait_until_drained();
    daemon.wait_until_asleep("console");
    daemon.read_from(reader);
    daemon.wait_for_line(|line| marked(&json(line), &mark) == Some(199));
    let output = daemon.finish();
    output.assert_fine();
    assert_eq!(output.numbers(&mark), (0..200).collect::<Vec<_>>());
    output.assert_accounts_for_all();
    assert_eq!(number(&output.totals(), "output_dropped_lines"), 0);
}

#[test]
fn i5_a_reader_that_takes_nothing_does_not_prevent_the_end() {
    let Some(_turn) = turn_to_raise("the end in spite of the output") else { return };
    for (output, other_end) in [unread_pipe(), terminal()] {
        let mut daemon = start(&output, LARGE);
        let mark = mark();
        (0..1_000).for_each(|number| raise_number(number, &mark));
        daemon.wait_until_drained();
        daemon.finish().assert_fine();
        drop(other_end);
    }
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let Some(_turn) = turn_to_raise("the end of the reader") else { return };
    let mark = mark();
    // The output goes while the daemon is silent, or while a line waits for it: no further event is
    // needed.
    for events in [0, 1_000] {
        let (writer, reader) = unread_pipe();
        let mut daemon = start(&writer, LARGE);
        drop(writer);
        (0..events).for_each(|number| raise_number(number, &mark));
        daemon.wait_until_drained();
        drop(reader);
        daemon.wait().assert_fine();
    }
}

#[test]
fn a_reader_that_is_gone_is_no_error_of_the_other_commands() {
    for line in ["--help", "run --help", "--version", "size", "size --json"] {
        let code = run(watching_all(line)).code;
        let (writer, reader) = unread_pipe();
        drop(reader);
        let output = Daemon::start_into(watching_all(line), writer).wait();
        assert_eq!((output.code, output.stderr.len()), (code, 0), "{line}: {output:?}");
    }
}

#[test]
fn i5_a_full_disk_does_not_end_it() {
    let Some(_turn) = turn_to_raise("a full disk") else { return };
    let full = OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let mut daemon = start(&full.into(), LARGE);
    let mark = mark();
    (0..1_000).for_each(|number| raise_number(number, &mark));
    assert_eq!(daemon.wait_until_drained().drops, 0);
    daemon.wait_until_asleep("console");
    daemon.finish().assert_fine();
}

#[test]
fn a_line_that_a_full_disk_cut_spoils_no_other() {
    let Some(_turn) = turn_to_raise("a log on a full disk") else { return };
    let disk = SmallDisk::mount();
    let (log, other) = (disk.path().join("log"), disk.path().join("other"));
    fs::write(&other, [0; 8 * 1024]).expect("room for half of it");
    let mut command = watching_all(LARGE);
    command.stdout(OpenOptions::new().append(true).create(true).open(&log).expect("a log"));
    let mark = mark();
    let _daemon = Killed(command.spawn().expect("the daemon starts"));
    let wait_until = |what: &str, holds: &dyn Fn(&str) -> bool| {
        let end = Instant::now() + Duration::from_secs(60);
        while !holds(&fs::read_to_string(&log).unwrap_or_default()) {
            assert!(Instant::now() < end, "waited in vain until {what}");
            thread::sleep(Duration::from_millis(20));
            raise_number(1, &mark);
        }
    };
    wait_until("it is full within a line", &|text| text.len() == 8 * 1024 && !text.ends_with('\n'));
    thread::sleep(Duration::from_millis(200));
    fs::remove_file(&other).expect("room again");
    wait_until("it goes on", &|text| text.contains("output_dropped"));
    let text = fs::read_to_string(&log).expect("lines");
    let is_said = |line: &str| json(line)["kind"] == "output_dropped";
    assert!(text.lines().any(|line| line.contains("output_dropped") && is_said(line)), "{text}");
}

/// Killed when it goes out of scope.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
