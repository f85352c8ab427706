//! What goes on while little happens: idle time is no stall, and rare events do not keep the settle scan away.

use std::thread;
use std::time::Duration;

use sureplug_tests::daemon::{Daemon, hears_all, number, raise_number};
use sureplug_tests::kernel::{mark, own_sysfs};
use sureplug_tests::privilege::turn_to_raise;
use sureplug_tests::stand_in::StandIn;

#[test]
fn i8_the_longest_stall_has_no_idle_time_in_it() {
    let Some(_turn) = own_sysfs("an event after a pause") else { return };
    let daemon = Daemon::start(hears_all("--json"));
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
fn i3_one_event_a_second_does_not_keep_the_settle_scan_away() {
    let Some(_turn) = turn_to_raise("an event a second") else { return };
    let sysfs = StandIn::new();
    let daemon = Daemon::start(hears_all(&format!("--json --sysfs {}", sysfs.path().display())));
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
