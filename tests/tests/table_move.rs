//! A device gets another devpath.

use sureplug_core::stream::{Look, ScanKind};
use sureplug_core::time::Instant;
use sureplug_tests::model::Script;

type Roomy = Script<16, 4_096, 8_192, 1>;

fn with(paths: &[&str]) -> Roomy {
    let mut script = Roomy::new();
    for path in paths {
        script.event("add", path, &[("SUBSYSTEM", "net"), ("WAS", path)]);
    }
    script.told();
    script
}

#[test]
fn move_is_delivered_as_remove_and_add_with_descendants() {
    let mut script = with(&["/a", "/a/x", "/a/x/u", "/a/y", "/a-b", "/c"]);
    script.moved("/a", "/c/longer", &[("SUBSYSTEM", "net"), ("INTERFACE", "new")]);
    assert_eq!(
        script.told(),
        [
            "kernel remove /a/x/u",
            "kernel remove /a/x",
            "kernel remove /a/y",
            "kernel remove /a",
            "kernel add /c/longer (move)",
            "kernel add /c/longer/x",
            "kernel add /c/longer/y",
            "kernel add /c/longer/x/u",
        ]
    );
    assert_eq!(script.stream.devices(), 6);
    script.scan(ScanKind::Settle, &[]);
    let mut says = Vec::new();
    while script
        .next_with(script.id, &mut |entry| {
            let value = |key| entry.uevent.property(key).map(|value| value.escape_ascii().to_string());
            says.push((value(b"DEVPATH"), value(b"WAS"), value(b"INTERFACE")));
        })
        .is_some()
    {}
    let said = |path: &str, was: Option<&str>, interface: Option<&str>| {
        (Some(path.to_owned()), was.map(str::to_owned), interface.map(str::to_owned))
    };
    assert!(says.contains(&said("/c/longer", None, Some("new"))), "{says:?}");
    assert!(says.contains(&said("/c/longer/x/u", Some("/a/x/u"), None)), "{says:?}");
}

#[test]
fn move_to_the_same_devpath_is_a_change() {
    let mut script = with(&["/a"]);
    script.moved("/a", "/a", &[("SUBSYSTEM", "net")]);
    script.event("move", "/a", &[("SUBSYSTEM", "net")]);
    assert_eq!(script.told(), ["kernel change /a (move)", "kernel change /a (move)"]);
}

#[test]
fn move_of_an_unknown_device_is_an_add() {
    let mut script = with(&[]);
    script.moved("/a", "/b", &[("SUBSYSTEM", "net")]);
    assert_eq!(script.told(), ["kernel add /b (move)"]);
}

/// Its own `add` was lost, but not those of what is below it.
#[test]
fn move_of_an_unknown_device_takes_known_descendants_along() {
    let mut script = with(&["/a/x", "/a/x/u"]);
    script.moved("/a", "/b", &[("SUBSYSTEM", "net")]);
    let told = [
        "kernel remove /a/x/u",
        "kernel remove /a/x",
        "kernel add /b (move)",
        "kernel add /b/x",
        "kernel add /b/x/u",
    ];
    assert_eq!(script.told(), told);
}

#[test]
fn move_onto_another_device_removes_that_one() {
    let mut script = Roomy::new();
    script.event("add", "/a", &[("IFINDEX", "2")]);
    script.event("add", "/b", &[("IFINDEX", "3")]);
    script.event("add", "/b/q", &[]);
    script.told();
    script.moved("/a", "/b", &[("IFINDEX", "2")]);
    let told = ["kernel remove /a", "repair remove /b/q", "repair remove /b", "kernel add /b (move)"];
    assert_eq!(script.told(), told);
}

/// What it was before it moved is something else.
#[test]
fn move_of_a_replacement_removes_the_known_device() {
    let mut script = Roomy::new();
    script.event("add", "/a", &[("IFINDEX", "2")]);
    script.event("add", "/a/q", &[]);
    script.told();
    script.moved("/a", "/b", &[("IFINDEX", "5")]);
    assert_eq!(script.told(), ["repair remove /a/q", "repair remove /a", "kernel add /b (move)"]);
}

