//! A table that is full, devpaths as long as they can be, and as deep.

use sureplug_core::limits::MAX_PROPERTY_BYTES;
use sureplug_core::stream::{Look, ScanKind, Scope};
use sureplug_tests::model::{Says, Script, uevent};

const NOTHING: [&str; 0] = [];

type ThreeSlots = Script<3, 4_096, 8_192, 1>;

fn full() -> ThreeSlots {
    let mut script = ThreeSlots::new();
    for path in ["/a", "/b", "/c"] {
        script.event("add", path, &[]);
    }
    script.told();
    script
}

#[test]
fn device_without_a_slot_passes_untracked_and_is_counted() {
    let mut script = full();
    for action in ["add", "change", "remove"] {
        script.event(action, "/d", &[]);
    }
    assert_eq!(script.told(), ["kernel add /d ?", "kernel change /d ?", "kernel remove /d ?"]);
    let stream = &script.stream;
    assert_eq!((stream.counts().unfit, stream.devices(), stream.is_overflowing()), (2, 3, true));
    script.event("remove", "/a", &[]);
    assert_eq!(script.told(), ["kernel remove /a"]);
    script.event("add", "/d", &[]);
    script.event("remove", "/d", &[]);
    assert_eq!(script.told(), ["kernel add /d", "kernel remove /d"]);
}

#[test]
fn bytes_are_used_by_devices_and_tombstones() {
    let mut script = ThreeSlots::new();
    let used = |script: &ThreeSlots| script.stream.used_bytes();
    assert_eq!(used(&script), 0);
    script.event("add", "/a", &[]);
    let one = used(&script);
    assert!(one > "/a".len(), "{one}");
    script.event("add", "/b", &[("DRIVER", "usb")]);
    assert_eq!(used(&script), 2 * one + "DRIVER=usb\0".len());
    script.told();
    script.event("remove", "/b", &[]);
    assert_eq!(used(&script), 2 * one + "DRIVER=usb\0".len());
    script.told();
    assert_eq!(used(&script), one);
}

#[test]
fn present_devices_go_on_in_a_full_table() {
    let mut script = full();
    script.event("add", "/a", &[]);
    script.event("bind", "/b", &[("DRIVER", "usb")]);
    script.event("remove", "/c", &[]);
    assert_eq!(script.told(), ["kernel change /a (add)", "kernel bind /b", "kernel remove /c"]);
    assert_eq!(script.stream.counts().unfit, 0);
}

#[test]
fn a_scan_states_whether_something_has_no_place_still() {
    let mut script = full();
    let outcome =
        script.scan(ScanKind::Resync, &[("/a", &[], 1), ("/b", &[], 2), ("/c", &[], 3), ("/d", &[], 4)]);
    assert_eq!((outcome.kept, outcome.unfit), (3, 1));
    assert!(script.stream.is_overflowing());
    assert_eq!(script.told(), ["repair change /a", "repair change /b", "repair change /c"]);
    let outcome = script.scan(ScanKind::Resync, &[("/a", &[], 1), ("/b", &[], 2)]);
    assert_eq!((outcome.kept, outcome.unfit, outcome.removed), (2, 0, 1));
    assert!(!script.stream.is_overflowing());
    script.told();
    script.scan(ScanKind::Resync, &[("/a", &[], 1), ("/b", &[], 2), ("/d", &[], 4)]);
    assert!(script.told().contains(&"repair add /d".to_owned()));
}

/// It comes while a scan runs that has no need of a place itself.
#[test]
fn running_scan_keeps_devices_without_a_slot() {
    let mut script = full();
    script.stream.begin_scan(ScanKind::Settle);
    for path in ["/a", "/b", "/c"] {
        script.saw((path, &[], 0));
    }
    script.event("add", "/d", &[]);
    let outcome = script.finish();
    assert_eq!((outcome.unfit, script.stream.is_overflowing()), (1, true));
    script.event("remove", "/d", &[]);
    assert_eq!(script.told(), ["kernel add /d ?", "kernel remove /d ?"]);
}

#[test]
fn device_without_a_slot_at_start_is_delivered_untracked() {
    let mut script = ThreeSlots::new();
    script.stream.begin_scan(ScanKind::Start);
    for path in ["/a", "/a/x", "/a/y"] {
        assert_eq!(script.saw((path, &[], 1)), Look::Taken);
    }
    assert_eq!(script.saw(("/b", &[], 2)), Look::Unfit);
    assert_eq!(script.finish().unfit, 1);
    assert_eq!(script.told(), ["scan add /b ?", "scan add /a", "scan add /a/x", "scan add /a/y"]);
}

