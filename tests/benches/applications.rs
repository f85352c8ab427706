//! From the kernel's send to an application's receive: the time that an event takes through the daemon, against that to
//! a bare netlink reader and to `udevadm monitor --kernel`, one after the other in each round. Fails if the median of
//! one application is more times the bare reader's than its limit, or if the socket loses anything.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{array, env, thread};

use sureplug_tests::application::Application;
use sureplug_tests::daemon::now_us;
use sureplug_tests::kernel::{Injector, Listener, own_network_namespace};
use sureplug_tests::served::{LARGE, Served};
use sureplug_tests::timing::median;

/// Times the bare reader's median that one application is to have: three wake-ups in a row instead of one.
const GOAL: f64 = 3.0;

/// More than that was never seen, with both processors idle or busy: then something has got slower.
const LIMIT: f64 = 8.0;

const ROUNDS: usize = 7;

/// Events of a round, and how many a second.
const PACED: u64 = 1_000;
const RATE: u32 = 1_000;

/// Events of a storm.
const STORM: u32 = 20_000;

/// Those who are measured.
const NAMES: [&str; 4] = ["bare netlink reader", "udevadm monitor", "1 application", "16 applications"];

/// What this program is started with to read.
const BARE: &str = "read-netlink";
const SERVED: &str = "read-served";

