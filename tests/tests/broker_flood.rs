//! Clients that come and go by the thousand beside a storm: nothing is lost, and no descriptor is left.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sureplug_tests::application::Delivered;
use sureplug_tests::kernel::{mark, namespace, own_sysfs, raise};
use sureplug_tests::served::{LARGE, Served};

const LASTS: Duration = Duration::from_secs(10);

fn descriptors(served: &Served) -> usize {
    fs::read_dir(format!("/proc/{}/fd", served.daemon.pid())).expect("a process").count()
}

/// Does something at this rate per second, and returns how often it was done.
fn at_a_rate(rate: u32, mut each: impl FnMut(u32)) -> u32 {
    let begun = Instant::now();
    let mut done = 0;
    while begun.elapsed() < LASTS {
        each(done);
        done += 1;
        thread::sleep((Duration::from_secs(1) * done / rate).saturating_sub(begun.elapsed()));
    }
    done
}

#[test]
fn i5_a_thousand_connections_a_second_beside_a_storm_lose_nothing_and_leak_nothing() {
    let Some(_turn) = own_sysfs("a thousand connections a second") else { return };
    let served = Served::start(LARGE);
    let mut steady = served.connect("SNAPSHOT=no\nSUBSYSTEM=mem");
    steady.receive_until_marker("end");
    let before = descriptors(&served);
    let mark = mark();
    let ended = AtomicBool::new(false);
    let raised = AtomicU64::new(0);
    let (quick, whole) = thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                raise("change", &mark, "");
                raised.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_micros(200));
            }
        });
        let quick = scope.spawn(|| at_a_rate(1_000, |_| drop(served.connect("SNAPSHOT=no"))));
        let whole = scope.spawn(|| {
            namespace::enter().expect("a namespace");
            at_a_rate(50, |number| {
                let mut application =
                    served.connect("SUBSYSTEM=tty\nSUBSYSTEM=block\nSUBSYSTEM=event_source");
                // Some read it all, some go in the midst of it; where too many are there, an error is all.
                let is_last = |delivered: &Delivered| matches!(delivered.action.as_str(), "end" | "error");
                application.receive_until(|delivered| {
                    is_last(delivered) || number % 2 == 0 && delivered.action != "begin"
                });
            })
        });
        // It receives all events meanwhile.
        let mut received = 0;
        loop {
            if let Some(delivered) = steady.take().expect("it is served") {
                received += u64::from(delivered.get("SYNTH_UUID") == mark);
                continue;
            }
            if quick.is_finished() && whole.is_finished() {
                ended.store(true, Ordering::Relaxed);
                if received == raised.load(Ordering::Relaxed) {
                    break;
                }
            }
            steady.wait(Duration::from_millis(20));
        }
        (quick.join().expect("no panic"), whole.join().expect("no panic"))
    });
    println!("{quick} and {whole} connections, {} events", raised.load(Ordering::Relaxed));
    assert!(quick > 9_000 && whole > 400, "not what was wanted: {quick} and {whole}");
    assert_eq!(steady.missed, 0);
    let deadline = Instant::now() + Duration::from_secs(5);
    while descriptors(&served) != before {
        assert!(Instant::now() < deadline, "{} descriptors, and {before} before", descriptors(&served));
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!((served.figure("CLIENTS"), served.figure("LOST")), (1, 0));
    assert!(served.figure("CONNECTIONS") >= u64::from(quick + whole));
    let output = served.finish();
    output.assert_fine();
}