/// One place is needed for each while both are there; the next scan has it.
#[test]
fn a_replacement_in_a_full_table_is_delivered_as_gone_and_found_later() {
    let mut script = ThreeSlots::new();
    script.scan(ScanKind::Start, &[("/a", &[], 1), ("/b", &[], 2), ("/c", &[], 3)]);
    script.told();
    let now = [("/a", &[][..], 4), ("/b", &[], 2), ("/c", &[], 3)];
    assert_eq!(script.scan(ScanKind::Settle, &now).unfit, 1);
    assert_eq!(script.told(), ["repair remove /a"]);
    assert_eq!(script.scan(ScanKind::Settle, &now).added, 1);
    assert_eq!(script.told(), ["repair add /a"]);
}

#[test]
fn descendants_of_a_replacement_in_a_full_table_are_removed_and_found_later() {
    let mut script = Script::<4, 4_096, 8_192, 1>::new();
    script.scan(ScanKind::Start, &[("/a", &[], 1)]);
    script.event("add", "/a/x", &[]);
    script.event("add", "/a/y", &[]);
    script.told();
    let now = [("/a", &[][..], 4), ("/a/x", &[], 5), ("/a/y", &[], 6)];
    let outcome = script.scan(ScanKind::Settle, &now);
    assert_eq!((outcome.unfit, script.stream.is_overflowing()), (2, true));
    assert_eq!(
        script.told(),
        ["repair remove /a/x", "repair remove /a/y", "repair remove /a", "repair add /a"]
    );
    script.scan(ScanKind::Settle, &now);
    assert_eq!(script.told(), ["repair add /a/x", "repair add /a/y"]);
}

#[test]
fn bytes_run_out_before_slots() {
    let mut script = Script::<16, 128, 8_192, 1>::new();
    let long: Says<'_> = &[("X", "forty bytes that are kept of each device")];
    for path in ["/a", "/b", "/c"] {
        script.event("add", path, long);
    }
    script.event("add", "/d", &[]);
    assert_eq!(script.told(), ["kernel add /a", "kernel add /b", "kernel add /c ?", "kernel add /d"]);
    // The hole in front must be closed for the next one to fit.
    script.event("remove", "/a", &[]);
    assert_eq!(script.told(), ["kernel remove /a"]);
    script.event("add", "/c", long);
    assert_eq!(script.told(), ["kernel add /c"]);
    let mut says = Vec::new();
    script.scan(ScanKind::Settle, &[]);
    while script
        .next_with(script.id, &mut |entry| says.push(entry.uevent.property(b"X").map(<[u8]>::len)))
        .is_some()
    {}
    says.sort_unstable();
    assert_eq!(says, [None, Some(40), Some(40)]);
}

#[test]
fn later_properties_are_kept_if_there_is_room() {
    let mut script = Script::<4, 64, 8_192, 1>::new();
    script.event("add", "/a", &[("X", "twenty bytes of text")]);
    script.event("bind", "/a", &[("DRIVER", "a name that is far too long for that")]);
    script.event("add", "/a", &[("X", "eighty"), ("Y", "bytes and some more of text that has no room")]);
    assert_eq!(script.told(), ["kernel add /a", "kernel bind /a", "kernel change /a (add)"]);
    script.scan(ScanKind::Settle, &[]);
    script.next_with(script.id, &mut |entry| {
        assert_eq!(entry.uevent.property(b"X"), Some(&b"twenty bytes of text"[..]));
        assert_eq!(entry.uevent.driver(), None);
    });
}

/// The most properties that the kernel can write, with the longest devpath that leaves room for
/// them.
#[test]
fn the_longest_devpath_of_the_kernel_is_kept() {
    let room = MAX_PROPERTY_BYTES - "ACTION=add\0DEVPATH=\0SEQNUM=1\0".len();
    for length in [room, room - 1, room - 40] {
        let mut script = Script::<4, 16_384, 65_536, 1>::new();
        let path = format!("/{}", "x".repeat(length - 1));
        let rest = "y".repeat((room - length).saturating_sub(3));
        let says = [("X", rest.as_str()), ("SEQNUM", "1")];
        script.event("add", &path, if room - length >= 3 { &says } else { &says[1..] });
        script.event("change", &path, &[]);
        script.scan(ScanKind::Resync, &[(&path, &[], 1)]);
        script.scan(ScanKind::Resync, &[]);
        let told = ["kernel add", "kernel change", "repair change", "repair remove"]
            .map(|what| format!("{what} {path}"));
        assert_eq!(script.told(), told);
    }
}

