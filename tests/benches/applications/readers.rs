//! The readers, and how long an event takes to reach each.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Lines, stdin};
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use nix::time::{ClockId, clock_gettime};
use sureplug_tests::application::Application;
use sureplug_tests::kernel::Listener;
use sureplug_tests::served::{LARGE, Served};

use crate::{PACED, send_paced};

/// What this program is started with to read.
const BARE: &str = "read-netlink";
const SERVED: &str = "read-served";
const RELAYED: &str = "read-relayed";

/// What it is started with to hand every datagram on to its standard input, which is a socket.
const RELAY: &str = "relay";

/// Nanoseconds of the monotonic clock.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("a clock");
    u64::try_from(now.tv_sec() * 1_000_000_000 + now.tv_nsec()).expect("after the boot")
}

/// A number of a datagram or packet.
pub(crate) fn number(packet: &[u8], key: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(packet, key)? + key.len();
    let digits = packet[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// Notes how many microseconds each event took, until all have come.
pub(crate) fn receive(mut next: impl FnMut(&mut [u8]) -> usize, events: u64) -> Vec<f64> {
    let mut latencies = Vec::with_capacity(usize::try_from(events).expect("few"));
    let mut packet = [0; 4_096];
    while (latencies.len() as u64) < events {
        let length = next(&mut packet);
        let now = now_ns();
        assert!(length > 0, "it hung up");
        if let Some(sent) = number(&packet[..length], b"\0SENT_NS=") {
            assert_eq!(
                number(&packet[..length], b"\0NUMBER="),
                Some(latencies.len() as u64),
                "in order, and none missed"
            );
            latencies.push(microseconds(now.saturating_sub(sent)));
        }
    }
    latencies
}

fn microseconds(ns: u64) -> f64 {
    f64::from(u32::try_from(ns).unwrap_or(u32::MAX)) / 1_000.0
}

/// A reader is a process of its own, as on a board: this program with arguments.
struct Reader {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// The line that a reader prints when it listens.
const READY: &str = "ready";

impl Reader {
    fn start(arguments: &[&OsStr]) -> Self {
        Self::start_with(arguments, Stdio::null())
    }

    fn start_with(arguments: &[&OsStr], stdin: Stdio) -> Self {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.args(arguments).stdin(stdin).stdout(Stdio::piped());
        let mut child = command.spawn().expect("this program runs");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        assert_eq!(lines.next().and_then(Result::ok).as_deref(), Some(READY));
        Self { child, lines }
    }

    fn latencies(mut self) -> Vec<f64> {
        let latencies: Vec<f64> =
            self.lines.by_ref().map(|line| line.expect("a line").parse().expect("a number")).collect();
        self.end();
        assert_eq!(latencies.len() as u64, PACED);
        latencies
    }

    fn end(mut self) {
        assert!(self.child.wait().expect("it ends").success());
    }
}

/// Reads as the arguments request, and prints how long each event took; `None` without such
/// arguments.
pub(crate) fn read() -> Option<()> {
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
        RELAYED => {
            let (ours, theirs) =
                socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
                    .expect("a pair");
            let relay = Reader::start_with(&[RELAY.as_ref()], theirs.into());
            println!("{READY}");
            let next = |into: &mut [u8]| recv(ours.as_raw_fd(), into, MsgFlags::empty()).unwrap_or_default();
            let latencies = receive(next, PACED);
            relay.end();
            latencies
        }
        RELAY => {
            let listener = Listener::of_everything();
            println!("{READY}");
            let (to, mut packet) = (stdin(), [0; 4_096]);
            for _ in 0..PACED {
                let length = listener.wait_and_receive(&mut packet);
                send(to.as_fd().as_raw_fd(), &packet[..length], MsgFlags::empty()).expect("it reads");
            }
            Vec::new()
        }
        _ => return None,
    };
    for latency in latencies {
        println!("{latency}");
    }
    Some(())
}

pub(crate) fn bare() -> Vec<f64> {
    let reader = Reader::start(&[BARE.as_ref()]);
    send_paced();
    reader.latencies()
}

/// The least that anything can do that stands between the kernel and an application.
pub(crate) fn relayed() -> Vec<f64> {
    let reader = Reader::start(&[RELAYED.as_ref()]);
    send_paced();
    reader.latencies()
}

pub(crate) fn applications(count: usize) -> Vec<f64> {
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

pub(crate) fn udevadm() -> Vec<f64> {
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
                } else if let Some(sent) = line.strip_prefix("SENT_NS=") {
                    latencies.push((received - sent.parse::<f64>().expect("a time") / 1_000.0).max(0.0));
                    if latencies.len() as u64 == PACED {
                        break;
                    }
                }
            }
            latencies
        });
        // Its first lines show that it listens.
        while !ready.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(50));
        send_paced();
        reader.join().expect("no panic")
    })
}
