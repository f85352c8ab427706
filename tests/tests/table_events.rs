//! The meaning of an event for a consumer that knows earlier devices.

use sureplug_core::selection::Selection;
use sureplug_core::stream::{Lag, ScanKind, Scope};
use sureplug_core::uevent::Property;
use sureplug_tests::model::{Says, Script, uevent};

type Roomy = Script<16, 4_096, 8_192, 1>;

const USB: Says<'static> = &[("SUBSYSTEM", "usb")];

#[test]
fn add_and_remove_are_delivered_as_they_are() {
    let mut script = Roomy::new();
    script.event("add", "/a", USB);
    script.event("change", "/a", USB);
    script.event("remove", "/a", USB);
    assert_eq!(script.told(), ["kernel add /a", "kernel change /a", "kernel remove /a"]);
}

#[test]
fn anything_but_a_remove_of_something_unknown_is_delivered_as_add() {
    for action in ["change", "bind", "unbind", "online", "offline", "move", "frobnicate"] {
        let mut script = Roomy::new();
        script.event(action, "/a", USB);
        script.event("remove", "/a", USB);
        assert_eq!(script.told(), [format!("kernel add /a ({action})"), "kernel remove /a".to_owned()]);
    }
}

#[test]
fn a_remove_of_something_unknown_is_counted_and_not_delivered() {
    let mut script = Roomy::new();
    script.event("remove", "/a", USB);
    assert_eq!(script.told(), [""; 0]);
    assert_eq!(script.stream.counts().unknown_removals, 1);
}

#[test]
fn an_add_of_what_is_present_is_delivered_as_change() {
    let mut script = Roomy::new();
    script.event("add", "/a", USB);
    script.event("add", "/a", &[("SUBSYSTEM", "usb"), ("SYNTH_UUID", "0")]);
    assert_eq!(script.next(script.id).as_deref(), Some("kernel add /a"));
    let told = script.next_with(script.id, &mut |entry| {
        let added: Vec<_> = entry.added_properties().collect();
        let origin = Property { key: b"SUREPLUG_ORIGIN", value: b"kernel" };
        assert_eq!(added, [origin, Property { key: b"SUREPLUG_ACTION", value: b"add" }]);
        assert_eq!(entry.uevent.property(b"ACTION"), Some(&b"change"[..]));
        assert_eq!(entry.uevent.synth_uuid(), Some(&b"0"[..]), "the rest is as it was");
    });
    assert_eq!(told.as_deref(), Some("kernel change /a (add)"));
}

#[test]
fn an_untracked_event_passes_as_it_is() {
    let mut script = Roomy::new();
    for _ in 0..2 {
        script.send(&uevent("add", "/module/loop", &[("SUBSYSTEM", "module")]), Scope::Untracked);
    }
    script.send(&uevent("remove", "/module/never", &[]), Scope::Untracked);
    let add = "kernel add /module/loop ?";
    assert_eq!(script.told(), [add, add, "kernel remove /module/never ?"]);
    assert_eq!(script.stream.devices(), 0);
    script.send(&uevent("add", "/module/loop", &[("SUBSYSTEM", "module")]), Scope::Untracked);
    script.next_with(script.id, &mut |entry| {
        let added: Vec<_> = entry.added_properties().map(|property| property.key).collect();
        assert_eq!(added, [&b"SUREPLUG_ORIGIN"[..], b"SUREPLUG_TRACKED"]);
    });
}

/// Each property alone, as it was and as it is.
const IDENTITIES: [(&str, &str, &str); 8] = [
    ("SUBSYSTEM", "usb", "block"),
    ("BUSNUM", "001", "002"),
    ("DEVNUM", "004", "005"),
    ("MAJOR", "8", "9"),
    ("MINOR", "0", "1"),
    ("DISKSEQ", "3", "4"),
    ("IFINDEX", "2", "3"),
    ("PRODUCT", "46f4/1/0", "46f4/1/1"),
];

#[test]
fn an_add_of_another_device_removes_the_one_that_was_there() {
    for (key, before, now) in IDENTITIES {
        let mut script = Roomy::new();
        script.event("add", "/a", &[(key, before)]);
        script.event("add", "/a/b", &[]);
        script.event("add", "/a", &[(key, now)]);
        let told =
            ["kernel add /a", "kernel add /a/b", "repair remove /a/b", "repair remove /a", "kernel add /a"];
        assert_eq!(script.told(), told, "{key}");
    }
}

