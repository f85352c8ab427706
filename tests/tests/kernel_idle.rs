//! What goes on while little happens: idle time is no stall, and rare events do not keep the settle scan away.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sureplug_tests::daemon::{Daemon, json, number, raise_number, watching_all};
use sureplug_tests::kernel::devices::NetDevice;
use sureplug_tests::kernel::{Injector, mark, own_sysfs};
use sureplug_tests::privilege::turn_to_raise;
use sureplug_tests::stand_in::StandIn;

#[test]
fn i8_the_longest_stall_has_no_idle_time_in_it() {
    let Some(_turn) = own_sysfs("an event after a pause") else { return };
    let daemon = Daemon::start(watching_all("--json"));
    daemon.wait_until_scanned();
    thread::sleep(Duration::from_secs(6));
    let mark = mark();
    raise_number(0, &mark);
    daemon.wait_for_line(|line| line.contains(&mark));
    let output = daemon.finish();
    output.assert_fine();
    let stall = number(&output.totals(), "longest_stall_us");
    assert!(stall < 2_000_000, "{stall} us");
}

#[test]
fn i3_settle_scan_runs_despite_an_event_a_second() {
    let Some(_turn) = turn_to_raise("an event a second") else { return };
    let sysfs = StandIn::new();
    let daemon = Daemon::start(watching_all(&format!("--json --sysfs {}", sysfs.path().display())));
    daemon.wait_until_scanned();
    sysfs.plug("class/net/eth9", "/devices/pci0/net/eth9", "INTERFACE=eth9\nIFINDEX=9\n");
    let mark = mark();
    for event in 0..14 {
        raise_number(event, &mark);
        thread::sleep(Duration::from_secs(1));
    }
    // The last event was a second ago: the burst is not over.
    let output = daemon.finish();
    output.assert_fine();
    let found = output.objects("unreported");
    assert_eq!(found.len(), 1, "{output:#?}");
    assert_eq!(number(&found[0], "added"), 1);
}

#[test]
fn i3_a_stop_inside_a_scan_does_not_put_off_the_next_resync() {
    let Some(_turn) = own_sysfs("a stop inside a scan") else { return };
    let mut command = Command::new(env!("CARGO_BIN_EXE_small_buffer"));
    command.arg("2304");
    let daemon = Daemon::start(command);
    daemon.wait_until_scanned();
    let injector = Injector::new();
    let storm = || {
        for _ in 0..100 {
            injector.send(b"change@/module/x\0ACTION=change\0DEVPATH=/module/x\0SUBSYSTEM=module\0");
        }
    };
    daemon.stop();
    storm();
    daemon.signal(Signal::SIGCONT);
    // The scan takes longer than that.
    thread::sleep(Duration::from_millis(2));
    daemon.stop();
    storm();
    let taps: Vec<_> = (0..20).map(|n| NetDevice::tap(&format!("stop{n}")).expect("a tap")).collect();
    thread::sleep(Duration::from_secs(6));
    let continued = Instant::now();
    daemon.signal(Signal::SIGCONT);
    for tap in 0..20 {
        daemon.wait_for_line(|line| json(line)["devpath"] == format!("/devices/virtual/net/stop{tap}"));
    }
    assert!(continued.elapsed() < Duration::from_secs(10), "{:?}", continued.elapsed());
    daemon.finish().assert_fine();
    drop(taps);
}
