//! I6: what 16 applications take of a board's memory.

use sureplug_tests::daemon::memory;
use sureplug_tests::kernel::{Injector, own_sysfs};
use sureplug_tests::served::Served;
use sureplug_tests::stand_in::StandIn;

const DEVICES: u32 = 256;

/// In kB, of which 660 are used on one machine and 708 on another. The pages of the program come on top: how many of them
/// count depends on the page cache, and `tests/run size` limits the program.
const LIMIT: u64 = 768;

/// Devpath and index of one of them.
fn device(number: u32) -> (String, String) {
    (format!("/devices/pci0000:00/0000:00:1d.0/usb1/1-1/1-1.{number}"), format!("{:03}", number + 1))
}

#[test]
fn i6_sixteen_clients_and_256_devices_stay_within_768_kb() {
    let Some(_turn) = own_sysfs("the memory of 16 clients") else { return };
    let sysfs = StandIn::new();
    for number in 0..DEVICES {
        let (devpath, index) = device(number);
        let uevent = format!(
            "DEVTYPE=usb_device\nDRIVER=usb\nPRODUCT=46f4/1/0\nTYPE=0/0/0\nBUSNUM=001\nDEVNUM={index}\n"
        );
        sysfs.plug(&format!("bus/usb/devices/1-1.{number}"), &devpath, &uevent);
    }
    let served = Served::start(&format!("--ports 4 --sysfs {}", sysfs.path().display()));
    let alone = memory(served.daemon.pid());
    let mut clients: Vec<_> = (0..16)
        .map(|number| {
            // Selections as long as they can be, which are kept as well.
            let mut names = vec!["SUBSYSTEM=usb".to_owned()];
            names.extend((0..15).map(|name| format!("SUBSYSTEM=a-subsystem-of-{number:02}-and-{name:02}")));
            served.connect(&names.join("\n"))
        })
        .collect();
    for client in &mut clients {
        client.receive_until_marker("end");
        assert_eq!(client.fold.present.len(), DEVICES as usize);
    }
    let injector = Injector::new();
    let mut after_storm = alone;
    for round in 0..40 {
        for number in 0..DEVICES {
            let (path, index) = device(number);
            let text = format!(
                "change@{path}\0ACTION=change\0DEVPATH={path}\0SUBSYSTEM=usb\0DEVTYPE=usb_device\0PRODUCT=46f4/1/0\0BUSNUM=001\0DEVNUM={index}\0ROUND={round}\0"
            );
            injector.send(text.as_bytes());
        }
        // Most keep up; the first does not read at all.
        for client in &mut clients[1..] {
            while let Some(Some(_)) = client.take() {}
        }
        after_storm = memory(served.daemon.pid());
    }
    println!("{alone:?} without clients, {after_storm:?} with 16 behind a storm");
    assert!(after_storm.anonymous_kb <= LIMIT, "{after_storm:?}, of {LIMIT} kB at most");
    assert_eq!(served.figure("CLIENTS"), 16);
    served.finish().assert_fine();
}
