//! What a scan delivers.

use sureplug_core::stream::{Look, ScanKind, ScanOutcome};
use sureplug_core::time::Instant;
use sureplug_tests::model::{Found, Script};

type Roomy = Script<24, 4_096, 8_192, 1>;

const NOTHING: [&str; 0] = [];

/// Devices that are distinguished only by their inodes.
fn scanned(found: &[Found<'_>]) -> Roomy {
    let mut script = Roomy::new();
    script.scan(ScanKind::Start, found);
    script.told();
    script
}

#[test]
fn first_scan_delivers_all_parents_first() {
    let mut script = Roomy::new();
    let found = [("/b/x", &[][..], 1), ("/b", &[], 2), ("/a", &[], 3), ("/b/x/u", &[], 4)];
    let outcome = script.scan(ScanKind::Start, &found);
    assert_eq!(script.told(), ["scan add /b", "scan add /a", "scan add /b/x", "scan add /b/x/u"]);
    assert_eq!(outcome, ScanOutcome { added: 4, ..ScanOutcome::default() });
}

#[test]
fn resync_delivers_removals_children_first_additions_parents_first_then_changes() {
    let mut script = scanned(&[("/a", &[], 1), ("/a/x", &[], 2), ("/a/x/u", &[], 3), ("/b", &[], 4)]);
    let found = [("/b", &[][..], 4), ("/c/x", &[], 5), ("/c", &[], 6)];
    let outcome = script.scan(ScanKind::Resync, &found);
    assert_eq!(
        script.told(),
        [
            "repair remove /a/x/u",
            "repair remove /a/x",
            "repair remove /a",
            "repair add /c",
            "repair add /c/x",
            "repair change /b",
        ]
    );
    assert_eq!(outcome, ScanOutcome { added: 2, removed: 3, kept: 1, ..ScanOutcome::default() });
    assert!(outcome.has_resynced());
}

#[test]
fn a_settle_scan_delivers_nothing_if_all_is_well() {
    let found = [("/a", &[][..], 1), ("/a/x", &[], 2)];
    let mut script = scanned(&found);
    let outcome = script.scan(ScanKind::Settle, &found);
    assert_eq!(script.told(), NOTHING);
    assert_eq!(outcome, ScanOutcome { kept: 2, ..ScanOutcome::default() });
    let outcome = script.scan(ScanKind::Settle, &found[..1]);
    assert_eq!(script.told(), ["repair remove /a/x"]);
    assert_eq!(outcome, ScanOutcome { kept: 1, removed: 1, ..ScanOutcome::default() });
}

#[test]
fn i3_a_device_that_a_resync_could_not_read_gets_its_change_from_the_scan_that_can() {
    let found = [("/a", &[][..], 1), ("/b", &[], 2)];
    let mut script = scanned(&found);
    // `/b` is there, but cannot be read: the caller neither saw it nor found it gone.
    script.stream.begin_scan(ScanKind::Resync);
    script.saw(found[0]);
    while script.stream.look_at_unseen().is_some() {}
    script.stream.end_scan(Instant::BOOT);
    assert_eq!(script.told(), ["repair change /a"]);
    script.scan(ScanKind::Settle, &found);
    assert_eq!(script.told(), ["repair change /b"]);
    script.scan(ScanKind::Settle, &found);
    assert_eq!(script.told(), NOTHING);
}

#[test]
fn kept_device_is_delivered_with_its_present_properties() {
    let mut script = scanned(&[("/a", &[("DRIVER", "old")], 1)]);
    script.scan(ScanKind::Resync, &[("/a", &[("DRIVER", "new"), ("MORE", "so that it moves")], 1)]);
    script.next_with(script.id, &mut |entry| {
        assert_eq!(entry.uevent.driver(), Some(&b"new"[..]));
        assert_eq!(entry.uevent.seqnum(), None);
    });
}

#[test]
fn a_device_with_another_inode_was_replaced() {
    let mut script = scanned(&[("/a", &[], 1)]);
    let outcome = script.scan(ScanKind::Resync, &[("/a", &[], 2)]);
    assert_eq!(script.told(), ["repair remove /a", "repair add /a"]);
    assert_eq!(outcome, ScanOutcome { replaced: 1, ..ScanOutcome::default() });
    assert!(!script.scan(ScanKind::Resync, &[("/a", &[], 2)]).has_resynced());
}

/// Nothing distinguishes it from the device that an event announced: it is delivered as kept. Its
/// inode is known from then on.
#[test]
fn a_device_whose_inode_was_not_known_is_kept() {
    let mut script = Roomy::new();
    script.event("add", "/a", &[]);
    script.told();
    assert_eq!(script.scan(ScanKind::Resync, &[("/a", &[], 2)]).kept, 1);
    assert_eq!(script.told(), ["repair change /a"]);
    assert_eq!(script.scan(ScanKind::Resync, &[("/a", &[], 3)]).replaced, 1);
}

#[test]
fn unreadable_inode_decides_nothing() {
    let mut script = scanned(&[("/a", &[], 1)]);
    assert_eq!(script.scan(ScanKind::Resync, &[("/a", &[], 0)]).kept, 1);
    assert_eq!(script.scan(ScanKind::Resync, &[("/a", &[], 2)]).replaced, 1);
}

/// In any order, and even if the inodes of the descendants were unknown.
#[test]
fn replaced_ancestor_replaces_its_descendants() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
        let mut script = scanned(&[("/a", &[], 1)]);
        script.event("add", "/a/x", &[]);
        script.event("add", "/a/x/u", &[]);
        script.told();
        let found = [("/a", &[][..], 2), ("/a/x", &[], 3), ("/a/x/u", &[], 4)];
        let outcome = script.scan(ScanKind::Settle, &order.map(|index| found[index]));
        assert_eq!(
            script.told(),
            [
                "repair remove /a/x/u",
                "repair remove /a/x",
                "repair remove /a",
                "repair add /a",
                "repair add /a/x",
                "repair add /a/x/u",
            ]
        );
        assert_eq!(outcome, ScanOutcome { replaced: 3, ..ScanOutcome::default() });
        assert!(!script.scan(ScanKind::Settle, &found).has_resynced(), "it knows them now");
    }
}