/// The removal of what was there was lost.
#[test]
fn move_onto_a_known_device_delivers_nothing_twice() {
    let mut script = with(&["/a", "/a/x", "/b/x"]);
    script.moved("/a", "/b", &[("SUBSYSTEM", "net")]);
    assert_eq!(script.told(), ["kernel remove /a/x", "kernel remove /a", "kernel add /b (move)"]);
    assert_eq!(script.stream.devices(), 2);
}

#[test]
fn move_onto_a_scanned_device_keeps_it() {
    let mut script = with(&["/a", "/a/x", "/b/x"]);
    script.stream.begin_scan(ScanKind::Resync);
    script.saw(("/b/x", &[("SUBSYSTEM", "net")], 2));
    script.moved("/a", "/b", &[("SUBSYSTEM", "net")]);
    script.told();
    script.finish();
    assert_eq!(script.told(), ["repair change /b/x"]);
}

/// The scan has seen that what was there is gone, before something else moved there.
#[test]
fn move_onto_a_vanished_device_is_a_replacement() {
    let mut script = with(&["/a", "/a/x", "/b/x"]);
    script.stream.begin_scan(ScanKind::Resync);
    script.stream.look_at(b"/b/x");
    assert_eq!(script.stream.gone(), Look::Taken);
    script.moved("/a", "/b", &[("SUBSYSTEM", "net")]);
    assert_eq!(script.told(), ["kernel remove /a/x", "kernel remove /a", "kernel add /b (move)"]);
    assert_eq!(script.stream.look_at_unseen().map(|(path, _)| path.to_vec()), Some(b"/b/x".to_vec()));
    script.saw_late(("/b/x", &[("SUBSYSTEM", "net")], 2));
    script.finish();
    assert_eq!(script.told(), ["repair remove /b/x", "repair add /b/x"]);
}

/// A scan was faster than the event, and has announced the new devpath already.
#[test]
fn move_that_a_scan_has_delivered_is_a_change() {
    let mut script = with(&["/a", "/a/x"]);
    script.scan(ScanKind::Settle, &[("/b", &[("SUBSYSTEM", "net")], 1), ("/b/x", &[], 2)]);
    script.told();
    script.moved("/a", "/b", &[("SUBSYSTEM", "net")]);
    assert_eq!(script.told(), ["kernel change /b (move)"]);
    assert_eq!(script.stream.devices(), 2);
}

#[test]
fn inodes_move_along_with_device_and_descendants() {
    for (of_parent, of_child, replaced) in [(5, 6, 0), (5, 9, 1), (9, 9, 2), (9, 6, 2)] {
        let mut script = Roomy::new();
        script.scan(ScanKind::Start, &[("/a", &[], 5), ("/a/x", &[], 6)]);
        script.moved("/a", "/b", &[]);
        let outcome = script.scan(ScanKind::Settle, &[("/b", &[], of_parent), ("/b/x", &[], of_child)]);
        assert_eq!(outcome.replaced, replaced, "{of_parent} {of_child}");
    }
}

#[test]
fn found_devices_move_along() {
    let mut script = Roomy::new();
    script.stream.begin_scan(ScanKind::Start);
    script.saw(("/a", &[], 1));
    script.saw(("/a/x", &[("X", "1")], 2));
    script.moved("/a", "/b", &[]);
    let outcome = script.stream.end_scan(Instant::BOOT);
    assert_eq!(script.told(), ["kernel add /b (move)", "scan add /b/x"]);
    assert_eq!(outcome.added, 1);
    let again = script.scan(ScanKind::Settle, &[("/b", &[], 1), ("/b/x", &[], 2)]);
    assert_eq!((again.kept, again.has_resynced()), (2, false));
}

/// The scan has seen it at its new devpath before the event came, and the event moves it there once more.
#[test]
fn device_found_at_the_new_devpath_is_delivered_once() {
    let mut script = with(&["/a", "/a/x"]);
    script.stream.begin_scan(ScanKind::Resync);
    script.saw(("/b/x", &[], 2));
    script.moved("/a", "/b", &[("SUBSYSTEM", "net")]);
    script.stream.end_scan(Instant::BOOT);
    let told = ["kernel remove /a/x", "kernel remove /a", "kernel add /b (move)", "repair add /b/x"];
    assert_eq!(script.told(), told);
}

