//! Consumers that do not keep up.

use sureplug_core::selection::Selection;
use sureplug_core::stream::{ConsumerId, Delivery, DeliveryBuffer, Directory, Lag, ScanKind, Scope, Stream};
use sureplug_core::time::Instant;
use sureplug_core::uevent::Uevent;
use sureplug_tests::model::Script;

const NOTHING: [&str; 0] = [];

/// A ring of about ten steps.
type Small = Script<16, 4_096, 600, 3>;

fn with(paths: &[&str]) -> Small {
    let mut script = Small::new();
    for path in paths {
        script.event("add", path, &[]);
    }
    script.told();
    script
}

/// More than the ring holds.
fn storm(script: &mut Small, path: &str) {
    for _ in 0..12 {
        script.event("change", path, &[("X", "more than ten steps")]);
    }
}

#[test]
fn new_consumer_gets_a_snapshot_parents_first() {
    let mut script = with(&["/b/x", "/a", "/b", "/c"]);
    script.event("remove", "/c", &[]);
    let late = script.stream.join(Selection::ALL, Lag::Hold).expect("a place");
    assert_eq!(script.told_to(late), ["scan add /a", "scan add /b", "scan add /b/x"]);
    script.event("change", "/a", &[]);
    assert_eq!(script.told_to(late), ["kernel change /a"]);
}

#[test]
fn consumers_are_limited_to_the_places() {
    let mut script = Small::new();
    let second = script.stream.join(Selection::ALL, Lag::Hold).expect("a place");
    assert!(script.stream.join(Selection::ALL, Lag::Hold).is_some());
    assert!(script.stream.join(Selection::ALL, Lag::Hold).is_none());
    script.stream.leave(second);
    assert_eq!(script.stream.join(Selection::ALL, Lag::Hold), Some(second));
    script.stream.leave(second);
    assert_eq!(script.told_to(second), NOTHING, "no device is present");
    script.stream.leave(second);
    script.stream.reset(second);
    assert_eq!(script.stream.read_steps(second), 0);
}

#[test]
fn lagging_consumer_gets_missed_and_a_delta() {
    let mut script = with(&["/a", "/a/x", "/b", "/b/c/d"]);
    storm(&mut script, "/b");
    for path in ["/a/x", "/a"] {
        script.event("remove", path, &[]);
    }
    for path in ["/d", "/d/x"] {
        script.event("add", path, &[]);
    }
    script.event("remove", "/b/c/d", &[]);
    script.event("add", "/b/c/d", &[]);
    let told = [
        "missed 18",
        "repair remove /b/c/d",
        "repair remove /a/x",
        "repair remove /a",
        "repair add /d",
        "repair add /d/x",
        "repair add /b/c/d",
        "repair change /b",
    ];
    assert_eq!(script.told(), told);
}

#[test]
fn delta_omits_devices_that_came_and_went() {
    let mut script = with(&["/b"]);
    script.event("add", "/a", &[]);
    storm(&mut script, "/a");
    script.event("remove", "/a", &[]);
    assert_eq!(script.told(), ["missed 14"]);
}

/// One step at a time, while events go on: each step stands for itself.
#[test]
fn the_difference_goes_on_after_any_step() {
    let mut script = with(&["/a", "/a/b", "/c"]);
    storm(&mut script, "/a");
    script.event("remove", "/a/b", &[]);
    script.event("add", "/d", &[]);
    assert_eq!(script.next(script.id).as_deref(), Some("missed 14"));
    script.event("remove", "/c", &[]);
    assert_eq!(script.next(script.id).as_deref(), Some("repair remove /a/b"));
    script.event("change", "/a", &[]);
    script.event("add", "/a/b", &[]);
    assert_eq!(script.next(script.id).as_deref(), Some("repair remove /c"));
    script.event("remove", "/d", &[]);
    script.event("change", "/a/b", &[]);
    assert_eq!(script.next(script.id).as_deref(), Some("repair add /a/b"));
    script.event("remove", "/a/b", &[]);
    assert_eq!(script.next(script.id).as_deref(), Some("repair remove /a/b"));
    let told = ["repair change /a", "kernel change /a"];
    assert_eq!(script.told(), told, "for what was missed, and for what came then");
    assert_eq!(script.stream.read_steps(script.id), script.stream.steps());
}

/// Checks that a consumer that takes one step a round converges, with a ring of `R` bytes, although
/// one device comes and goes in each round.
fn converges_beside_a_flapping_device<const R: usize>() {
    let mut script = Script::<16, 4_096, R, 1>::new();
    for path in ["/a", "/b/x", "/f"] {
        script.event("add", path, &[]);
        script.told();
    }
    let changes = ["/b/x", "/d", "/d/e/g"];
    for path in ["/d/e/g", "/d/e", "/d"] {
        script.event("add", path, &[]);
    }
    for path in ["/a"; 12].into_iter().chain(changes) {
        script.event("change", path, &[("X", "more than ten steps")]);
    }
    let mut told = Vec::new();
    for _ in 0..32 {
        for (action, path) in [("remove", "/f"), ("add", "/f")] {
            script.event(action, path, &[]);
        }
        for path in changes {
            script.event("change", path, &[]);
        }
        told.extend(script.next(script.id));
    }
    let place = |step: &str| {
        told.iter().position(|told| told == step).unwrap_or_else(|| panic!("no {step} in {told:#?}"))
    };
    assert!(place("repair add /d") < place("repair add /d/e"));
    assert!(place("repair add /d/e") < place("repair add /d/e/g"));
    place("repair change /a");
    place("repair change /b/x");
}