#[test]
fn vanished_descendants_of_a_replaced_device_are_removed() {
    let mut script = scanned(&[("/a", &[], 1), ("/a/x", &[], 2)]);
    script.scan(ScanKind::Settle, &[("/a", &[], 3)]);
    assert_eq!(script.told(), ["repair remove /a/x", "repair remove /a", "repair add /a"]);
}

#[test]
fn descendants_of_a_vanished_device_are_removed() {
    let mut script = scanned(&[("/a", &[], 1), ("/a/x", &[], 2)]);
    script.stream.begin_scan(ScanKind::Settle);
    script.saw(("/a/x", &[], 2));
    script.finish();
    assert_eq!(script.told(), ["repair remove /a/x", "repair remove /a"]);
}

#[test]
fn an_event_about_a_device_is_newer_than_what_was_read_of_it() {
    for action in ["add", "change", "remove", "bind"] {
        let mut script = Roomy::new();
        script.stream.begin_scan(ScanKind::Start);
        script.stream.look_at(b"/a");
        script.event(action, "/a", &[]);
        assert_eq!(script.saw_late(("/a", &[("OLD", "1")], 1)), Look::Touched, "{action}");
        assert_eq!(script.saw(("/b", &[], 1)), Look::Taken, "the next look is another one");
        script.stream.look_at(b"/a");
        script.event(action, "/a", &[]);
        assert_eq!(script.stream.gone(), Look::Touched, "{action}");
    }
}

#[test]
fn an_event_above_a_device_is_newer_if_it_may_take_that_along() {
    for (action, look) in [("remove", Look::Touched), ("change", Look::Taken), ("add", Look::Taken)] {
        let mut script = scanned(&[("/a", &[], 1)]);
        script.stream.begin_scan(ScanKind::Resync);
        script.stream.look_at(b"/a/x");
        script.event(action, "/a", &[]);
        assert_eq!(script.saw_late(("/a/x", &[], 2)), look, "{action}");
        script.stream.look_at(b"/a-b");
        script.event(action, "/a", &[]);
        assert_eq!(script.saw_late(("/a-b", &[], 2)), Look::Taken, "{action}");
    }
}