fn main() -> ExitCode {
    if read().is_some() {
        return ExitCode::SUCCESS;
    }
    let Some(_turn) = own_network_namespace("the bench of applications") else { return ExitCode::SUCCESS };
    let has_udevadm = Command::new("udevadm").arg("--version").output().is_ok();
    let mut rounds: Vec<[[f64; 2]; 4]> = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(array::from_fn(|who| {
            let mut latencies = match who {
                0 => bare(),
                1 if has_udevadm => udevadm(),
                1 => vec![f64::NAN],
                2 => applications(1),
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
    println!("{RATE} events a second, medians of {ROUNDS} rounds, in microseconds and as ratios");
    for (who, name) in NAMES.iter().enumerate() {
        println!(
            "{name:<20} p50 {:>6.0}  p99 {:>6.0}   {:.2} and {:.2} times the bare reader's, {:.2} and {:.2} times udevadm's",
            of(who, 0),
            of(who, 1),
            ratio(who, 0, 0),
            ratio(who, 1, 0),
            ratio(who, 0, 1),
            ratio(who, 1, 1)
        );
    }
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
    let worst = ratio(2, 0, 0);
    println!(
        "one application: {worst:.2} times the bare reader's median (the goal is {GOAL}, the limit {LIMIT})"
    );
    if worst <= LIMIT { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn event(number: u64) -> Vec<u8> {
    let path = "/devices/virtual/net/lo";
    // As long as one of a USB interface.
    let filler = "usb:v46F4p0001d0000dc00dsc00dp00ic08isc06ip50in00";
    format!(
        "change@{path}\0ACTION=change\0DEVPATH={path}\0SUBSYSTEM=net\0INTERFACE=lo\0IFINDEX=1\0MODALIAS={filler}\0\
         NUMBER={number}\0SENT_US={}\0",
        now_us()
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

/// A number of a datagram or packet.
fn number(packet: &[u8], key: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(packet, key)? + key.len();
    let digits = packet[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// Notes when each event comes, until all have.
fn receive(mut next: impl FnMut(&mut [u8]) -> usize, events: u64) -> Vec<f64> {
    let mut latencies = Vec::with_capacity(usize::try_from(events).expect("few"));
    let mut packet = [0; 4_096];
    while (latencies.len() as u64) < events {
        let length = next(&mut packet);
        let now = now_us();
        assert!(length > 0, "it hung up");
        if let Some(sent) = number(&packet[..length], b"\0SENT_US=") {
            assert_eq!(
                number(&packet[..length], b"\0NUMBER="),
                Some(latencies.len() as u64),
                "in order, and none missed"
            );
            latencies.push(f64::from(u32::try_from(now.saturating_sub(sent)).unwrap_or(u32::MAX)));
        }
    }
    latencies
}

/// Whoever reads is a process of its own, as on a board: this program, with what it reads as its arguments.
struct Reader {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// What a reader says when it listens.
const READY: &str = "ready";

impl Reader {
    fn start(arguments: &[&OsStr]) -> Self {
        let mut command = Command::new(env::current_exe().expect("this program"));
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().expect("this program runs");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        assert_eq!(lines.next().and_then(Result::ok).as_deref(), Some(READY));
        Self { child, lines }
    }

    fn latencies(mut self) -> Vec<f64> {
        let latencies: Vec<f64> =
            self.lines.map(|line| line.expect("a line").parse().expect("a number")).collect();
        assert!(self.child.wait().expect("it ends").success() && latencies.len() as u64 == PACED);
        latencies
    }
}

/// Reads, as the arguments say, and says how long each event took; `None` without such arguments.
fn read() -> Option<()> {
    let mut arguments = env::args_os().skip(1);
    let kind = arguments.next()?;
    let latencies = match kind.to_str()? {
        BARE => {
            let listener = Listener::of_everything();
            println!("{READY}");
            receive(|into| listener.wait_and_receive(into), PACED)
        }
        SERVED => {
            let path = PathBuf::from(arguments.next()?);
            let mut client = Application::connect(&path, "SNAPSHOT=no\nSUBSYSTEM=net").expect("it serves");
            client.receive_until_marker("end");
            println!("{READY}");
            receive(|into| client.receive_bytes(into), PACED)
        }
        _ => return None,
    };
    for latency in latencies {
        println!("{latency}");
    }
    Some(())
}

fn bare() -> Vec<f64> {
    let reader = Reader::start(&[BARE.as_ref()]);
    send_paced();
    reader.latencies()
}

fn applications(count: usize) -> Vec<f64> {
    let served = Served::start(LARGE);
    let path = served.path();
    let readers: Vec<_> = (0..count).map(|_| Reader::start(&[SERVED.as_ref(), path.as_os_str()])).collect();
    send_paced();
    readers.into_iter().flat_map(Reader::latencies).collect()
}

/// Killed when it goes out of scope.
struct Udevadm(Child);

impl Drop for Udevadm {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn udevadm() -> Vec<f64> {
    let mut command = Command::new("udevadm");
    command.args(["monitor", "--kernel", "--property"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = Udevadm(command.spawn().expect("udevadm"));
    let lines = BufReader::new(child.0.stdout.take().expect("a pipe")).lines();
    let ready = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut latencies = Vec::new();
            let mut received: f64 = 0.0;
            for line in lines.map_while(Result::ok) {
                ready.store(true, Ordering::Relaxed);
                // When it has received it, by its own clock, which is this one: KERNEL[24230.757985] change …
                if let Some(text) = line.strip_prefix("KERNEL[") {
                    let stamp = text.split(']').next().unwrap_or_default().replace('.', "");
                    received = stamp.parse().expect("a time");
                } else if let Some(sent) = line.strip_prefix("SENT_US=") {
                    latencies.push((received - sent.parse::<f64>().expect("a time")).max(0.0));
                    if latencies.len() as u64 == PACED {
                        break;
                    }
                }
            }
            latencies
        });
        // Its first lines say that it listens.
        while !ready.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(50));
        send_paced();
        reader.join().expect("no panic")
    })
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

/// What the client does not take in time is told as missed, and counted here: it is not waited for.
fn storm_application(missed: &mut u64) -> f64 {
    let served = Served::start(LARGE);
    let mut client = served.connect("SNAPSHOT=no\nSUBSYSTEM=net");
    client.receive_until_marker("end");
    let rate = storm(|| {
        let (mut heard, mut packet) = (0, [0; 4_096]);
        while heard + *missed < u64::from(STORM) {
            let length = client.receive_bytes(&mut packet);
            assert!(length > 0, "it hung up");
            heard += u64::from(number(&packet[..length], b"\0SENT_US=").is_some());
            *missed += number(&packet[..length], b"\0SUREPLUG_MISSED=").unwrap_or(0);
        }
    });
    assert_eq!(served.figure("LOST"), 0, "the socket lost something");
    rate
}
