//! What the encoder writes, and what it refuses to.

use sureplug_core::limits::{MAX_HEADER_BYTES, MAX_PROPERTIES, MAX_PROPERTY_BYTES};
use sureplug_core::uevent::{Action, EncodeError, Encoder, Uevent};

#[test]
fn a_header_that_no_parser_takes_is_refused() {
    let rows: [(Action<'_>, &[u8], EncodeError); 8] = [
        (Action::Other(b""), b"/a", EncodeError::BadAction),
        (Action::Other(b"a@b"), b"/a", EncodeError::BadAction),
        (Action::Other(b"a\0"), b"/a", EncodeError::BadAction),
        (Action::Other(b""), b"", EncodeError::BadAction),
        (Action::Add, b"", EncodeError::BadDevpath),
        (Action::Add, b"a/b", EncodeError::BadDevpath),
        (Action::Add, b"/a\0b", EncodeError::BadDevpath),
        (Action::Add, b"@/a", EncodeError::BadDevpath),
    ];
    for (action, devpath, expected) in rows {
        let error = Encoder::new(&mut [0; 32], action, devpath).expect_err("no header");
        assert_eq!(error, expected, "{action:?} {}", devpath.escape_ascii());
    }
}

/// A frame is recognised by its first bytes, so an encoder must not be able to write them.
#[test]
fn a_frame_of_libudev_cannot_be_written() {
    let error = Encoder::new(&mut [0; 32], Action::Other(b"libudev\0"), b"/a").expect_err("no header");
    assert_eq!(error, EncodeError::BadAction);
    let mut buffer = [0; 32];
    let written = Encoder::new(&mut buffer, Action::Other(b"libudev"), b"/a").expect("a header").finish();
    assert_eq!(Uevent::parse(written).expect("a uevent").action(), Action::Other(b"libudev"));
}

#[test]
fn a_bad_property_is_refused_and_leaves_no_trace() {
    let rows: [(&[u8], &[u8], EncodeError); 9] = [
        (b"", b"v", EncodeError::BadKey),
        (b"K=", b"v", EncodeError::BadKey),
        (b"K\0", b"v", EncodeError::BadKey),
        (b"", b"\0", EncodeError::BadKey),
        (b"K", b"v\0", EncodeError::NulInValue),
        (b"ACTION", b"remove", EncodeError::Disagrees),
        (b"ACTION", b"ad", EncodeError::Disagrees),
        (b"DEVPATH", b"/", EncodeError::Disagrees),
        (b"K", b"four and twenty bytes yet", EncodeError::BufferFull { wanted: 39, capacity: 32 }),
    ];
    for (key, value, expected) in rows {
        let mut buffer = [0; 32];
        let mut encoder = Encoder::new(&mut buffer, Action::Add, b"/a").expect("a header");
        encoder.property(b"A", b"1").expect("a property");
        assert_eq!(encoder.property(key, value).expect_err("no property"), expected);
        encoder.property(b"ACTION", b"add").expect("a property");
        assert_eq!(encoder.finish(), b"add@/a\0A=1\0ACTION=add\0", "{}", value.escape_ascii());
    }
}

#[test]
fn only_the_first_action_and_devpath_must_be_the_headers() {
    let mut buffer = [0; 128];
    let mut encoder = Encoder::new(&mut buffer, Action::Add, b"/a").expect("a header");
    for (key, value) in [("ACTION", "add"), ("DEVPATH", "/a"), ("ACTION", "x"), ("DEVPATH", "y")] {
        encoder.property(key.as_bytes(), value.as_bytes()).expect("a property");
    }
    let written = encoder.finish();
    assert_eq!(written, b"add@/a\0ACTION=add\0DEVPATH=/a\0ACTION=x\0DEVPATH=y\0");
    assert!(Uevent::parse(written).is_ok());
}

#[test]
fn a_key_and_a_value_are_bytes() {
    let mut buffer = [0; 64];
    let mut encoder = Encoder::new(&mut buffer, Action::Other(b"\xff"), b"/a@b").expect("a header");
    encoder.property(b"\xff", b"=\xff=").expect("a property").property(b"E", b"").expect("a property");
    assert_eq!(encoder.finish(), b"\xff@/a@b\0\xff==\xff=\0E=\0");
}

#[test]
fn encoder_takes_the_kernels_properties_and_no_more() {
    let mut buffer = [0; 512];
    let mut encoder = Encoder::new(&mut buffer, Action::Add, b"/a").expect("a header");
    for _ in 0..MAX_PROPERTIES {
        encoder.property(b"K", b"v").expect("a property");
    }
    let error = encoder.property(b"K", b"v").expect_err("one more");
    assert_eq!(error, EncodeError::TooManyProperties);
    assert_eq!(Uevent::parse(encoder.finish()).expect("a uevent").properties().count(), 64);
}

#[test]
fn encoder_takes_the_kernels_bytes_and_no_more() {
    let mut buffer = [0; 4_200];
    let devpath = [b"/".as_slice(), &[b'x'; MAX_HEADER_BYTES - 6]].concat();
    let too_long = Encoder::new(&mut buffer, Action::Add, &[&devpath[..], b"x"].concat());
    assert_eq!(too_long.expect_err("one more"), EncodeError::TooLong { length: 2_049 });

    let mut encoder = Encoder::new(&mut buffer, Action::Add, &devpath).expect("a header");
    let value = [b'v'; MAX_PROPERTY_BYTES - 6];
    encoder.property(b"A", b"").expect("a property");
    let error = encoder.property(b"K", &[&value[..], b"v"].concat()).expect_err("one more");
    assert_eq!(error, EncodeError::TooLong { length: 2_049 });
    encoder.property(b"K", &value).expect("just as many");
    let written = encoder.finish();
    assert_eq!(written.len(), 4_096);
    assert!(Uevent::parse(written).is_ok());
}

#[test]
fn a_buffer_that_is_just_large_enough_is_filled_and_one_byte_less_is_too_small() {
    let uevent = Uevent::parse(b"add@/a\0ACTION=add\0K=v\0").expect("a uevent");
    assert_eq!(uevent.encode(&mut [0; 22]), Ok(uevent.datagram()));
    assert_eq!(uevent.encode(&mut [0; 21]), Err(EncodeError::BufferFull { wanted: 22, capacity: 21 }));
    assert_eq!(uevent.encode(&mut [0; 6]), Err(EncodeError::BufferFull { wanted: 7, capacity: 6 }));
    assert_eq!(uevent.encode(&mut []), Err(EncodeError::BufferFull { wanted: 7, capacity: 0 }));
}

#[test]
fn every_error_states_what_is_wrong() {
    let rows = [
        (EncodeError::BadAction, "an action must not be empty or contain `@` or NUL"),
        (EncodeError::BadDevpath, "a devpath must begin with `/` and contain no NUL"),
        (EncodeError::BadKey, "a key must not be empty or contain `=` or NUL"),
        (EncodeError::NulInValue, "a value must contain no NUL"),
        (EncodeError::Disagrees, "the first ACTION and DEVPATH must equal the header's"),
        (EncodeError::TooLong { length: 2_049 }, "2049 bytes exceed the kernel's limit of 2048"),
        (EncodeError::TooManyProperties, "more than the kernel's 64 properties"),
        (EncodeError::BufferFull { wanted: 22, capacity: 21 }, "22 bytes do not fit into a buffer of 21"),
    ];
    for (error, text) in rows {
        assert_eq!(error.to_string(), text);
    }
}