/// A made-up event of it could not be as long as it would have to be.
#[test]
fn a_device_that_states_more_than_can_be_delivered_of_it_has_no_place() {
    let mut script = Script::<4, 16_384, 65_536, 1>::new();
    let path = format!("/{}", "x".repeat(2_025));
    script.send(format!("add@{path}\0").as_bytes(), Scope::Tracked);
    assert_eq!(script.told(), [format!("kernel add {path} ?")]);
    script.send(format!("add@{}\0", &path[..2_025]).as_bytes(), Scope::Tracked);
    script.scan(ScanKind::Settle, &[]);
    assert_eq!(
        script.told(),
        ["kernel add", "repair remove"].map(|what| format!("{what} {}", &path[..2_025]))
    );
}

#[test]
fn more_than_255_slashes_are_deep() {
    let mut script = Script::<4, 16_384, 65_536, 1>::new();
    let deepest = "/x".repeat(900);
    let paths = [&deepest[..2], &deepest[..512], &deepest[..514], &deepest];
    for path in paths {
        script.event("add", path, &[]);
    }
    script.told();
    script.event("remove", "/x", &[]);
    let removed: Vec<_> =
        script.told().iter().map(|line| line.split(' ').next_back().map(str::len)).collect();
    assert_eq!(removed, [Some(1_800), Some(514), Some(512), Some(2)]);
}

#[test]
fn slots_are_used_again_for_ever() {
    let mut script = Script::<3, 200, 8_192, 1>::new();
    for round in 0..1_000 {
        let path = format!("/a{}", "b".repeat(round % 50));
        script.event("add", &path, &[("X", "1")]);
        script.event("bind", &path, &[("DRIVER", "some driver")]);
        script.event("remove", &path, &[]);
        let told = ["kernel add", "kernel bind", "kernel remove"].map(|what| format!("{what} {path}"));
        assert_eq!(script.told(), told);
    }
    assert_eq!(script.stream.counts().unfit, 0);
}

#[test]
fn a_look_at_a_devpath_that_none_can_have_is_no_fault() {
    let mut script = full();
    script.stream.begin_scan(ScanKind::Resync);
    let path = format!("/{}", "x".repeat(5_000));
    script.stream.look_at(path.as_bytes());
    script.event("change", "/a", &[]);
    assert_eq!(script.stream.gone(), Look::Taken);
    assert_eq!(script.told(), ["kernel change /a"]);
    script.send(&uevent("remove", "/zzz", &[]), Scope::Tracked);
    assert_eq!(script.told(), NOTHING);
}

#[test]
fn devices_of_other_kinds_leave_room_for_those_below_usb_ports() {
    let mut script = Script::<128, 65_536, 65_536, 1>::new();
    for number in 0..200 {
        script.event("add", &format!("/devices/virtual/net/br{number}"), &[("SUBSYSTEM", "net")]);
    }
    assert_eq!(script.stream.devices(), 96);
    assert_eq!(script.stream.largest_subsystem(), Some((&b"net"[..], 96)));
    script.told();
    let stick = "/devices/pci0000:00/usb1/1-4";
    script.event("add", stick, &[("SUBSYSTEM", "usb")]);
    assert_eq!(script.told(), [format!("kernel add {stick}")]);
    // One of them has room again.
    script.event("remove", "/devices/virtual/net/br0", &[]);
    script.event("add", "/devices/virtual/net/late", &[]);
    let told = script.told();
    assert_eq!(told.last().expect("a delivery"), "kernel add /devices/virtual/net/late");
}

#[test]
fn devices_of_other_kinds_leave_bytes_for_those_below_usb_ports() {
    let mut script = Script::<128, 8_192, 65_536, 1>::new();
    let long = "x".repeat(200);
    for number in 0..100 {
        script.event("add", &format!("/devices/virtual/net/br{number}"), &[("X", &long)]);
    }
    script.told();
    assert!(script.stream.is_overflowing());
    let stick = "/devices/usb1/1-4";
    script.event("add", stick, &[("X", &long)]);
    assert_eq!(script.told(), [format!("kernel add {stick}")]);
}