#[test]
fn a_scan_finds_another_device_by_each_property() {
    for (key, before, now) in IDENTITIES {
        let mut script = Roomy::new();
        script.event("add", "/a", &[(key, before)]);
        script.told();
        let outcome = script.scan(ScanKind::Settle, &[("/a", &[(key, now)], 0)]);
        assert_eq!(script.told(), ["repair remove /a", "repair add /a"], "{key}");
        assert_eq!((outcome.replaced, outcome.added, outcome.removed, outcome.kept), (1, 0, 0, 0), "{key}");
    }
}

#[test]
fn property_of_only_one_description_decides_nothing() {
    for (key, value, _) in IDENTITIES {
        for (before, now) in [(&[(key, value)][..], &[][..]), (&[], &[(key, value)])] {
            let mut script = Roomy::new();
            script.event("add", "/a", before);
            script.event("add", "/a", now);
            assert_eq!(script.told(), ["kernel add /a", "kernel change /a (add)"], "{key}");
        }
    }
}

/// The medium of a card reader: the disk is the same, with another number.
#[test]
fn a_disk_with_a_new_medium_is_not_replaced() {
    let mut script = Roomy::new();
    script.event("add", "/disk", &[("MAJOR", "8"), ("DISKSEQ", "9")]);
    script.event("change", "/disk", &[("MAJOR", "8"), ("DISKSEQ", "10")]);
    let outcome = script.scan(ScanKind::Settle, &[("/disk", &[("MAJOR", "8"), ("DISKSEQ", "10")], 7)]);
    assert_eq!((outcome.kept, outcome.has_resynced()), (1, false));
    script.event("add", "/disk", &[("MAJOR", "8"), ("DISKSEQ", "10")]);
    assert_eq!(script.told(), ["kernel add /disk", "kernel change /disk", "kernel change /disk (add)"]);
    script.event("add", "/disk", &[("MAJOR", "8"), ("DISKSEQ", "11")]);
    assert_eq!(script.told(), ["repair remove /disk", "kernel add /disk"]);
}

#[test]
fn an_event_of_another_device_shows_that_the_one_that_was_there_is_gone() {
    for action in ["change", "bind", "unbind", "online"] {
        let mut script = Roomy::new();
        script.event("add", "/a", &[("DEVNUM", "4"), ("DEVNAME", "old")]);
        script.event("add", "/a/b", &[]);
        script.event(action, "/a", &[("DEVNUM", "5")]);
        let add = format!("kernel add /a ({action})");
        let told = ["kernel add /a", "kernel add /a/b", "repair remove /a/b", "repair remove /a", &add];
        assert_eq!(script.told(), told);
    }
}

#[test]
fn remove_of_another_device_removes_the_one_that_was_there() {
    let mut script = Roomy::new();
    script.event("add", "/a", &[("SUBSYSTEM", "usb"), ("DEVNUM", "4")]);
    script.event("remove", "/a", &[("SUBSYSTEM", "usb"), ("DEVNUM", "5")]);
    script.next(script.id);
    let told = script.next_with(script.id, &mut |entry| assert_eq!(entry.uevent.devnum(), Some(4)));
    assert_eq!(told.as_deref(), Some("repair remove /a"));
    assert_eq!(script.told(), [""; 0]);
}

#[test]
fn a_removed_device_takes_along_what_is_below_it_children_first() {
    let mut script = Roomy::new();
    for path in ["/a", "/a-b", "/ab", "/a/x", "/a/x/u", "/a/y", "/b/a"] {
        script.event("add", path, &[]);
    }
    script.told();
    script.event("remove", "/a", &[]);
    let told = ["repair remove /a/x/u", "repair remove /a/x", "repair remove /a/y", "kernel remove /a"];
    assert_eq!(script.told(), told);
    assert_eq!(script.stream.devices(), 3);
}

#[test]
fn synthesised_remove_carries_the_properties_of_the_add() {
    let mut script = Roomy::new();
    let says = [("MAJOR", "189"), ("DEVNAME", "bus/usb/001/004"), ("SUBSYSTEM", "usb"), ("MAJOR", "twice")];
    script.event("add", "/a/b", &[&says[..], &[("SEQNUM", "7"), ("SYNTH_ARG_X", "1")]].concat());
    script.event("bind", "/a/b", &[("DRIVER", "usb"), ("BIND", "no"), ("SEQNUM", "8")]);
    script.told();
    script.scan(ScanKind::Settle, &[]);
    script.next_with(script.id, &mut |entry| {
        let said = entry.uevent.properties().map(|property| (property.key, property.value));
        let expected: [(&[u8], &[u8]); 7] = [
            (b"ACTION", b"remove"),
            (b"DEVPATH", b"/a/b"),
            (b"MAJOR", b"189"),
            (b"DEVNAME", b"bus/usb/001/004"),
            (b"SUBSYSTEM", b"usb"),
            (b"MAJOR", b"twice"),
            (b"DRIVER", b"usb"),
        ];
        assert_eq!(said.collect::<Vec<_>>(), expected);
    });
}

