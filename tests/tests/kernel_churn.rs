//! I2, I3, I4 on real devices that come and go by the thousand, with a buffer that overruns all the time
//! and a daemon that is stopped and continued at random.

use std::fs::File;
use std::io::pipe;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use sureplug_tests::daemon::{Daemon, Output, number};
use sureplug_tests::kernel::{Listener, namespace, own_sysfs};
use sureplug_tests::privilege::turn_to_raise;
use sureplug_tests::sysfs_truth::assert_true;

const SEEDS: u32 = 50;
/// Each has a namespace of its own; the kernel makes them wait more than they compute.
const AT_ONCE: usize = 4;
const PROCESSES: u32 = 3;
const STEPS: u32 = 60;
/// What is asked for with `SO_RCVBUF`: the mission's, which the kernel raises to its floor, and some more.
const RCVBUFS: [u32; 4] = [1_024, 3_000, 8_000, 30_000];

/// The next of a row of numbers that look random.
fn random(state: &mut u32, below: u32) -> u32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*state >> 8) % below
}

fn pause(state: &mut u32, below_ms: u32) {
    thread::sleep(Duration::from_millis(random(state, below_ms).into()));
}

/// Ends with the test in any case.
struct Storm(Vec<Child>);

impl Storm {
    /// Several processes make, rename and delete devices of the same names.
    fn start(seed: u32, loops: Option<u32>) -> Self {
        let child = |process: u32| {
            let seed = seed * PROCESSES + process;
            let mut command = Command::new(env!("CARGO_BIN_EXE_make_devices"));
            command.args([seed.to_string(), STEPS.to_string(), String::from("churn")]);
            command.args(loops.map(|first| first.to_string()));
            command.stdout(Stdio::null()).spawn().expect("a process")
        };
        Self((0..PROCESSES).map(child).collect())
    }

    fn is_over(&mut self) -> bool {
        self.0.iter_mut().all(|child| match child.try_wait().expect("a child") {
            Some(status) => {
                assert!(status.success(), "{status}");
                true
            }
            None => false,
        })
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn small_buffer(seed: u32) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_small_buffer"));
    command.arg(RCVBUFS[seed as usize % RCVBUFS.len()].to_string());
    command
}

/// Stops and continues the daemon at random until the storm is over.
fn disturb(daemon: &Daemon, storm: &mut Storm, state: &mut u32) {
    while !storm.is_over() {
        daemon.stop();
        pause(state, 60);
        daemon.signal(Signal::SIGCONT);
        pause(state, 40);
    }
}

/// What was printed is well-formed throughout, ends with the truth, and accounts for each event that was sent.
fn judge(output: &Output, sent: u64, what: &str) {
    output.assert_fine();
    assert_true(&output.fold(), Path::new("/sys"), what);
    let totals = output.totals();
    let counted: u64 =
        ["received", "lost", "malformed", "truncated"].iter().map(|k| number(&totals, k)).sum();
    assert_eq!(counted, sent, "{what}: {totals}");
}

/// One storm in this thread's namespace. Returns the numbers of events sent, of events lost, and of
/// resyncs.
fn churn(seed: u32) -> [u64; 3] {
    let mut state = seed;
    let reference = Listener::of_everything();
    let daemon = Daemon::start(small_buffer(seed));
    daemon.wait_until_scanned();
    let mut storm = Storm::start(seed, None);
    disturb(&daemon, &mut storm, &mut state);
    // Ended at once, or when it has come to rest.
    if seed.is_multiple_of(2) {
        pause(&mut state, 400);
    }
    let output = daemon.finish();
    let sent = reference.count();
    judge(&output, sent, &format!("seed {seed}"));
    let totals = output.totals();
    [sent, number(&totals, "lost"), number(&totals, "repairs")]
}

#[test]
fn i3_i4_fifty_storms_of_devices_end_with_the_truth() {
    let Some(_turn) = turn_to_raise("storms of devices") else { return };
    let next = Mutex::new(0..SEEDS);
    let sums: Vec<[u64; 3]> = thread::scope(|scope| {
        let run = || {
            namespace::enter().expect("namespaces of its own");
            let mut sums = [0; 3];
            loop {
                let Some(seed) = next.lock().expect("no other thread panicked").next() else { return sums };

                for (sum, more) in sums.iter_mut().zip(churn(seed)) {
                    *sum += more;
                }
            }
        };
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().expect("all is true")).collect()
    });
    let [sent, lost, repairs] = [0, 1, 2].map(|i| sums.iter().map(|sums| sums[i]).sum::<u64>());
    println!("{sent} events in {SEEDS} storms, {lost} of them lost, {repairs} repairs");
    assert!(lost > sent / 100 && repairs >= u64::from(SEEDS), "{lost} of {sent} lost, {repairs} repairs");
}

#[test]
fn i3_i4_with_loop_devices_and_a_reader_that_is_stopped_for_a_while() {
    let Some(_turn) = own_sysfs("storms behind a stopped reader") else { return };
    for seed in 100..104 {
        let mut state = seed;
        let reference = Listener::of_everything();
        let (reader, writer) = pipe().expect("a pipe");
        let mut daemon = Daemon::start_into(small_buffer(seed), OwnedFd::from(writer));
        daemon.wait_until_it_reads();
        let mut storm = Storm::start(seed, Some(200));
        disturb(&daemon, &mut storm, &mut state);
        daemon.read_from(File::from(OwnedFd::from(reader)));
        let mut again = Storm::start(seed + 1_000, Some(200));
        disturb(&daemon, &mut again, &mut state);
        let output = daemon.finish();
        judge(&output, reference.count(), &format!("seed {seed}"));
        let clean = Command::new(env!("CARGO_BIN_EXE_make_devices")).args(["clean", "churn", "200"]).status();
        assert!(clean.expect("a process").success());
    }
}

#[test]
fn i3_killed_in_the_middle_and_started_again_the_first_scan_is_the_truth() {
    let Some(_turn) = own_sysfs("a kill in a storm") else { return };
    for seed in 200..203 {
        let mut state = seed;
        let mut storm = Storm::start(seed, None);
        let first = Daemon::start(small_buffer(seed));
        first.wait_until_scanned();
        pause(&mut state, 500);
        first.signal(Signal::SIGKILL);
        let killed = first.wait();
        assert_eq!(killed.signal, Some(9));
        // Its output is well-formed up to the last line, which may be torn.
        let whole = killed.stdout.len().saturating_sub(1);
        let killed = Output { stdout: killed.stdout[..whole].to_vec(), ..killed };
        let _ = killed.fold();

        let second = Daemon::start(small_buffer(seed));
        second.wait_until_scanned();
        disturb(&second, &mut storm, &mut state);
        let output = second.finish();
        output.assert_fine();
        assert_true(&output.fold(), Path::new("/sys"), &format!("seed {seed}"));
    }
}
