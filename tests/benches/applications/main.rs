//! From the kernel's send to an application's receive: the time that an event takes through the daemon, against that to
//! a bare netlink reader, to `udevadm monitor --kernel`, and through a relay that does nothing but hand it on, one after the
//! other in each round. Ratios of times, and no limit. Fails if the socket loses anything.

mod readers;

use std::process::Command;
use std::time::{Duration, Instant};
use std::{array, env, thread};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use sureplug_tests::kernel::{Injector, Listener, own_network_namespace};
use sureplug_tests::served::{LARGE, Served};
use sureplug_tests::timing::median;

use readers::{applications, bare, now_ns, number, read, receive, relayed, udevadm};

/// Odd, so that the median is one of them.
const ROUNDS: usize = 3;

/// Events of a round, and how many a second.
const PACED: u64 = 500;
const RATE: u32 = 1_000;

/// Events of a storm.
const STORM: u32 = 20_000;

/// The readers that are measured.
const NAMES: [&str; 5] =
    ["bare netlink reader", "udevadm monitor", "a bare relay", "1 application", "16 applications"];

/// This process and its children.
const SELF: Pid = Pid::from_raw(0);

fn main() {
    if read().is_some() {
        return;
    }
    let Some(_turn) = own_network_namespace("the bench of applications") else { return };
    let has_udevadm = Command::new("udevadm").arg("--version").output().is_ok();
    let spread = latencies("as the kernel spreads them", has_udevadm);
    let processors = sched_getaffinity(SELF).expect("this process");
    let mut first = CpuSet::new();
    let number = (0..CpuSet::count()).find(|number| processors.is_set(*number) == Ok(true));
    first.set(number.expect("a processor")).expect("a number");
    sched_setaffinity(SELF, &first).expect("one of its own");
    let worst = latencies("all on one processor", has_udevadm);
    sched_setaffinity(SELF, &processors).expect("as before");
    if !has_udevadm {
        println!("NOT RUN: udevadm monitor: it needs the package udev");
        assert_ne!(env::var("CI").as_deref(), Ok("true"), "udevadm must run here");
    }
    let mut missed = [0; ROUNDS];
    let storms: Vec<[f64; 2]> =
        missed.iter_mut().map(|missed| [storm_bare(), storm_application(missed)]).collect();
    let of = |who: usize| median(storms.iter().map(|storm| storm[who]).collect());
    let share = median(storms.iter().map(|storm| storm[1] / storm[0]).collect());
    println!(
        "a storm of {STORM}: {:.0} events a second to the bare reader, {:.0} through the daemon: {share:.2} of it; nothing \
         lost, and in the rounds {missed:?} told to the application as missed",
        of(0),
        of(1)
    );
    println!(
        "one application: {worst:.2} times the bare reader's median on one processor, {spread:.2} as the kernel spreads them"
    );
}

/// Measures all of them, and returns how many times the bare reader's median one application has.
fn latencies(where_they_run: &str, has_udevadm: bool) -> f64 {
    let mut rounds: Vec<[[f64; 2]; NAMES.len()]> = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(array::from_fn(|who| {
            let mut latencies = match who {
                0 => bare(),
                1 if has_udevadm => udevadm(),
                1 => vec![f64::NAN],
                2 => relayed(),
                3 => applications(1),
                _ => applications(16),
            };
            latencies.sort_by(f64::total_cmp);
            [50, 99].map(|percent| latencies[(latencies.len() - 1) * percent / 100])
        }));
    }
    let of = |who: usize, which: usize| median(rounds.iter().map(|round| round[who][which]).collect());
    let ratio = |who: usize, which: usize, to: usize| {
        median(rounds.iter().map(|round| round[who][which] / round[to][which]).collect())
    };
    println!(
        "{RATE} events a second, {where_they_run}: medians of {ROUNDS} rounds, in microseconds and as ratios"
    );
    for (who, name) in NAMES.iter().enumerate() {
        println!(
            "{name:<20} p50 {:>6.1}  p99 {:>6.1}   {:.2} and {:.2} times the bare reader's, {:.2} and {:.2} times udevadm's",
            of(who, 0),
            of(who, 1),
            ratio(who, 0, 0),
            ratio(who, 1, 0),
            ratio(who, 0, 1),
            ratio(who, 1, 1)
        );
    }
    ratio(3, 0, 0)
}

fn event(number: u64) -> Vec<u8> {
    let path = "/devices/virtual/net/lo";
    // As long as one of a USB interface.
    let filler = "usb:v46F4p0001d0000dc00dsc00dp00ic08isc06ip50in00";
    format!(
        "change@{path}\0ACTION=change\0DEVPATH={path}\0SUBSYSTEM=net\0INTERFACE=lo\0IFINDEX=1\0MODALIAS={filler}\0\
         NUMBER={number}\0SENT_NS={}\0",
        now_ns()
    )
    .into_bytes()
}

/// Sends the events of a round, evenly.
fn send_paced() {
    let injector = Injector::new();
    let begun = Instant::now();
    for number in 0..PACED {
        let due = Duration::from_secs(1) * u32::try_from(number).expect("few") / RATE;
        thread::sleep(due.saturating_sub(begun.elapsed()));
        injector.send(&event(number));
    }
}

/// Sends all without a pause while the other reads; events a second until all have come.
fn storm(receive_all: impl FnOnce() + Send) -> f64 {
    let begun = Instant::now();
    thread::scope(|scope| {
        scope.spawn(receive_all);
        let injector = Injector::new();
        (0..STORM).for_each(|number| injector.send(&event(number.into())));
    });
    f64::from(STORM) / begun.elapsed().as_secs_f64()
}

fn storm_bare() -> f64 {
    let listener = Listener::of_everything();
    storm(|| drop(receive(|into| listener.wait_and_receive(into), STORM.into())))
}

/// Events that the client does not take in time are counted here as missed: the storm does not wait
/// for it.
fn storm_application(missed: &mut u64) -> f64 {
    let served = Served::start(LARGE);
    let mut client = served.connect("SNAPSHOT=no\nSUBSYSTEM=net");
    client.receive_until_marker("end");
    let rate = storm(|| {
        let (mut heard, mut packet) = (0, [0; 4_096]);
        while heard + *missed < u64::from(STORM) {
            let length = client.receive_bytes(&mut packet);
            assert!(length > 0, "it hung up");
            heard += u64::from(number(&packet[..length], b"\0SENT_NS=").is_some());
            *missed += number(&packet[..length], b"\0SUREPLUG_MISSED=").unwrap_or(0);
        }
    });
    assert_eq!(served.figure("LOST"), 0, "the socket lost something");
    rate
}
