//! What a log of `defmt` shows of uevents, decoded as the receiver of the log decodes it.

use std::fs;
use std::sync::LazyLock;

use defmt::Format;
use defmt_decoder::{DecodeError, Table};
use proptest::prelude::*;
use proptest::sample::select;
use sureplug_core::uevent::{
    Action, EncodeError, Escaped, ParseError, ParseFault, Property, Uevent, UeventBuf,
};
use sureplug_defmt_tests::sent;
use sureplug_tests::captured::captured;
use sureplug_tests::oracle::Oracle;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let program = fs::read("/proc/self/exe").expect("this program");
    Table::parse(&program).expect("readable strings").expect("strings of defmt")
});

fn encoded(value: &impl Format) -> Vec<u8> {
    sent(|| defmt::println!("{}", value))
}

fn decoded(frame: &[u8]) -> String {
    let mut decoder = TABLE.new_stream_decoder();
    decoder.received(frame);
    let text = decoder.decode().expect("a frame").display_message().to_string();
    assert!(matches!(decoder.decode(), Err(DecodeError::UnexpectedEof)), "more than one frame");
    text
}

fn shown(value: &impl Format) -> String {
    decoded(&encoded(value))
}

/// What should be read, made of the datagram by the naive parser.
fn text(datagram: &[u8]) -> String {
    let Oracle { action, devpath, properties } = Oracle::read(datagram).expect("a uevent");
    // A modalias of a processor ends with a line feed; nothing else captured needs an escape.
    let string = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).expect("UTF-8").replace('\n', r"\x0a");
        assert!(!text.contains(char::is_control) && !text.replace(r"\x0a", "").contains('\\'));
        text
    };
    let header = format!("{}@{}", string(&action), string(&devpath));
    let repeated = |key: &[u8]| key == b"ACTION" || key == b"DEVPATH";
    let properties = properties.iter().filter(|(key, _)| !repeated(key));
    let properties = properties.map(|(key, value)| format!(" {}={}", string(key), string(value)));
    header + &properties.collect::<String>()
}

#[test]
fn every_captured_uevent_is_logged_in_full_and_smaller_than_its_text() {
    let (mut frames, mut texts, mut datagrams) = (0, 0, 0);
    for event in captured() {
        let uevent = Uevent::parse(&event.datagram).expect("a uevent");
        let frame = encoded(&uevent);
        let text = text(&event.datagram);
        assert_eq!(decoded(&frame), text, "{}", event.place);
        let kept = UeventBuf::<768>::copy_of(&uevent).expect("room");
        assert_eq!(shown(&kept), text, "{}", event.place);
        frames += frame.len();
        texts += text.len();
        datagrams += event.datagram.len();
    }
    let percent = |of: usize| frames * 100 / of;
    println!("{frames} bytes sent, {} % of {texts} bytes of text", percent(texts));
    println!("and {} % of the {datagrams} bytes received", percent(datagrams));
    assert!(frames < texts);
}

/// What is sent of an event with this property alone.
fn with_property(key: &[u8], value: &[u8]) -> Vec<u8> {
    let datagram = [b"add@/a\0", key, b"=", value, b"\0"].concat();
    encoded(&Uevent::parse(&datagram).expect("a uevent"))
}

/// Returns `true` if the key of a property is not sent.
fn is_typed(key: &[u8], value: &[u8]) -> bool {
    with_property(key, value).len() < with_property(&vec![b'x'; key.len()], value).len()
}

#[test]
fn a_known_key_with_a_canonical_value_is_typed() {
    let rows = [
        ("SUBSYSTEM", "usb"),
        ("SUBSYSTEM", "no word"),
        ("DEVTYPE", ""),
        ("DRIVER", "Ä"),
        ("DEVNAME", "bus/usb/001/002"),
        ("MODALIAS", "usb:v0627"),
        ("DEVPATH_OLD", "/a"),
        ("SYNTH_UUID", "0"),
        ("TRIGGER", "kbd-numlock"),
        ("HID_ID", "0003:0627"),
        ("HID_NAME", "USB Mouse"),
        ("HID_PHYS", "usb-0"),
        ("HID_UNIQ", "1"),
        ("MAJOR", "0"),
        ("MINOR", "4294967295"),
        ("PARTN", "1"),
        ("IFINDEX", "10"),
        ("DISKSEQ", "4294967295"),
        ("SEQNUM", "18446744073709551615"),
        ("BUSNUM", "002"),
        ("DEVNUM", "1000"),
        ("PRODUCT", "46f4/1/0"),
        ("PRODUCT", "3/627/1/ffff"),
        ("TYPE", "9/0/3"),
        ("INTERFACE", "255/0/80"),
        ("DISKSEQ", "4294967296"),
        ("SEQNUM", "966"),
    ];
    for (key, value) in rows {
        assert!(is_typed(key.as_bytes(), value.as_bytes()), "{key}={value}");
        assert_eq!(
            decoded(&with_property(key.as_bytes(), value.as_bytes())),
            format!("add@/a {key}={value}")
        );
    }
}

