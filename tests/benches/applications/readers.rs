//! Whoever reads: what each of them is, and how long an event takes to it.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use sureplug_tests::application::Application;
use sureplug_tests::daemon::now_us;
use sureplug_tests::kernel::Listener;
use sureplug_tests::served::{LARGE, Served};

use crate::{PACED, send_paced};

/// What this program is started with to read.
const BARE: &str = "read-netlink";
const SERVED: &str = "read-served";

/// A number of a datagram or packet.
pub(crate) fn number(packet: &[u8], key: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(packet, key)? + key.len();
    let digits = packet[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// Notes when each event comes, until all have.
pub(crate) fn receive(mut next: impl FnMut(&mut [u8]) -> usize, events: u64) -> Vec<f64> {
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
