//! Events and looks at the same device, in the orders in which they were mistaken once.

use sureplug_core::selection::Selection;
use sureplug_core::stream::{Lag, Look, ScanKind};
use sureplug_core::time::Instant;
use sureplug_core::uevent::Uevent;
use sureplug_tests::model::{Script, uevent};

type Roomy = Script<24, 4_096, 8_192, 2>;

const NOTHING: [&str; 0] = [];

/// `/a` and `/a/x`, announced by a scan, then replaced while events were lost; a resync has seen
/// the new `/a`.
fn replaced() -> Roomy {
    let mut script = Roomy::new();
    script.scan(ScanKind::Start, &[("/a", &[], 1), ("/a/x", &[], 2)]);
    script.told();
    script.stream.begin_scan(ScanKind::Resync);
    assert_eq!(script.saw(("/a", &[("NEW", "1")], 3)), Look::Taken);
    script
}

/// The event is about the new device, but does not show it.
#[test]
fn a_replacement_is_delivered_although_the_new_device_sends_an_event_then() {
    for action in ["change", "bind", "add"] {
        let mut script = replaced();
        script.event(action, "/a", &[("NEW", "2")]);
        assert_eq!(script.told()[..2], ["repair remove /a/x", "repair remove /a"], "{action}");
        script.saw(("/a/x", &[], 4));
        script.finish();
        assert!(script.told().contains(&"repair add /a/x".to_owned()), "{action}");
        let found = [("/a", &[][..], 3), ("/a/x", &[], 4)];
        assert!(!script.scan(ScanKind::Settle, &found).has_resynced(), "{action}: its inode is known");
    }
}

/// Announced descendants of the old device are looked for below the new one.
#[test]
fn descendants_of_a_replaced_device_are_scanned() {
    let mut script = replaced();
    script.event("change", "/a", &[]);
    let mut unseen = Vec::new();
    while let Some((path, _)) = script.stream.look_at_unseen() {
        unseen.push(path.to_vec());
        script.stream.gone();
    }
    assert_eq!(unseen, [b"/a/x"]);
    script.stream.end_scan(Instant::BOOT);
    assert_eq!(
        script.told(),
        ["repair remove /a/x", "repair remove /a", "repair add /a", "kernel change /a"]
    );
}

#[test]
fn a_replaced_device_that_goes_is_gone() {
    let mut script = replaced();
    script.event("remove", "/a", &[]);
    assert_eq!(script.told(), ["repair remove /a/x", "kernel remove /a"]);
    script.finish();
    assert_eq!(script.told(), NOTHING);
}

/// The look has seen that the old one is gone; its `remove` was lost.
#[test]
fn device_added_at_an_empty_devpath_is_a_new_one() {
    let mut script = Roomy::new();
    script.event("add", "/a", &[]);
    script.told();
    script.stream.begin_scan(ScanKind::Resync);
    script.stream.look_at(b"/a");
    assert_eq!(script.stream.gone(), Look::Taken);
    script.event("add", "/a", &[]);
    script.finish();
    assert_eq!(script.told(), ["repair remove /a", "kernel add /a"]);
}

/// Another look finds something there.
#[test]
fn device_seen_at_an_empty_devpath_is_a_new_one() {
    let mut script = Roomy::new();
    script.event("add", "/a", &[]);
    script.told();
    script.stream.begin_scan(ScanKind::Resync);
    script.stream.look_at(b"/a");
    script.stream.gone();
    script.saw(("/a", &[], 1));
    script.finish();
    assert_eq!(script.told(), ["repair remove /a", "repair add /a"]);
}

/// The `remove` of the old one was lost before the scan, and the new one came too late to be listed.
#[test]
fn device_with_an_event_is_still_scanned() {
    let mut script = Roomy::new();
    script.scan(ScanKind::Start, &[("/a", &[], 1), ("/b", &[], 2)]);
    script.told();
    script.stream.begin_scan(ScanKind::Resync);
    script.saw(("/b", &[], 2));
    script.event("add", "/a", &[]);
    assert_eq!(script.stream.look_at_unseen().map(|(path, _)| path.to_vec()), Some(b"/a".to_vec()));
    script.saw_late(("/a", &[], 3));
    script.finish();
    let told = ["kernel change /a (add)", "repair remove /a", "repair add /a", "repair change /b"];
    assert_eq!(script.told(), told);
}