#[test]
fn any_other_value_is_logged_as_it_is() {
    let rows: [(&[u8], &[u8], &str); 28] = [
        (b"MAJOR", b"08", "MAJOR=08"),
        (b"MAJOR", b"", "MAJOR="),
        (b"MAJOR", b"-1", "MAJOR=-1"),
        (b"MAJOR", b"1f", "MAJOR=1f"),
        (b"MINOR", b"4294967296", "MINOR=4294967296"),
        (b"SEQNUM", b"18446744073709551616", "SEQNUM=18446744073709551616"),
        (b"SEQNUM", b"00", "SEQNUM=00"),
        (b"BUSNUM", b"2", "BUSNUM=2"),
        (b"BUSNUM", b"0002", "BUSNUM=0002"),
        (b"DEVNUM", b"65536", "DEVNUM=65536"),
        (b"PRODUCT", b"46F4/1/0", "PRODUCT=46F4/1/0"),
        (b"PRODUCT", b"046d/1/0", "PRODUCT=046d/1/0"),
        (b"PRODUCT", b"10000/1/0", "PRODUCT=10000/1/0"),
        (b"PRODUCT", b"1/2", "PRODUCT=1/2"),
        (b"PRODUCT", b"1/2/3/4/5", "PRODUCT=1/2/3/4/5"),
        (b"PRODUCT", b"1/2/", "PRODUCT=1/2/"),
        (b"TYPE", b"256/0/0", "TYPE=256/0/0"),
        (b"INTERFACE", b"lo", "INTERFACE=lo"),
        (b"SUBSYSTEM", b"\xff", r"SUBSYSTEM=\xff"),
        (b"DRIVER", b"a\nb", r"DRIVER=a\x0ab"),
        (b"DEVNAME", br"a\b", r"DEVNAME=a\\b"),
        (b"DEVNAME", b"\xc2\x85", r"DEVNAME=\xc2\x85"),
        (b"HID_NAME", b"Kingston\xae", r"HID_NAME=Kingston\xae"),
        (b"major", b"8", "major=8"),
        (b"MAJORS", b"8", "MAJORS=8"),
        (b"KEY", b"ffff 0 {} {=u8}", "KEY=ffff 0 {} {=u8}"),
        (b"\xff", b"=", r"\xff=="),
        (b"A B", "\u{fffd}".as_bytes(), "A B=\u{fffd}"),
    ];
    for (key, value, expected) in rows {
        let property = Property { key, value };
        assert!(!is_typed(key, value), "{expected}");
        assert_eq!(decoded(&with_property(key, value)), format!("add@/a {expected}"));
        assert_eq!(shown(&property), expected);
        assert_eq!(property.to_string(), expected);
    }
}

#[test]
fn the_header_is_not_repeated_and_what_disagrees_with_it_is_kept() {
    let rows: [(&[u8], &str); 5] = [
        (b"add@/a\0ACTION=add\0DEVPATH=/a\0", "add@/a"),
        (b"add@/a\0ACTION=add\0ACTION=remove\0", "add@/a ACTION=remove"),
        (b"add@/a\0DEVPATH=/a\0DEVPATH=/b\0DEVPATH=/a\0", "add@/a DEVPATH=/b"),
        (b"a\xff@/\xfe\\\0ACTION=a\xff\0", r"a\xff@/\xfe\\"),
        (b"add@/soc@0\0K=v\0", "add@/soc@0 K=v"),
    ];
    for (datagram, expected) in rows {
        let uevent = Uevent::parse(datagram).expect("a uevent");
        assert_eq!(shown(&uevent), expected);
        assert_eq!(shown(&UeventBuf::<64>::copy_of(&uevent).expect("room")), expected);
    }
}

#[test]
fn every_action_is_logged_as_it_was_sent() {
    for action in ["add", "remove", "change", "move", "online", "offline", "bind", "unbind", "other"] {
        assert_eq!(shown(&Action::from(action.as_bytes())), action);
    }
    assert_eq!(shown(&Action::Other(b"\x01")), r"\x01");
    assert_eq!(shown(&Escaped(b"\\\xff")), r"\\\xff");
}

#[test]
fn errors_are_logged_with_their_figures() {
    let error = Uevent::parse(b"add@/a\0K\0").expect_err("no uevent");
    assert_eq!(shown(&error), "ParseError { offset: 7, fault: NoEquals }");
    let error = ParseError { offset: 263, fault: ParseFault::TooManyProperties };
    assert_eq!(shown(&error), "ParseError { offset: 263, fault: TooManyProperties }");
    assert_eq!(shown(&EncodeError::BadAction), "BadAction");
    let error = EncodeError::BufferFull { wanted: 22, capacity: 21 };
    assert_eq!(shown(&error), "BufferFull { wanted: 22, capacity: 21 }");
    let product = Uevent::parse(b"add@/a\0PRODUCT=a/b/c\0").expect("a uevent").product();
    assert_eq!(shown(&product), "Some(Product { vendor: 10, product: 11, bcd_device: 12 })");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_made_up_property_is_logged_as_it_is(
        key in select(vec!["MAJOR", "DISKSEQ", "BUSNUM", "PRODUCT", "TYPE", "DRIVER", "MODALIAS", "OTHER"]),
        value in prop_oneof![
            "[0-9]{0,6}",
            "0{0,2}[0-9a-fA-F]{0,4}(/0?[0-9a-fA-F]{0,4}){2,3}",
            r"[a-z\\\n\u{80}-\u{a0}]{0,4}",
            any::<String>(),
        ],
    ) {
        let value = value.replace('\0', "");
        let wanted = format!("add@/a {key}={}", Escaped(value.as_bytes()));
        prop_assert_eq!(decoded(&with_property(key.as_bytes(), value.as_bytes())), wanted);
    }
}
