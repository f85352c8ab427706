//! The devices in stand-ins for `/sys`, and their properties.

mod reading;
mod tree;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use sureplug_core::selection::Selection;

use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use sureplug_board::sysfs::{Devices, Reading, Subsystems};

use tree::{Tree, devpaths, text};

#[test]
fn without_classes_and_buses_there_is_nothing() {
    let tree = Tree::new();
    let mut devices = tree.open();
    for directory in ["devices", "class", "class/empty", "bus", "bus/empty", "bus/empty/devices"] {
        assert_eq!(devices.advance(), None);
        assert_eq!(devices.read(), Reading::Gone);
        tree.make_dir(directory);
        devices.rewind();
    }
    assert_eq!(devices.advance(), None);
    assert_eq!(devices.missing(), None);
    assert!(Devices::open(Path::new("/no/such/directory"), Selection::ALL).is_err());
    assert!(Devices::open(Path::new("/dev/null"), Selection::ALL).is_err());
}

#[test]
fn classes_come_before_buses_and_either_may_be_all_there_is() {
    let tree = Tree::new();
    tree.device("/devices/on-bus", "A=1\n");
    tree.link("../../../devices/on-bus", "bus/b/devices/on-bus");
    let mut devices = tree.open();
    assert_eq!(devices.advance(), Some(&b"/devices/on-bus"[..]));
    let expected = "add@/devices/on-bus: ACTION=add DEVPATH=/devices/on-bus SUBSYSTEM=b A=1";
    assert_eq!(text(devices.read()), expected);
    assert_eq!(text(devices.read()), expected, "once more");
    assert_eq!(devices.advance(), None);

    tree.device("/devices/x/of-class", "");
    tree.link("../../devices/x/of-class", "class/c/of-class");
    devices.rewind();
    assert_eq!(devices.advance(), Some(&b"/devices/x/of-class"[..]));
    let expected = "add@/devices/x/of-class: ACTION=add DEVPATH=/devices/x/of-class SUBSYSTEM=c";
    assert_eq!(text(devices.read()), expected);
    assert_eq!(devices.advance(), Some(&b"/devices/on-bus"[..]));
    assert_eq!((devices.advance().is_some(), devices.advance().is_some()), (false, false), "the end stays");
    assert_eq!(devices.read(), Reading::Gone, "nothing is found");

    fs::remove_dir_all(tree.path("bus")).expect("the buses");
    assert_eq!(devpaths(&mut devices), [b"/devices/x/of-class"]);
}

#[test]
fn rewinding_in_the_middle_begins_again() {
    let tree = Tree::new();
    for number in 0..40 {
        tree.device(&format!("/devices/{number}"), "");
        tree.link(format!("../../devices/{number}"), format!("class/{}/{number}", number % 2));
    }
    let mut devices = tree.open();
    let first = devices.advance().map(<[u8]>::to_owned);
    assert!(devices.advance().is_some());
    devices.rewind();
    assert_eq!(devices.read(), Reading::Gone, "nothing is found yet");
    assert_eq!(devices.advance().map(<[u8]>::to_owned), first);
    assert_eq!(devpaths(&mut devices).len(), 40);
    assert_eq!(devices.read(), Reading::Gone, "nothing is found any more");
}

#[test]
fn scan_skips_links_to_no_device() {
    let tree = Tree::new();
    tree.make_dir("class/c/directory");
    tree.make_dir("bus/b/drivers");
    for (target, name) in [
        ("../../module/m", "a"),
        ("../../devicesx/m", "b"),
        ("../../devices/", "c"),
        ("../../devices", "d"),
        ("/devices/m", "e"),
        ("devices/m", "f"),
        ("../../x/../devices/m", "g"),
        ("x", "h"),
    ] {
        tree.link(target, format!("class/c/{name}"));
    }
    tree.link("../../devices/m", "bus/b/m");
    tree.link("../../devices/m", "above");
    fs::write(tree.path("class/c/timeout"), "60\n").expect("a file");
    fs::write(tree.path("class/file"), "").expect("a file");
    fs::write(tree.path("bus/file"), "").expect("a file");
    mkfifo(&tree.path("class/pipe"), Mode::S_IRWXU).expect("a pipe");
    let mut devices = tree.open();
    assert_eq!(devices.advance(), None);
    assert_eq!(devices.missing(), None);
}

#[test]
fn a_class_of_thousands_is_enumerated_whole() {
    let tree = Tree::new();
    tree.make_dir("class/c");
    let mut expected: Vec<Vec<u8>> = (0..5_000).map(|n| format!("/devices/d{n}").into_bytes()).collect();
    for devpath in &expected {
        let devpath = OsStr::from_bytes(devpath).to_str().expect("UTF-8");
        symlink(format!("../..{devpath}"), tree.path(format!("class/c{}", &devpath[8..]))).expect("a link");
    }
    expected.sort();
    let mut devices = tree.open();
    assert_eq!(devpaths(&mut devices), expected);
    assert_eq!(devpaths(&mut devices), expected);
}