/// It was sent before the events that were lost, and is applied when the scan has begun.
#[test]
fn an_event_that_is_older_than_the_scan_is_not_believed() {
    let mut script = Roomy::new();
    script.stream.begin_scan(ScanKind::Resync);
    script.stream.look_at(b"/b");
    script.event("add", "/a", &[]);
    script.saw_late(("/b", &[], 2));
    script.finish();
    assert_eq!(script.told(), ["kernel add /a", "repair remove /a", "repair add /b"]);
}

/// The same, where it comes during the first look at something that was not seen, and has a place in the
/// table that the search was past.
#[test]
fn an_event_that_is_older_than_the_scan_is_not_believed_if_nothing_is_listed() {
    let mut script = Script::<4, 4_096, 8_192, 1>::new();
    for (action, path) in [("add", "/p"), ("add", "/q"), ("remove", "/p")] {
        script.event(action, path, &[]);
    }
    script.told();
    script.stream.begin_scan(ScanKind::Resync);
    assert_eq!(script.stream.look_at_unseen().map(|(path, _)| path.to_vec()), Some(b"/q".to_vec()));
    for path in ["/a", "/b", "/c"] {
        script.event("add", path, &[]);
    }
    script.stream.gone();
    script.finish();
    assert_eq!(script.stream.devices(), 0);
}

/// It has not been seen yet, and moves to a place that the search was past.
#[test]
fn moved_device_is_scanned_again() {
    let mut script = Script::<5, 4_096, 8_192, 1>::new();
    for path in ["/p", "/r", "/q", "/a", "/a/x"] {
        script.event("add", path, &[]);
    }
    script.event("remove", "/p", &[]);
    script.event("remove", "/r", &[]);
    script.told();
    script.stream.begin_scan(ScanKind::Resync);
    script.saw(("/a", &[], 1));
    assert_eq!(script.stream.look_at_unseen().map(|(path, _)| path.to_vec()), Some(b"/q".to_vec()));
    script.moved("/a", "/b", &[]);
    script.stream.gone();
    assert_eq!(script.stream.look_at_unseen().map(|(path, _)| path.to_vec()), Some(b"/b/x".to_vec()));
    script.stream.gone();
    script.finish();
    assert_eq!(script.stream.devpaths().collect::<Vec<_>>(), [b"/b"]);
}

/// The same for what is below a device that an event shows to be another one.
#[test]
fn descendants_of_a_replaced_device_are_scanned_again() {
    let mut script = Script::<5, 4_096, 8_192, 1>::new();
    for path in ["/p", "/r", "/a", "/a/x", "/q"] {
        script.event("add", path, &[("DEVNUM", "1")]);
    }
    for path in ["/p", "/r"] {
        script.event("remove", path, &[("DEVNUM", "1")]);
    }
    script.told();
    script.stream.begin_scan(ScanKind::Resync);
    script.stream.look_at(b"/none");
    script.stream.gone();
    assert_eq!(script.stream.look_at_unseen().map(|(path, _)| path.to_vec()), Some(b"/a".to_vec()));
    script.event("add", "/a", &[("DEVNUM", "2")]);
    script.stream.gone();
    script.finish();
    assert_eq!(script.stream.devpaths().collect::<Vec<_>>(), [b"/a"]);
}

/// The announced properties are those of the old device.
#[test]
fn unseen_parent_is_not_announced() {
    let mut script = replaced();
    script.event("change", "/a", &[]);
    script.event("add", "/a/x/u", &[]);
    script.saw(("/a/x", &[("NEW", "1")], 4));
    script.finish();
    assert_eq!(script.told()[4..], ["kernel add /a/x/u", "repair add /a/x"]);
}

