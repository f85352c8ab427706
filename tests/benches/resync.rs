//! How long a resync takes, from the first look at sysfs to the last delivery, and how that grows with the number
//! of devices. Fails if a scan makes more system calls for each device than its limit.

use std::path::Path;
use std::process::{Command, ExitCode};

use nix::sys::signal::Signal;
use sureplug_tests::daemon::{Daemon, json, number, sureplug};
use sureplug_tests::kernel::devices::{NetDevice, delete_together};
use sureplug_tests::kernel::{Injector, own_sysfs};
use sureplug_tests::limits::{SCAN, system_calls};
use sureplug_tests::stand_in::StandIn;

/// Odd, so that the median is one of them.
const ROUNDS: usize = 7;

fn main() -> ExitCode {
    let Some(_turn) = own_sysfs("the bench of a resync") else { return ExitCode::SUCCESS };
    let _ = sureplug("");
    println!("median of {ROUNDS} resyncs");
    let times = [100, 200, 400].map(|devices| {
        let sysfs = stand_in(devices);
        let (kept, ms) = resync(Some(sysfs.path()));
        assert_eq!(kept, devices, "devices");
        println!(
            "a sysfs of {kept:>4} devices  {ms:>6.2} ms  {:>5.1} us a device",
            ms * 1e3 / f64::from(kept)
        );
        ms
    });
    for taps in [0, 400] {
        let names: Vec<String> = (0..taps).map(|number| format!("resync{number}")).collect();
        for name in &names {
            NetDevice::tap(name).and_then(NetDevice::leave).expect("a tap");
        }
        let (kept, ms) = resync(None);
        println!(
            "the kernel's, {kept:>4} devices  {ms:>6.2} ms  {:>5.1} us a device",
            ms * 1e3 / f64::from(kept)
        );
        delete_together(&names).expect("they are gone");
    }
    let growth = times[2] / times[0];
    println!("{:.2} ms for 100 devices, {growth:.1} times as long for 400", times[0]);
    let [few, many] = [100, 400].map(|devices| {
        let sysfs = stand_in(devices);
        let mut list = sureplug("list --socket");
        list.arg(sysfs.path().join("none")).arg("--sysfs").arg(sysfs.path());
        let calls: u64 = system_calls(&list).values().sum();
        f64::from(u32::try_from(calls).expect("some thousands"))
    });
    if SCAN.is_kept((many - few) / 300.0) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A sysfs with this many devices, without waits for a disk.
fn stand_in(devices: u32) -> StandIn {
    let sysfs = StandIn::within(Path::new("/dev/shm"));
    for number in 0..devices {
        let name = format!("eth{number}");
        let devpath = format!("/devices/pci0000:00/0000:00:{number:04x}.0/usb2/2-1/2-1:1.0/net/{name}");
        let uevent = format!("INTERFACE={name}\nIFINDEX={number}\nDEVTYPE=gadget\n");
        sysfs.plug(&format!("class/net/{name}"), &devpath, &uevent);
    }
    sysfs
}

/// Devices that were there, and the median time of a resync in milliseconds, as the daemon states them.
fn resync(sysfs: Option<&Path>) -> (u32, f64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_small_buffer"));
    command.arg("1024");
    if let Some(sysfs) = sysfs {
        command.arg("--sysfs").arg(sysfs);
    }
    let daemon = Daemon::start(command);
    daemon.wait_until_scanned();
    let injector = Injector::new();
    let (mut line, mut kept, mut times) = (0, 0, Vec::new());
    for _ in 0..ROUNDS {
        daemon.stop();
        (0..2_000).for_each(|_| {
            injector.send(b"change@/module/x\0ACTION=change\0DEVPATH=/module/x\0SUBSYSTEM=module\0");
        });
        daemon.signal(Signal::SIGCONT);
        let (at, found) = daemon.wait_for_line_from(line, |line| json(line)["kind"] == "overrun");
        let found = json(&found);
        line = at + 1;
        kept = u32::try_from(number(&found, "kept")).expect("some");
        times.push(f64::from(u32::try_from(number(&found, "took_us")).expect("no hour")) / 1e3);
    }
    daemon.finish().assert_fine();
    times.sort_by(f64::total_cmp);
    (kept, times[ROUNDS / 2])
}
