//! A million events in one run: each is received or counted as lost, and no memory grows.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::Signal;
use sureplug_tests::daemon::{Daemon, memory, watching_all};
use sureplug_tests::kernel::{Injector, Listener, own_sysfs};

const EVENTS: u32 = 1_000_000;

/// More events than the daemon's buffer takes while it is stopped.
const OVERRUN: u32 = 10_000;

/// Devices that sysfs does not show, of a class that it has, and things that are no devices.
fn event(number: u32) -> Vec<u8> {
    let device = number / 4 % 100;
    let (action, path, subsystem) = match number % 4 {
        0 => ("add", format!("/devices/virtual/net/fake{device}"), "net"),
        1 => ("change", format!("/devices/virtual/net/fake{device}"), "net"),
        2 => ("remove", format!("/devices/virtual/net/fake{device}"), "net"),
        _ => ("add", format!("/module/fake{device}"), "module"),
    };
    let index = 1_000_000 + number;
    format!("{action}@{path}\0ACTION={action}\0DEVPATH={path}\0SUBSYSTEM={subsystem}\0IFINDEX={index}\0")
        .into_bytes()
}

#[test]
fn i2_i6_a_million_events_are_received_or_lost_and_memory_stays() {
    let Some(_turn) = own_sysfs("a million events") else { return };
    let reference = Listener::of_everything();
    let daemon = Daemon::start(watching_all(""));
    daemon.wait_until_scanned();
    let over = AtomicBool::new(false);
    let mut samples = Vec::new();
    let sent = thread::scope(|scope| {
        let counting = scope.spawn(|| {
            let mut sent = 0;
            while !over.load(Ordering::Relaxed) {
                sent += reference.count();
                thread::yield_now();
            }
            sent + reference.count()
        });
        let injector = Injector::new();
        // Memory that only a resync needs is used before the first sample is taken.
        daemon.stop();
        for number in 0..OVERRUN {
            injector.send(&event(number));
        }
        daemon.signal(Signal::SIGCONT);
        daemon.wait_for_line(|line| line.contains("repaired: "));
        for number in 0..EVENTS {
            injector.send(&event(number));
            if number % 100_000 == 99_999 {
                samples.push(memory(daemon.pid()));
            }
        }
        over.store(true, Ordering::Relaxed);
        counting.join().expect("it counted")
    });
    let output = daemon.finish();
    output.assert_fine();
    let totals = output.stdout.iter().find(|line| line.starts_with("sureplug: received ")).expect("totals");
    let counted: u64 = ["received ", "lost ", "malformed ", "truncated "]
        .iter()
        .map(|key| {
            let behind = totals.split(key).nth(1).expect("a number");
            behind.split(',').next().expect("a number").parse::<u64>().expect("a number")
        })
        .sum();
    assert!(sent >= u64::from(OVERRUN + EVENTS));
    assert_eq!(counted, sent, "{totals}");
    assert!(!totals.contains("lost 0,"), "nothing was lost: {totals}");
    let (first, last) = (samples[0], samples[samples.len() - 1]);
    println!(
        "{sent} events: {totals}; private memory {} kB behind 100,000 events, {} kB behind all, {} kB of it not the \
         program's file",
        first.private_kb, last.private_kb, last.anonymous_kb
    );
    // All memory is had at the start; what is used of it for the first time may still come.
    assert!(last.anonymous_kb <= first.anonymous_kb + 16, "it grows: {samples:?}");
    // Without the program's file, whose share depends on the page cache.
    assert!(last.anonymous_kb <= 768, "{last:?}");
}