#[test]
fn outside_of_a_scan_nothing_is_taken() {
    let mut script = scanned(&[("/a", &[], 1)]);
    assert_eq!(script.saw(("/b", &[], 1)), Look::Touched);
    script.stream.look_at(b"/a");
    assert_eq!(script.stream.gone(), Look::Touched);
    assert!(script.stream.look_at_unseen().is_none());
    assert_eq!(script.stream.end_scan(Instant::BOOT), ScanOutcome::default());
    assert_eq!(script.told(), NOTHING);
}

#[test]
fn found_parent_is_announced_before_its_child() {
    let mut script = Roomy::new();
    script.stream.begin_scan(ScanKind::Resync);
    for path in ["/a/x", "/a", "/b", "/a/x/u/v"] {
        script.saw((path, &[], 1));
    }
    script.event("add", "/a/x/u", &[]);
    assert_eq!(script.told(), ["repair add /a", "repair add /a/x", "kernel add /a/x/u"]);
    let outcome = script.stream.end_scan(Instant::BOOT);
    assert_eq!(script.told(), ["repair add /b", "repair add /a/x/u/v"]);
    assert_eq!(outcome.added, 4);
}

#[test]
fn unreadable_device_stays_in_the_table() {
    let mut script = scanned(&[("/a", &[], 1), ("/b", &[], 2)]);
    script.stream.begin_scan(ScanKind::Settle);
    let mut looks = 0;
    while script.stream.look_at_unseen().is_some() {
        looks += 1;
    }
    assert_eq!((looks, script.stream.end_scan(Instant::BOOT)), (2, ScanOutcome::default()));
    assert_eq!(script.told(), NOTHING);
}

#[test]
fn a_scan_that_begins_anew_forgets_what_was_found() {
    let mut script = scanned(&[("/a", &[], 1)]);
    script.stream.begin_scan(ScanKind::Resync);
    script.saw(("/b", &[], 2));
    script.stream.look_at(b"/a");
    script.stream.gone();
    script.stream.begin_scan(ScanKind::Resync);
    script.saw(("/a", &[], 1));
    script.finish();
    assert_eq!(script.told(), ["repair change /a"]);
}

#[test]
fn device_that_comes_and_goes_during_a_scan_is_delivered_by_its_events() {
    let mut script = scanned(&[("/a", &[], 1)]);
    script.stream.begin_scan(ScanKind::Settle);
    script.saw(("/a", &[], 1));
    script.saw(("/b", &[], 2));
    script.saw(("/b/x", &[], 3));
    for (action, path) in [("remove", "/a"), ("add", "/c"), ("remove", "/b"), ("add", "/a")] {
        script.event(action, path, &[]);
    }
    assert_eq!(script.told(), ["kernel remove /a", "kernel add /c", "kernel add /a"]);
    assert_eq!(script.finish(), ScanOutcome::default());
    assert_eq!(script.told(), NOTHING);
    assert_eq!(script.stream.devices(), 2);
}

#[test]
fn a_device_that_an_event_added_is_known_by_its_directory() {
    let mut script = Roomy::new();
    script.event_at("add", "/a", &[], 1);
    script.event_at("add", "/b", &[], 0);
    script.told();
    assert_eq!(script.scan(ScanKind::Settle, &[("/a", &[], 2), ("/b", &[], 3)]).replaced, 1);
    assert_eq!(script.told(), ["repair remove /a", "repair add /a"]);
}

#[test]
fn a_device_that_moved_keeps_its_directory() {
    let mut script = Roomy::new();
    script.event_at("add", "/a", &[], 1);
    // By then another one may be there.
    script.event_at("move", "/b", &[("DEVPATH_OLD", "/a")], 2);
    // Not known where it was.
    script.event_at("move", "/d", &[("DEVPATH_OLD", "/c")], 4);
    script.told();
    assert_eq!(script.scan(ScanKind::Settle, &[("/b", &[], 1), ("/d", &[], 4)]).kept, 2);
    assert_eq!(script.scan(ScanKind::Settle, &[("/b", &[], 2), ("/d", &[], 5)]).replaced, 2);
}