#[test]
fn i3_flapping_device_starves_no_other_device() {
    converges_beside_a_flapping_device::<600>();
}

#[test]
fn i3_flapping_device_starves_no_other_device_if_each_round_overwrites_the_ring() {
    converges_beside_a_flapping_device::<300>();
    converges_beside_a_flapping_device::<40>();
}

#[test]
fn delta_adds_a_late_parent_before_its_descendants() {
    let mut script = with(&["/a"]);
    for path in ["/b/c", "/d/e/f"] {
        script.event("add", path, &[]);
    }
    storm(&mut script, "/a");
    assert_eq!(script.next(script.id).as_deref(), Some("missed 14"));
    assert_eq!(script.next(script.id).as_deref(), Some("repair add /b/c"));
    script.event("add", "/d", &[]);
    assert_eq!(script.told(), ["repair add /d", "repair change /a", "repair add /d/e/f"]);
}

#[test]
fn events_missed_during_a_delta_are_counted_behind_it() {
    let mut script = with(&["/a", "/b"]);
    storm(&mut script, "/a");
    script.event("remove", "/b", &[]);
    assert_eq!(script.next(script.id).as_deref(), Some("missed 13"));
    storm(&mut script, "/a");
    assert_eq!(script.told(), ["repair remove /b", "repair change /a", "missed 12"]);
}

#[test]
fn returned_device_is_delivered_as_a_new_one() {
    let mut script = with(&["/a"]);
    storm(&mut script, "/a");
    for _ in 0..3 {
        script.event("remove", "/a", &[]);
        script.event("add", "/a", &[]);
    }
    assert_eq!(script.told(), ["missed 18", "repair remove /a", "repair add /a"]);
}

/// Its slot went to another device before the step was read.
#[test]
fn an_addition_whose_device_is_forgotten_is_delivered_as_missed() {
    let mut script = Script::<2, 4_096, 8_192, 2>::new();
    let late = script.stream.join(Selection::ALL, Lag::Hold).expect("a place");
    assert_eq!(script.told_to(late), NOTHING);
    for path in ["/a", "/b", "/c"] {
        script.event("add", path, &[]);
        script.event("remove", path, &[]);
        script.told();
    }
    script.event("add", "/d", &[]);
    assert_eq!(script.told_to(late), ["missed 7", "repair add /d"]);
}

#[test]
fn an_event_that_is_larger_than_the_ring_is_delivered_as_missed() {
    let mut script = Script::<4, 4_096, 100, 2>::new();
    let long = "x".repeat(90);
    script.event("add", "/a", &[("X", &long)]);
    assert_eq!(script.told(), ["missed 1", "repair add /a"]);
    script.event("change", "/a", &[("X", &long)]);
    assert_eq!(script.told(), ["missed 1", "repair change /a"]);
    script.event("change", "/a", &[]);
    assert_eq!(script.told(), ["kernel change /a"]);
    script.event("remove", "/a", &[("X", &long)]);
    assert_eq!(script.told(), ["missed 1", "repair remove /a"]);
    assert_eq!(script.stream.counts().oversized, 3);
}

#[test]
fn a_record_may_stand_across_the_end_of_the_ring() {
    let mut script = Small::new();
    script.event("add", "/a", &[]);
    for length in 0..200 {
        let text = "z".repeat(length % 97);
        script.event("change", "/a", &[("X", &text)]);
        script.next_with(script.id, &mut |entry| {
            assert!(length == 0 || entry.uevent.property(b"X").is_none_or(|x| x.iter().all(|&b| b == b'z')));
        });
        script.told();
    }
    assert_eq!(script.stream.steps(), 201);
}

/// It reads a step a time while two others come and go, and gets to the end of 512 devices.
#[test]
fn the_slowest_gets_there() {
    let mut script = Script::<600, 65_536, 400, 2>::new();
    let found: Vec<String> = (0..512).map(|number| format!("/usb1/hub{}/{number}", number % 7)).collect();
    let found: Vec<_> = found.iter().map(|path| (path.as_str(), &[][..], 1)).collect();
    script.scan(ScanKind::Start, &found);
    let slow = script.stream.join(Selection::ALL, Lag::Hold).expect("a place");
    let mut told = Vec::new();
    for round in 0..2_000 {
        let action = if round % 2 == 0 { "add" } else { "remove" };
        script.event(action, "/usb1/flap/a", &[]);
        script.event(action, "/usb1/flap/b", &[("X", "something long, so that the ring is soon full of it")]);
        told.extend(script.next(slow));
        let adds = told.iter().filter(|line| line.starts_with("scan add /usb1/hub")).count();
        if adds == 512 {
            break;
        }
    }
    let adds = told.iter().filter(|line| line.starts_with("scan add /usb1/hub")).count();
    assert_eq!(adds, 512, "after {} steps", told.len());
    script.told_to(slow);
    assert_eq!(script.told_to(slow), NOTHING);
}

