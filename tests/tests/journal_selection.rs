//! Consumers that want some subsystems.

use sureplug_core::limits::MAX_SUBSYSTEM_BYTES;
use sureplug_core::selection::{MAX_SUBSYSTEMS, Selection, SelectionError};
use sureplug_core::stream::{Lag, ScanKind, Scope};
use sureplug_tests::model::{Script, uevent};

#[test]
fn names_are_compared_whole() {
    let selection = Selection::of(&[b"usb", b"block"]).expect("a selection");
    for (name, is_wanted) in
        [(&b"usb"[..], true), (b"block", true), (b"usbmisc", false), (b"us", false), (b"", false)]
    {
        assert_eq!(selection.admits(Some(name)), is_wanted, "{}", name.escape_ascii());
    }
    assert!(!selection.admits(None));
    assert!(Selection::ALL.admits(None) && Selection::ALL.admits(Some(b"anything")));
}

#[test]
fn a_set_that_is_none_is_refused() {
    assert_eq!(Selection::of(&[]), Err(SelectionError::Empty));
    assert_eq!(Selection::of(&[b"usb", b""]), Err(SelectionError::EmptyName { index: 1 }));
    let long = [b'x'; MAX_SUBSYSTEM_BYTES + 1];
    assert!(Selection::of(&[&long[1..]]).is_ok());
    let too_long = SelectionError::NameTooLong { index: 0, length: MAX_SUBSYSTEM_BYTES + 1 };
    assert_eq!(Selection::of(&[&long]), Err(too_long));
    for (byte, name) in [(3, &b"usb\0"[..]), (0, b"/usb"), (1, b"u b"), (2, b"us\n"), (0, b"\x7f")] {
        assert_eq!(Selection::of(&[b"net", name]), Err(SelectionError::BadByte { index: 1, offset: byte }));
    }
    let names: Vec<[u8; 1]> = (b'a'..).take(MAX_SUBSYSTEMS + 1).map(|letter| [letter]).collect();
    let names: Vec<&[u8]> = names.iter().map(<[u8; 1]>::as_slice).collect();
    assert!(Selection::of(&names[1..]).is_ok());
    assert_eq!(Selection::of(&names), Err(SelectionError::TooMany));
}

#[test]
fn a_name_counts_once() {
    let twice = [&b"usb"[..]; MAX_SUBSYSTEMS + 1];
    let selection = Selection::of(&twice).expect("one name");
    assert_eq!(selection, Selection::of(&[b"usb"]).unwrap());
    assert_eq!(selection.names().collect::<Vec<_>>(), [b"usb"]);
}

#[test]
fn a_text_is_taken_apart_at_blanks() {
    let three = Selection::of(&[b"usb", b"usb-serial", b"net"]).unwrap();
    assert_eq!(Selection::parse("usb usb-serial net"), Ok(three.clone()));
    assert_eq!(Selection::parse("  usb\tusb-serial\n net "), Ok(three.clone()));
    assert_eq!(three.to_string(), "usb usb-serial net");
    assert_eq!(Selection::parse(" all "), Ok(Selection::ALL));
    assert_eq!(Selection::ALL.to_string(), "all");
    assert_eq!(Selection::parse(&Selection::USB.to_string()), Ok(Selection::USB));
    for text in ["", " "] {
        assert_eq!(Selection::parse(text), Err(SelectionError::Empty));
    }
    for text in ["all usb", "usb all"] {
        assert_eq!(Selection::parse(text), Err(SelectionError::AllBesideOthers));
    }
    assert_eq!(Selection::parse("usb ab,c/"), Err(SelectionError::BadByte { index: 1, offset: 2 }));
}

#[test]
fn only_what_is_selected_is_delivered() {
    let mut script = Script::<16, 4_096, 8_192, 2>::new();
    let usb = script.stream.join(Selection::of(&[b"usb"]).expect("a selection"), Lag::Hold).expect("a place");
    script.event("add", "/before", &[("SUBSYSTEM", "usb")]);
    script.event("add", "/before/x", &[("SUBSYSTEM", "usbmisc")]);
    assert_eq!(script.told_to(usb), ["scan add /before"]);
    for action in ["add", "change", "remove"] {
        script.event(action, "/a", &[("SUBSYSTEM", "usb")]);
        script.event(action, "/b", &[("SUBSYSTEM", "usbmisc")]);
        script.event(action, "/c", &[]);
        script.send(&uevent(action, "/u", &[("SUBSYSTEM", "usb")]), Scope::Untracked);
        script.send(&uevent(action, "/v", &[("SUBSYSTEM", "module")]), Scope::Untracked);
        assert_eq!(script.told_to(usb), [format!("kernel {action} /a"), format!("kernel {action} /u ?")]);
    }
    script.scan(
        ScanKind::Resync,
        &[("/before", &[("SUBSYSTEM", "usb")], 1), ("/before/x", &[("SUBSYSTEM", "usbmisc")], 2)],
    );
    assert_eq!(script.told_to(usb), ["repair change /before"]);
    script.scan(ScanKind::Resync, &[]);
    assert_eq!(script.told_to(usb), ["repair remove /before"]);
}

#[test]
fn a_made_up_event_has_the_subsystem_of_its_device() {
    let mut script = Script::<16, 4_096, 150, 2>::new();
    let usb = script.stream.join(Selection::of(&[b"usb"]).expect("a selection"), Lag::Hold).expect("a place");
    script.event("add", "/a", &[("X", "1"), ("SUBSYSTEM", "usb")]);
    script.event("add", "/b", &[("SUBSYSTEM", "tty")]);
    assert_eq!(
        script.told_to(usb),
        ["missed 1", "scan add /a"][1..],
        "it was there when the consumer first read"
    );
    for _ in 0..4 {
        script.event("change", "/b", &[("SUBSYSTEM", "tty")]);
    }
    script.event("remove", "/a", &[("SUBSYSTEM", "usb")]);
    assert_eq!(script.told_to(usb), ["missed 5", "repair remove /a"], "steps of all subsystems are counted");
}