/// It could not be read: it is delivered as replaced together with its parent, and its inode is
/// unknown.
#[test]
fn unseen_replacement_is_not_replaced_again() {
    let mut script = replaced();
    assert!(script.stream.look_at_unseen().is_some());
    script.finish();
    let told = ["repair remove /a/x", "repair remove /a", "repair add /a", "repair add /a/x"];
    assert_eq!(script.told(), told);
    let outcome = script.scan(ScanKind::Settle, &[("/a", &[], 3), ("/a/x", &[], 4)]);
    assert_eq!((outcome.kept, outcome.has_resynced()), (2, false));
}

#[test]
fn child_of_a_replacement_is_delivered_below_it() {
    let mut script = Roomy::new();
    script.scan(ScanKind::Start, &[("/a", &[], 1)]);
    script.told();
    script.stream.begin_scan(ScanKind::Settle);
    script.saw(("/b", &[], 9));
    script.event("add", "/a/x", &[]);
    script.saw(("/a", &[], 2));
    script.finish();
    assert_eq!(
        script.told(),
        [
            "kernel add /a/x",
            "repair remove /a/x",
            "repair remove /a",
            "repair add /b",
            "repair add /a",
            "repair add /a/x"
        ]
    );
}

/// An event about a device that a scan has found keeps what only the scan knows.
#[test]
fn the_inode_of_what_was_found_is_kept_when_its_add_comes() {
    let mut script = Roomy::new();
    script.stream.begin_scan(ScanKind::Start);
    script.saw(("/a", &[], 1));
    script.event("add", "/a", &[]);
    script.finish();
    assert_eq!(script.scan(ScanKind::Settle, &[("/a", &[], 2)]).replaced, 1);
}

/// Also if what is above it turns out to be new.
#[test]
fn the_inode_of_what_was_found_is_kept_below_a_replaced_device() {
    let mut script = Roomy::new();
    script.scan(ScanKind::Start, &[("/a", &[], 1)]);
    script.stream.begin_scan(ScanKind::Resync);
    script.saw(("/a/x", &[], 2));
    script.event("add", "/a/x", &[]);
    script.saw(("/a", &[], 3));
    script.finish();
    assert_eq!(script.scan(ScanKind::Settle, &[("/a", &[], 3), ("/a/x", &[], 4)]).replaced, 1);
}

/// A consumer of the old subsystem receives the removal, and not the properties of the new device.
#[test]
fn another_subsystem_is_another_device() {
    let mut script = Roomy::new();
    script.event("add", "/a", &[("SUBSYSTEM", "usb")]);
    script.event("change", "/a", &[("SUBSYSTEM", "tty")]);
    assert_eq!(script.told(), ["kernel add /a", "repair remove /a", "kernel add /a (change)"]);
}

/// The first one was removed, and a second one added, before the first event was applied: the directory is the second's.
#[test]
fn the_directory_of_a_successor_does_no_harm() {
    let mut script = Roomy::new();
    for action in ["add", "remove", "add"] {
        script.event_at(action, "/a", &[], 2);
    }
    assert_eq!(script.told(), ["kernel add /a", "kernel remove /a", "kernel add /a"]);
    assert_eq!(script.scan(ScanKind::Settle, &[("/a", &[], 2)]).kept, 1);
}

/// The same where the `remove` was lost.
#[test]
fn the_directory_of_a_successor_does_no_harm_without_the_removal() {
    let mut script = Roomy::new();
    script.event_at("add", "/a", &[("IFINDEX", "1")], 2);
    script.event_at("add", "/a", &[("IFINDEX", "2")], 2);
    assert_eq!(script.told(), ["kernel add /a", "repair remove /a", "kernel add /a"]);
    assert_eq!(script.scan(ScanKind::Settle, &[("/a", &[("IFINDEX", "2")], 2)]).kept, 1);
}

/// A scan saw the one that was there before, and the events of that were lost.
#[test]
fn the_directory_of_an_add_is_believed_more_than_what_a_scan_found_before() {
    let mut script = Roomy::new();
    script.stream.begin_scan(ScanKind::Start);
    script.saw(("/a", &[], 1));
    script.event_at("add", "/a", &[], 2);
    script.finish();
    assert_eq!(script.scan(ScanKind::Settle, &[("/a", &[], 2)]).kept, 1);
}