/// It was gone when it moved with what is above it, so it must be looked for where it would be now.
#[test]
fn unseen_device_is_scanned_at_its_new_devpath() {
    let mut script = with(&["/q", "/a", "/a/x"]);
    script.stream.begin_scan(ScanKind::Resync);
    assert_eq!(script.saw(("/q", &[], 1)), Look::Taken);
    script.moved("/a", "/b", &[("SUBSYSTEM", "net")]);
    script.told();
    let mut unseen = Vec::new();
    while let Some((path, subsystem)) = script.stream.look_at_unseen() {
        unseen.push((path.to_vec(), subsystem.to_vec()));
        script.stream.gone();
    }
    assert_eq!(unseen, [(b"/b/x".to_vec(), b"net".to_vec())]);
    script.stream.end_scan(Instant::BOOT);
    assert_eq!(script.told(), ["repair remove /b/x", "repair change /q"]);
}

#[test]
fn a_look_at_either_devpath_or_below_is_touched() {
    for path in ["/a", "/a/x", "/b", "/b/x"] {
        let mut script = with(&["/a"]);
        script.stream.begin_scan(ScanKind::Resync);
        script.stream.look_at(path.as_bytes());
        script.moved("/a", "/b", &[("SUBSYSTEM", "net")]);
        assert_eq!(script.stream.gone(), Look::Touched, "{path}");
    }
}

#[test]
fn move_below_or_above_itself_leaves_devpaths_unique() {
    for (from, to) in [("/a", "/a/x/deep"), ("/a/x", "/a"), ("/a", "/a/x")] {
        let mut script = with(&["/a", "/a/x", "/a/x/u"]);
        script.moved(from, to, &[("SUBSYSTEM", "net")]);
        script.told();
        let paths: Vec<_> = script.stream.devpaths().map(<[u8]>::to_vec).collect();
        let unique: std::collections::BTreeSet<_> = paths.iter().collect();
        assert_eq!(unique.len(), paths.len(), "{paths:?}");
    }
}

#[test]
fn device_without_room_at_its_new_devpath_is_counted() {
    let mut script = Script::<16, 8_192, 8_192, 1>::new();
    let name = format!("/a/{}", "x".repeat(1_200));
    script.event("add", "/a", &[]);
    script.event("add", &name, &[]);
    script.moved("/a", &format!("/{}", "b".repeat(900)), &[]);
    let told = script.told();
    assert_eq!((told.len(), script.stream.devices()), (5, 1), "{told:?}");
    assert_eq!(script.stream.counts().unfit, 1);
    assert!(script.stream.is_overflowing());
}

/// A `change` of `/a/x` may have been lost before its parent moved.
#[test]
fn i3_a_change_that_is_due_moves_along() {
    let mut script = with(&["/a", "/a/x"]);
    script.stream.begin_scan(ScanKind::Resync);
    script.moved("/a", "/b", &[]);
    script.told();
    script.saw(("/b", &[], 2));
    script.saw(("/b/x", &[], 3));
    script.finish();
    assert!(script.told().contains(&"repair change /b/x".to_owned()));
}

/// The event of a changed medium has the `DISKSEQ` of the one before.
#[test]
fn i3_a_disk_whose_medium_was_changed_moves_with_what_is_below_it() {
    let mut script = with(&[]);
    script.event("add", "/a", &[("DISKSEQ", "1")]);
    script.event("add", "/a/x", &[]);
    script.event("change", "/a", &[("DISK_MEDIA_CHANGE", "1"), ("DISKSEQ", "1")]);
    script.told();
    script.moved("/a", "/b", &[("DISKSEQ", "2")]);
    assert_eq!(
        script.told(),
        ["kernel remove /a/x", "kernel remove /a", "kernel add /b (move)", "kernel add /b/x"]
    );
}