#[test]
fn a_driver_that_let_go_is_forgotten() {
    let mut script = Roomy::new();
    script.event("add", "/a", &[("DRIVER", "first"), ("X", "1")]);
    script.event("bind", "/a", &[("DRIVER", "a-much-longer-name-than-before")]);
    script.event("unbind", "/a", &[]);
    script.told();
    script.scan(ScanKind::Settle, &[]);
    script.next_with(script.id, &mut |entry| {
        assert_eq!((entry.uevent.driver(), entry.uevent.property(b"X")), (None, Some(&b"1"[..])));
    });
}

/// It was written to a file of sysfs: the kernel sends another one when it removes the device.
#[test]
fn a_synthetic_remove_is_delivered_as_change() {
    for inode in [0, 1, 2] {
        let mut script = Roomy::new();
        script.event_at("add", "/a", USB, 1);
        script.event("add", "/a/b", USB);
        script.event_at("remove", "/a", &[("SUBSYSTEM", "usb"), ("SYNTH_UUID", "0")], inode);
        assert_eq!(script.told(), ["kernel add /a", "kernel add /a/b", "kernel change /a (remove)"]);
        script.event("remove", "/a", USB);
        assert_eq!(script.told(), ["repair remove /a/b", "kernel remove /a"]);
    }
}

#[test]
fn a_synthetic_remove_of_something_unknown_is_delivered_as_add_if_it_is_there() {
    let mut script = Roomy::new();
    let synthetic = [("SUBSYSTEM", "usb"), ("SYNTH_UUID", "0")];
    script.event_at("remove", "/a", &synthetic, 0);
    assert_eq!(script.stream.counts().unknown_removals, 1);
    script.event_at("remove", "/a", &synthetic, 1);
    assert_eq!(script.told(), ["kernel add /a (remove)"]);
    assert_eq!(script.scan(ScanKind::Settle, &[("/a", USB, 2)]).replaced, 1, "its directory is known");
}

/// It may be that of a later device, whose events follow; if they were lost, a scan finds it.
#[test]
fn another_directory_at_an_add_replaces_nothing_by_itself() {
    let mut script = Roomy::new();
    script.event_at("add", "/a", USB, 1);
    script.event_at("add", "/a", USB, 1);
    script.event_at("add", "/a", USB, 0);
    assert_eq!(script.told(), ["kernel add /a", "kernel change /a (add)", "kernel change /a (add)"]);
    script.event_at("add", "/a", USB, 2);
    assert_eq!(script.told(), ["kernel change /a (add)"]);
    assert_eq!(script.scan(ScanKind::Settle, &[("/a", USB, 2)]).replaced, 1);
}

/// All of it was sent before the first event was applied.
#[test]
fn move_takes_descendants_along() {
    let mut script = Roomy::new();
    script.event_at("add", "/a", USB, 1);
    script.event_at("add", "/a/x", USB, 2);
    script.told();
    script.event_at("add", "/a", &[("SUBSYSTEM", "usb"), ("SYNTH_UUID", "0")], 3);
    script.moved("/a", "/b", USB);
    script.event_at("add", "/a", USB, 3);
    let moved = ["kernel remove /a/x", "kernel remove /a", "kernel add /b (move)", "kernel add /b/x"];
    assert_eq!(script.told(), [&["kernel change /a (add)"], &moved[..], &["kernel add /a"]].concat());
}

/// The kernel counts it up for each medium, and not at the moment of the event.
#[test]
fn a_number_of_media_that_moves_in_one_directory_replaces_nothing() {
    let disk = |number| [("SUBSYSTEM", "block"), ("MAJOR", "8"), ("DISKSEQ", number)];
    let mut script = Roomy::new();
    script.event_at("add", "/disk", &disk("9"), 7);
    script.event_at("add", "/disk/part", &disk("9"), 8);
    script.event("change", "/disk", &disk("9"));
    script.event_at("add", "/disk", &disk("10"), 7);
    let found = [("/disk", &disk("11")[..], 7), ("/disk/part", &disk("11")[..], 8)];
    assert!(!script.scan(ScanKind::Settle, &found).has_resynced());
    script.event_at("add", "/disk/part", &disk("12"), 8);
    assert_eq!(
        script.told(),
        [
            "kernel add /disk",
            "kernel add /disk/part",
            "kernel change /disk",
            "kernel change /disk (add)",
            "kernel change /disk/part (add)"
        ]
    );
}