#[test]
fn stamps_come_back() {
    let mut script = with(&["/a"]);
    let event = b"change@/a\0ACTION=change\0DEVPATH=/a\0";
    let uevent = Uevent::parse(event).expect("a uevent");
    let stamp = Instant::from_nanos(77);
    script.stream.event(stamp, &uevent, Scope::Tracked, Directory::Unknown);
    let mut stamps = Vec::new();
    while script.next_with(script.id, &mut |entry| stamps.push(entry.stamp)).is_some() {}
    assert_eq!(stamps, [stamp]);
}

#[test]
fn undelivered_events_count_in_the_middle_of_a_delta() {
    let mut stream = Stream::<8, 2_048, 400, 1>::new();
    let id = stream.join(Selection::ALL, Lag::Hold).expect("a place");
    let mut packet = DeliveryBuffer::new();
    assert!(stream.next(id, Instant::BOOT, &mut packet).is_none());
    for path in ["/a", "/b", "/c"] {
        for action in ["add", "change", "change"] {
            let text = format!("{action}@{path}\0ACTION={action}\0DEVPATH={path}\0SUBSYSTEM=usb\0");
            let uevent = Uevent::parse(text.as_bytes()).expect("an event");
            stream.event(Instant::BOOT, &uevent, Scope::Tracked, Directory::Unknown);
        }
    }
    let unread = |stream: &Stream<8, 2_048, 400, 1>| stream.unread(id);
    assert_eq!(unread(&stream), 9);
    assert_eq!(stream.next(id, Instant::BOOT, &mut packet), Some(Delivery::Missed { steps: 9 }));
    for left in [3, 2, 1] {
        assert_eq!(unread(&stream), left);
        assert!(matches!(stream.next(id, Instant::BOOT, &mut packet), Some(Delivery::Event(_))));
    }
    assert_eq!(unread(&stream), 0);
    assert!(stream.next(id, Instant::BOOT, &mut packet).is_none());
}

/// A ring of about ten steps, and a consumer beside the first that reads everything.
fn supplies() -> (Small, ConsumerId) {
    let mut script = Small::new();
    for path in ["/a", "/b", "/c"] {
        script.event("add", path, &[("SUBSYSTEM", "power_supply"), ("NAME", path), ("ONLINE", "1")]);
    }
    let other = script.stream.join(Selection::ALL, Lag::Hold).expect("a place");
    script.told_to(other);
    script.told();
    (script, other)
}

#[test]
fn i3_kept_device_with_a_missed_event_gets_change() {
    let (mut script, other) = supplies();
    for number in 0..12 {
        for path in ["/a", "/b"] {
            let online = if number % 2 == 0 { "0" } else { "2" };
            script.event(
                "change",
                path,
                &[("SUBSYSTEM", "power_supply"), ("NAME", path), ("ONLINE", online)],
            );
        }
        script.told_to(other);
    }
    assert_eq!(script.next(script.id).as_deref(), Some("missed 24"));
    for path in ["/a", "/b"] {
        let told = script.next_with(script.id, &mut |entry| {
            assert_eq!(entry.uevent.property(b"ONLINE"), Some(&b"2"[..]));
            assert_eq!(entry.uevent.seqnum(), None);
        });
        assert_eq!(told, Some(format!("repair change {path}")));
    }
    assert_eq!(script.told(), NOTHING, "/c had no event");
    assert_eq!(script.told_to(other), NOTHING, "it missed nothing");
}

/// What a kernel loss makes is in the journal as well, and can be missed.
#[test]
fn i3_a_missed_change_of_a_resync_is_delivered_later() {
    let (mut script, other) = supplies();
    let found = ["/a", "/b", "/c"].map(|path| (path, [("SUBSYSTEM", "power_supply"), ("NAME", path)]));
    let found: Vec<_> = found.iter().map(|(path, says)| (*path, &says[..], 0)).collect();
    script.scan(ScanKind::Resync, &found);
    storm(&mut script, "/c");
    script.told_to(other);
    let told = ["repair change /a", "repair change /b", "repair change /c"];
    assert_eq!(script.told()[1..], told);
}

#[test]
fn reset_consumer_gets_no_change() {
    let (mut script, _) = supplies();
    storm(&mut script, "/a");
    script.stream.reset(script.id);
    let adds = ["scan add /a", "scan add /b", "scan add /c"];
    assert_eq!(script.told(), [&["reset"], &adds[..], &["missed 12"]].concat());
}
