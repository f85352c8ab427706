//! Devices whose removal a consumer has not received yet: their slots are not free.

use sureplug_core::selection::Selection;
use sureplug_core::stream::{Lag, ScanKind};
use sureplug_tests::model::Script;

const NOTHING: [&str; 0] = [];

/// Three slots, and room for everything in the ring.
type Tight = Script<3, 4_096, 8_192, 4>;

/// `/a`, `/b` and `/c` were announced to the first consumer, which has not received the removals of
/// the last two.
fn two_tombstones() -> Tight {
    let mut script = Tight::new();
    for path in ["/a", "/b", "/c"] {
        script.event("add", path, &[]);
    }
    script.told();
    for path in ["/b", "/c"] {
        script.event("remove", path, &[]);
    }
    script
}

#[test]
fn holding_consumer_keeps_its_tombstones() {
    let mut script = two_tombstones();
    script.event("add", "/d", &[]);
    assert_eq!(script.stream.counts().unfit, 1);
    assert_eq!(script.told(), ["kernel remove /b", "kernel remove /c", "kernel add /d ?"]);
    assert_eq!(script.stream.counts().resets, 0);
    let outcome = script.scan(ScanKind::Settle, &[("/a", &[], 1), ("/d", &[], 2)]);
    assert_eq!((outcome.added, outcome.unfit), (1, 0));
    assert_eq!(script.told(), ["repair add /d"]);
}

#[test]
fn resettable_consumer_gets_reset_and_a_snapshot() {
    let mut script = Tight::new();
    let late = script.stream.join(Selection::ALL, Lag::Reset).expect("a place");
    for path in ["/a", "/b", "/c"] {
        script.event("add", path, &[]);
    }
    assert_eq!(script.told_to(late).len(), 3);
    for path in ["/b", "/c"] {
        script.event("remove", path, &[]);
    }
    script.told();
    script.event("add", "/d", &[]);
    assert_eq!(script.stream.counts().resets, 1);
    assert_eq!(script.told_to(late), ["reset", "scan add /a", "scan add /d", "missed 2"]);
    assert_eq!(script.told(), ["kernel add /d"], "the other one hears nothing of that");
    script.event("remove", "/d", &[]);
    assert_eq!(script.told_to(late), ["kernel remove /d"]);
}

#[test]
fn the_one_with_most_tombstones_is_made_to_forget() {
    let mut script = Tight::new();
    let both = script.stream.join(Selection::ALL, Lag::Reset).expect("a place");
    let one =
        script.stream.join(Selection::of(&[b"usb"]).expect("a selection"), Lag::Reset).expect("a place");
    for (path, subsystem) in [("/a", "usb"), ("/b", "usb"), ("/c", "tty")] {
        script.event("add", path, &[("SUBSYSTEM", subsystem)]);
    }
    for id in [script.id, both, one] {
        script.told_to(id);
    }
    script.event("remove", "/b", &[("SUBSYSTEM", "usb")]);
    script.event("remove", "/c", &[("SUBSYSTEM", "tty")]);
    script.told();
    script.event("add", "/d", &[("SUBSYSTEM", "usb")]);
    script.told();
    assert_eq!(script.told_to(one), ["kernel remove /b", "kernel add /d"]);
    assert_eq!(script.told_to(both)[0], "reset");
    assert_eq!(script.stream.counts().resets, 1);
}

/// Nothing of this needs a slot.
#[test]
fn known_devices_cause_no_reset() {
    let mut script = Tight::new();
    let late = script.stream.join(Selection::ALL, Lag::Reset).expect("a place");
    for path in ["/a", "/b", "/c"] {
        script.event("add", path, &[]);
    }
    script.told_to(late);
    script.event("remove", "/c", &[]);
    script.told();
    for action in ["change", "add", "bind"] {
        script.event(action, "/a", &[]);
    }
    script.event("remove", "/unknown", &[]);
    assert!(!script.scan(ScanKind::Settle, &[("/a", &[], 1), ("/b", &[], 2)]).has_resynced());
    script.event("remove", "/b", &[]);
    assert_eq!(script.stream.counts().resets, 0);
    script.told();
    script.scan(ScanKind::Settle, &[("/a", &[], 3)]);
    assert_eq!(script.stream.counts().resets, 1, "what was replaced needs another slot");
}

#[test]
fn leaving_consumer_keeps_no_tombstones() {
    let mut script = two_tombstones();
    let id = script.id;
    script.stream.leave(id);
    for path in ["/d", "/e"] {
        script.event("add", path, &[]);
    }
    assert_eq!((script.stream.counts().unfit, script.stream.devices()), (0, 3));
    let next = script.stream.join(Selection::ALL, Lag::Hold).expect("a place");
    assert_eq!(script.told_to(next).len(), 3);
}

#[test]
fn reset_consumer_keeps_no_tombstones() {
    let mut script = two_tombstones();
    let id = script.id;
    script.stream.reset(id);
    script.event("add", "/d", &[]);
    script.event("add", "/e", &[]);
    assert_eq!(script.stream.counts().unfit, 0);
    let told = script.told();
    assert_eq!((told[0].as_str(), told.len()), ("reset", 5), "{told:?}");
    assert_eq!(script.told(), NOTHING);
}

/// A tombstone waits for every consumer to which the device was announced, and for no other.
#[test]
fn last_delivery_of_a_remove_frees_the_slot() {
    let mut script = Script::<1, 4_096, 8_192, 4>::new();
    let ids = [Lag::Hold, Lag::Hold, Lag::Hold]
        .map(|lag| script.stream.join(Selection::ALL, lag).expect("a place"));
    script.event("add", "/a", &[]);
    for id in &ids[..2] {
        assert_eq!(script.told_to(*id).len(), 1);
    }
    script.event("remove", "/a", &[]);
    script.told_to(ids[0]);
    script.event("add", "/b", &[]);
    assert_eq!(script.stream.counts().unfit, 1, "it was not announced to the second");
    script.told_to(ids[1]);
    script.event("add", "/b", &[]);
    assert_eq!(script.stream.counts().unfit, 1);
    assert_eq!(script.told_to(ids[2]), ["scan add /b", "kernel add /b ?"], "the third never knew");
}
