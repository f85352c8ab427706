//! The shipped hook for modules.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant};

use sureplug_tests::daemon::root;
use sureplug_tests::hook_script::{Script, few};
use sureplug_tests::kernel::{Injector, own_sysfs};

#[test]
fn modules_are_loaded_for_what_appears_and_has_an_alias() {
    let Some(_turn) = own_sysfs("the hook for modules") else { return };
    // A stand-in of modprobe, where the hook finds it: its PATH is the kernel helper's.
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("log");
    let bin = directory.path().join("bin");
    fs::create_dir(&bin).expect("a directory");
    let modprobe = bin.join("modprobe");
    fs::write(&modprobe, format!("#!/bin/sh\necho \"$@\" >>{}\nexit 1\n", log.display())).expect("a script");
    fs::set_permissions(&modprobe, fs::Permissions::from_mode(0o755)).expect("its mode");
    let sysfs = few(1);
    sysfs.plug("bus/usb/devices/1-1", "/devices/usb1/1-1", "MODALIAS=usb:v46F4p0001d0000dc00\nBUSNUM=001\n");
    // A scan finds it without its alias.
    sysfs.plug("bus/usb/devices/1-2", "/devices/usb1/1-2", "BUSNUM=001\n");
    let shipped = root().join("board/hooks/modprobe");
    let script = Script::new(&format!("PATH={}:$PATH\n. {}\n", bin.display(), shipped.display()));
    let daemon = script.daemon(sysfs.path(), "");
    daemon.wait_until_scanned();
    let injector = Injector::new();
    for action in ["add", "change"] {
        let text = format!(
            "{action}@/devices/usb1/1-1/1-1:1.0\0ACTION={action}\0DEVPATH=/devices/usb1/1-1/1-1:1.0\0SUBSYSTEM=usb\0MODALIAS=usb:v46F4p0001ic08\0"
        );
        injector.send(text.as_bytes());
    }
    let text = "add@/devices/usb1/1-2\0ACTION=add\0DEVPATH=/devices/usb1/1-2\0SUBSYSTEM=usb\0BUSNUM=001\0MODALIAS=usb:late\0";
    injector.send(text.as_bytes());
    let end = Instant::now() + Duration::from_secs(20);
    let wanted = "-q -b -- usb:v46F4p0001d0000dc00\n-q -b -- usb:v46F4p0001ic08\n";
    let late = "-q -b -- usb:late\n";
    while !fs::read_to_string(&log).unwrap_or_default().ends_with(late) {
        assert!(Instant::now() < end, "{:?}", fs::read_to_string(&log));
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(200));
    // A hook that is run for it only then gets the alias with the scan's `add` too.
    assert_eq!(fs::read_to_string(&log).expect("a log").replace(late, ""), wanted);
    // An alias without a module is nothing to speak of.
    let output = daemon.finish();
    output.assert_fine();
    assert!(output.objects("hook").is_empty());
}
