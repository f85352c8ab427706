//! The accessors, applied to malformed values.

use sureplug_core::uevent::{Action, Product, Property, Uevent, UeventBuf};

/// A uevent with one property before the given ones and one after them.
fn datagram(properties: &[&[u8]]) -> Vec<u8> {
    let mut datagram = b"add@/a\0SUBSYSTEM=usb\0".to_vec();
    for property in properties.iter().copied().chain([&b"LAST=x"[..]]) {
        datagram.extend_from_slice(property);
        datagram.push(0);
    }
    datagram
}

#[test]
fn a_bad_number_is_none_and_spoils_nothing_else() {
    let bad: [&[u8]; 16] = [
        b"",
        b"-1",
        b"+1",
        b" 1",
        b"1 ",
        b"1\n",
        b"0x10",
        b"1f",
        b"1.0",
        b"1,000",
        b"\xff",
        b"1\xff",
        b"=1",
        b"\xd9\xa1", // ARABIC-INDIC DIGIT ONE
        b"18446744073709551616",
        b"99999999999999999999999999999999999999999999999999",
    ];
    for key in ["MAJOR", "MINOR", "SEQNUM", "BUSNUM", "DEVNUM", "IFINDEX", "DISKSEQ"] {
        for value in bad {
            let property = [key.as_bytes(), b"=", value].concat();
            let datagram = datagram(&[&property]);
            let uevent = Uevent::parse(&datagram).expect("a uevent");
            let numbers = [
                uevent.major().map(u64::from),
                uevent.minor().map(u64::from),
                uevent.seqnum(),
                uevent.busnum().map(u64::from),
                uevent.devnum().map(u64::from),
                uevent.ifindex().map(u64::from),
                uevent.diskseq(),
            ];
            let shown = property.escape_ascii().to_string();
            assert_eq!(numbers, [None; 7], "{shown}");
            assert_eq!(uevent.property(key.as_bytes()), Some(value), "{shown}");
            assert_eq!(uevent.subsystem(), Some(&b"usb"[..]), "{shown}");
            assert_eq!(uevent.property(b"LAST"), Some(&b"x"[..]), "{shown}");
        }
    }
}

#[test]
fn a_number_is_read_up_to_its_width_and_no_further() {
    let datagram = datagram(&[
        b"MAJOR=4294967295",
        b"MINOR=4294967296",
        b"BUSNUM=65535",
        b"DEVNUM=65536",
        b"IFINDEX=000000000000000000000000000000000000007",
        b"DISKSEQ=18446744073709551615",
        b"SEQNUM=18446744073709551615",
    ]);
    let uevent = Uevent::parse(&datagram).expect("a uevent");
    assert_eq!((uevent.major(), uevent.minor()), (Some(u32::MAX), None));
    assert_eq!((uevent.busnum(), uevent.devnum()), (Some(u16::MAX), None));
    assert_eq!(uevent.ifindex(), Some(7));
    assert_eq!((uevent.diskseq(), uevent.seqnum()), (Some(u64::MAX), Some(u64::MAX)));
}

#[test]
fn a_product_is_three_hexadecimal_numbers_of_any_width() {
    let product = |vendor, product, bcd_device| Some(Product { vendor, product, bcd_device });
    let rows: [(&[u8], Option<Product>); 15] = [
        (b"46f4/1/0", product(0x46f4, 1, 0)),
        (b"046D/C52B/1201", product(0x46d, 0xc52b, 0x1201)),
        (b"0/0/0", product(0, 0, 0)),
        (b"ffff/FFFF/ffff", product(0xffff, 0xffff, 0xffff)),
        (b"00000000000000000000001/2/3", product(1, 2, 3)),
        (b"10000/0/0", None),
        (b"1/2", None),
        (b"1/2/", None),
        (b"1//3", None),
        (b"/2/3", None),
        (b"1/2/3/", None),
        (b"3/627/1/111", None),
        (b"0x1/2/3", None),
        (b"", None),
        (b"\xff/1/1", None),
    ];
    for (value, expected) in rows {
        let datagram = datagram(&[&[b"PRODUCT=", value].concat()]);
        let uevent = Uevent::parse(&datagram).expect("a uevent");
        assert_eq!(uevent.product(), expected, "{}", value.escape_ascii());
    }
}