#[test]
fn names_are_bytes() {
    let tree = Tree::new();
    let device = OsStr::from_bytes(b"devices/\xff\xfe");
    tree.make_dir(device);
    fs::write(tree.path(device).join("uevent"), "A=1\n").expect("a file");
    let target = OsStr::from_bytes(b"../../devices/\xff\xfe");
    tree.link(target, OsStr::from_bytes(b"class/\x80/\x81"));
    let mut devices = tree.open();
    assert_eq!(devices.advance(), Some(&b"/devices/\xff\xfe"[..]));
    let Reading::Present { uevent, .. } = devices.read() else { panic!("not there") };
    assert_eq!(uevent.subsystem(), Some(&b"\x80"[..]));
}

#[test]
fn a_subsystem_is_a_class_or_a_bus() {
    let tree = Tree::new();
    tree.make_dir("class/c/below");
    tree.make_dir("bus/b/devices");
    tree.make_dir("bus/half");
    fs::write(tree.path("class/file"), "").expect("a file");
    let mut subsystems = Subsystems::open(tree.path("").as_path()).expect("the stand-in");
    assert!(subsystems.contains(b"c") && subsystems.contains(b"b"));
    for name in [&b"half"[..], b"file", b"x", b"", b".", b"..", b"c/below", b"c/", b"c\0", &[b'x'; 5_000]] {
        assert!(!subsystems.contains(name), "{}", name.escape_ascii());
    }
    tree.make_dir("class/x");
    assert!(!subsystems.contains(b"x"), "that it was not there is remembered");
    subsystems.forget_absent();
    assert!(subsystems.contains(b"x"), "until that is to be forgotten");
    fs::remove_dir(tree.path("class/x")).expect("a directory");
    assert!(subsystems.contains(b"x"), "that it was there is");
}

#[test]
fn unreadable_devices_are_counted_and_named_once() {
    let tree = Tree::new();
    tree.link("loop", "class/loop");
    tree.link("x".repeat(300), "class/long");
    tree.link("devices", "bus/b/devices");
    tree.link("../../devices/unreadable", "class/c/unreadable");
    tree.link("../../devices/fine", "class/c/fine");
    tree.device("/devices/unreadable", "A=\0\n");
    tree.device("/devices/fine", "");

    let mut devices = tree.open();
    let (mut named, mut read, mut fine) = (Vec::new(), 0, 0);
    for scan in 1..=6 {
        devices.rewind();
        while devices.advance().is_some() {
            fine += u32::from(matches!(devices.read(), Reading::Present { .. }));
        }
        assert_eq!((devices.missing().map(|missing| missing.count), fine), (Some(4), scan));
        while let Some(fault) = devices.next_unreadable(&mut read) {
            named.push((fault.path.escape_ascii().to_string(), fault.what));
        }
        assert_eq!(read, 4, "named in the first scan, and once");
    }
    named.sort_by(|a, b| a.0.cmp(&b.0));
    let named: Vec<_> = named.iter().map(|(path, error)| (path.as_str(), *error)).collect();
    let expected = [
        ("bus/b/devices", Errno::ELOOP),
        ("class/long", Errno::ENAMETOOLONG),
        ("class/loop", Errno::ELOOP),
        ("devices/unreadable", Errno::EBADMSG),
    ];
    assert_eq!(named, expected);
}

#[test]
fn scan_tolerates_devices_that_come_and_go() {
    let tree = Tree::new();
    let stable: Vec<Vec<u8>> = (10..60).map(|n| format!("/devices/stable{n}").into_bytes()).collect();
    for devpath in &stable {
        let devpath = OsStr::from_bytes(devpath).to_str().expect("UTF-8");
        tree.device(devpath, "A=1\n");
        tree.link(format!("../..{devpath}"), format!("class/c{}", &devpath[8..]));
    }
    let scan = |devices: &mut Devices| {
        let mut seen = Vec::new();
        devices.rewind();
        while let Some(devpath) = devices.advance() {
            seen.push(devpath.to_owned());
            let is_stable = stable.contains(&seen[seen.len() - 1]);
            let reading = devices.read();
            assert!(!is_stable || text(reading).ends_with(" A=1"), "{reading:?}");
        }
        let all = seen.len();
        seen.retain(|devpath| stable.contains(devpath));
        seen.sort();
        assert_eq!(seen, stable);
        all - seen.len()
    };
    thread::scope(|scope| {
        let scans = scope.spawn(|| {
            let mut devices = tree.open();
            let (mut scans, mut passing) = (0, 0);
            // On a machine that is busy the other thread may not come to anything for long.
            while scans < 200 || passing == 0 {
                assert!(scans < 100_000, "nothing came and went");
                passing += scan(&mut devices);
                scans += 1;
            }
            assert_eq!(devices.missing(), None);
        });
        for (device, class) in (0..100).zip((0..7).cycle()).cycle() {
            let devpath = format!("/devices/passing{device}");
            tree.device(&devpath, "A=1\n");
            tree.link(format!("../..{devpath}"), format!("class/c/passing{device}"));
            tree.link(format!("../..{devpath}"), format!("class/passing{class}/p"));
            fs::remove_dir_all(tree.path(format!("class/passing{class}"))).expect("a class");
            fs::remove_file(tree.path(format!("class/c/passing{device}"))).expect("a link");
            fs::remove_dir_all(tree.path(&devpath[1..])).expect("a device");
            if scans.is_finished() {
                break;
            }
        }
    });
}