/// Its `add` was still queued when the scan began, and a later `change` was lost.
#[test]
fn i3_a_device_whose_add_is_older_than_a_resync_gets_its_lost_change() {
    let mut script = Roomy::new();
    script.scan(ScanKind::Start, &[("/a", &[], 1)]);
    script.told();
    script.stream.begin_scan(ScanKind::Resync);
    script.event("add", "/b", &[("STATE", "old")]);
    script.saw(("/a", &[], 1));
    script.saw(("/b", &[("STATE", "new")], 2));
    script.finish();
    assert_eq!(script.told(), ["kernel add /b", "repair change /a", "repair change /b"]);
}

/// An event that is sent while the scan goes on is no older than what was lost.
#[test]
fn a_device_whose_add_comes_during_a_resync_gets_no_change() {
    let mut script = Roomy::new();
    script.scan(ScanKind::Start, &[("/a", &[], 1)]);
    script.told();
    script.stream.begin_scan(ScanKind::Resync);
    script.saw(("/a", &[], 1));
    script.event("add", "/b", &[]);
    script.saw(("/b", &[], 2));
    script.finish();
    assert_eq!(script.told(), ["kernel add /b", "repair change /a"]);
}

/// Its `add` was lost, and what its first event has of a driver is stored with it until the scan has read it.
#[test]
fn i3_a_device_whose_first_event_in_a_resync_is_a_change_gets_another_one() {
    let mut script = Roomy::new();
    script.stream.begin_scan(ScanKind::Resync);
    script.saw(("/a", &[], 1));
    script.event("change", "/b", &[("EXTRA", "1"), ("STATE", "old")]);
    script.event("change", "/b", &[("OTHER", "1")]);
    script.saw(("/b", &[], 2));
    script.finish();
    let told = ["kernel add /b (change)", "kernel change /b", "repair add /a", "repair change /b"];
    assert_eq!(script.told(), told);
}

/// The `remove` of the one before was lost, and so was the `add`.
#[test]
fn i4_a_directory_is_wanted_for_an_event_that_adds_another_device() {
    let mut script = Roomy::new();
    script.event_at("add", "/a", &[("IFINDEX", "1")], 1);
    let wants = |action, index| {
        let datagram = uevent(action, "/a", &[("IFINDEX", index)]);
        script.stream.wants_directory(&Uevent::parse(&datagram).expect("an event"))
    };
    assert!(!wants("change", "1"));
    assert!(wants("change", "2"));
    assert!(!wants("remove", "2"));
}

/// The event of a changed medium has the `DISKSEQ` of the one before, and user space asks for another event then.
#[test]
fn i3_a_disk_triggered_after_its_medium_was_changed_keeps_what_is_below_it() {
    let mut script = Roomy::new();
    script.event_at("add", "/a", &[("DISKSEQ", "1")], 0);
    script.event_at("add", "/a/x", &[], 0);
    script.event("change", "/a", &[("DISK_MEDIA_CHANGE", "1"), ("DISKSEQ", "1")]);
    script.told();
    script.event_at("add", "/a", &[("SYNTH_UUID", "0"), ("DISKSEQ", "2")], 0);
    assert_eq!(script.told(), ["kernel change /a (add)"]);
}

/// A driver's own property stands first in the event that is the first of a device that a scan has found.
#[test]
fn i3_a_change_of_a_device_that_a_scan_has_found_leaves_no_property_behind() {
    let mut script = Roomy::new();
    script.stream.begin_scan(ScanKind::Start);
    script.saw(("/a", &[("PRODUCT", "1/1/1"), ("STATE", "old")], 1));
    script.event("change", "/a", &[("EXTRA", "1"), ("PRODUCT", "1/1/1"), ("STATE", "new")]);
    script.event("change", "/a", &[("PRODUCT", "1/1/1")]);
    script.finish();
    script.told();
    let late = script.stream.join(Selection::ALL, Lag::Hold).expect("a place");
    let mut states = Vec::new();
    while script
        .next_with(late, &mut |entry| states.push(entry.uevent.property(b"STATE").is_some()))
        .is_some()
    {}
    assert_eq!(states, [false]);
}