#[test]
fn a_value_is_all_that_stands_behind_the_first_equals_sign() {
    let datagram = datagram(&[b"A=", b"B==", b"C=a=b=c", b"D=\xff\x01\xc3", b"E=a b\n", b"\xff=k"]);
    let uevent = Uevent::parse(&datagram).expect("a uevent");
    let property = |key: &[u8]| uevent.property(key);
    assert_eq!(property(b"A"), Some(&b""[..]));
    assert_eq!(property(b"B"), Some(&b"="[..]));
    assert_eq!(property(b"C"), Some(&b"a=b=c"[..]));
    assert_eq!(property(b"D"), Some(&b"\xff\x01\xc3"[..]));
    assert_eq!(property(b"E"), Some(&b"a b\n"[..]));
    assert_eq!(property(b"\xff"), Some(&b"k"[..]));
    for absent in [&b""[..], b"a", b"A=", b"SUBSYSTE", b"SUBSYSTEMS", b"ACTION"] {
        assert_eq!(property(absent), None, "{}", absent.escape_ascii());
    }
}

#[test]
fn of_a_repeated_key_the_first_answers() {
    let datagram = datagram(&[
        b"SUBSYSTEM=block",
        b"SEQNUM=",
        b"SEQNUM=5",
        b"MAJOR=x",
        b"MAJOR=8",
        b"ACTION=add",
        b"ACTION=remove",
        b"DEVPATH=/a",
        b"DEVPATH=/b",
    ]);
    let uevent = Uevent::parse(&datagram).expect("a uevent");
    assert_eq!(uevent.subsystem(), Some(&b"usb"[..]));
    assert_eq!((uevent.seqnum(), uevent.major()), (None, None));
    assert_eq!((uevent.action(), uevent.devpath()), (Action::Add, &b"/a"[..]));
    let all: Vec<_> = uevent.properties().filter(|p| p.key == b"DEVPATH").map(|p| p.value).collect();
    assert_eq!(all, [b"/a", b"/b"]);
    assert_eq!(uevent.properties().count(), 11);
}

#[test]
fn a_subsystem_may_be_empty_and_then_is_not_absent() {
    let uevent = Uevent::parse(b"add@/a\0SUBSYSTEM=\0SUBSYSTEM=usb\0SEQNUM=\0").expect("a uevent");
    assert_eq!((uevent.subsystem(), uevent.seqnum()), (Some(&b""[..]), None));
}

#[test]
fn a_devpath_may_hold_an_at_sign() {
    let uevent = Uevent::parse(b"add@/devices/soc@0/usb@1\0").expect("a uevent");
    assert_eq!((uevent.action(), uevent.devpath()), (Action::Add, &b"/devices/soc@0/usb@1"[..]));
    assert_eq!((uevent.properties().count(), uevent.properties().next()), (0, None));
    assert_eq!(uevent.to_string(), "add@/devices/soc@0/usb@1");
}

#[test]
fn every_action_is_what_it_was_sent_as() {
    let rows = [
        ("add", Action::Add),
        ("remove", Action::Remove),
        ("change", Action::Change),
        ("move", Action::Move),
        ("online", Action::Online),
        ("offline", Action::Offline),
        ("bind", Action::Bind),
        ("unbind", Action::Unbind),
        ("ADD", Action::Other(b"ADD")),
        ("adds", Action::Other(b"adds")),
        ("x=1", Action::Other(b"x=1")),
    ];
    for (sent, expected) in rows {
        let datagram = format!("{sent}@/a\0ACTION={sent}\0");
        let action = Uevent::parse(datagram.as_bytes()).expect("a uevent").action();
        assert_eq!(action, expected);
        assert_eq!((action.as_bytes(), action.to_string().as_str()), (sent.as_bytes(), sent));
    }
    let uevent = Uevent::parse(b"\xff\x01@/a\0").expect("a uevent");
    assert_eq!(uevent.action(), Action::Other(b"\xff\x01"));
    assert_eq!(uevent.to_string(), r"\xff\x01@/a");
}

#[test]
fn properties_stay_at_their_end() {
    let uevent = Uevent::parse(b"add@/a\0A=1\0B=2\0").expect("a uevent");
    let mut properties = uevent.properties();
    assert_eq!(properties.next(), Some(Property { key: b"A", value: b"1" }));
    assert_eq!(properties.clone().count(), 1);
    assert_eq!(properties.next(), Some(Property { key: b"B", value: b"2" }));
    for _ in 0..3 {
        assert_eq!(properties.next(), None);
    }
    assert_eq!(format!("{uevent:?}"), r#"{"A": "1", "B": "2"}"#);
}

#[test]
fn kept_uevents_are_equal_if_their_bytes_are() {
    let keep = |datagram: &[u8]| {
        UeventBuf::<64>::copy_of(&Uevent::parse(datagram).expect("a uevent")).expect("room")
    };
    let kept = keep(b"add@/a\0A=1\0");
    assert_eq!(kept, keep(b"add@/a\0A=1\0"));
    assert_ne!(kept, keep(b"add@/a\0A=2\0"));
    assert_eq!(format!("{kept:?}"), r#"{"A": "1"}"#);
}