/// Returns what is stored of `/a` after these events, as a new consumer receives it.
fn stored_after(events: &[(&str, &[(&str, &str)])]) -> Vec<String> {
    let mut script = Script::<16, 4_096, 8_192, 2>::new();
    for &(action, says) in events {
        script.event(action, "/a", says);
    }
    let late = script.stream.join(Selection::ALL, Lag::Hold).expect("a place");
    let mut stored = Vec::new();
    script.next_with(late, &mut |entry| {
        let properties = entry.uevent.properties().skip(2);
        stored.extend(properties.map(|property| property.to_string()));
    });
    stored
}

/// As `power_supply_uevent` has it in `drivers/power/supply/power_supply_sysfs.c`: a value that cannot be read is left out.
#[test]
fn a_change_states_what_the_device_is_from_then_on() {
    let supply = ("SUBSYSTEM", "power_supply");
    let name = ("POWER_SUPPLY_NAME", "AC");
    let before = [supply, name, ("POWER_SUPPLY_ONLINE", "1"), ("POWER_SUPPLY_VOLTAGE_NOW", "5")];
    let change =
        [supply, ("SYNTH_UUID", "0"), name, ("POWER_SUPPLY_ONLINE", "0"), ("POWER_SUPPLY_TYPE", "USB")];
    for action in ["change", "online", "frobnicate", "remove"] {
        let stored = stored_after(&[("add", &before), (action, &change)]);
        let wanted = [
            "SUBSYSTEM=power_supply",
            "POWER_SUPPLY_NAME=AC",
            "POWER_SUPPLY_ONLINE=0",
            "POWER_SUPPLY_TYPE=USB",
        ];
        assert_eq!(stored, wanted, "{action}");
    }
}

/// A driver's additions to one event precede the properties from `dev_uevent`.
#[test]
fn event_properties_are_not_stored() {
    let block = ("SUBSYSTEM", "block");
    let disk = [("MAJOR", "8"), ("MINOR", "0"), ("DEVNAME", "sda"), ("DEVTYPE", "disk"), ("DISKSEQ", "9")];
    let add = [&[block], &disk[..]].concat();
    let change = [&[block, ("DISK_MEDIA_CHANGE", "1")], &disk[..4], &[("DISKSEQ", "10")]].concat();
    let wanted = ["SUBSYSTEM=block", "MAJOR=8", "MINOR=0", "DEVNAME=sda", "DEVTYPE=disk", "DISKSEQ=10"];
    assert_eq!(stored_after(&[("add", &add), ("change", &change)]), wanted);
    assert_eq!(stored_after(&[("change", &change)]), wanted, "nor of one that is not known");
    let scsi = ("SUBSYSTEM", "scsi");
    let target = [scsi, ("DEVTYPE", "scsi_device"), ("MODALIAS", "scsi:t-0x00")];
    let bound = [scsi, ("SDEV_UA", "INQUIRY_DATA_HAS_CHANGED"), target[1], ("DRIVER", "sd"), target[2]];
    let wanted = ["SUBSYSTEM=scsi", "DEVTYPE=scsi_device", "DRIVER=sd", "MODALIAS=scsi:t-0x00"];
    assert_eq!(stored_after(&[("add", &target), ("change", &bound)]), wanted);
    let zone = [("SUBSYSTEM", "thermal"), ("NAME", "cpu"), ("TEMP", "90000")];
    assert_eq!(stored_after(&[("add", &zone[..1]), ("change", &zone)]), ["SUBSYSTEM=thermal"]);
}

/// In every order in which a scan finds it.
#[test]
fn a_change_loses_nothing_that_is_stored_in_another_order() {
    let before = [("SUBSYSTEM", "x"), ("MODALIAS", "a"), ("NAME", "b"), ("TYPE", "c")];
    let change = [before[0], ("EXTRA", "1"), before[3], ("NAME", "d"), before[1]];
    let stored = stored_after(&[("add", &before), ("change", &change)]);
    assert_eq!(stored, ["SUBSYSTEM=x", "TYPE=c", "NAME=d", "MODALIAS=a"]);
}

/// Such an event is not the kernel's own.
#[test]
fn a_change_that_describes_a_device_in_part_leaves_the_rest() {
    let before = [("SUBSYSTEM", "x"), ("NAME", "a"), ("ONLINE", "1"), ("TYPE", "b")];
    let stored =
        stored_after(&[("add", &before), ("change", &[("SUBSYSTEM", "x"), ("NEW", "1"), ("ONLINE", "0")])]);
    assert_eq!(stored, ["SUBSYSTEM=x", "NAME=a", "TYPE=b", "ONLINE=0"]);
}
