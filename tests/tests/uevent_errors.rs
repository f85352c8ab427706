//! Every way in which a datagram is no uevent, at the byte where it shows, and every bound from both
//! sides.

use sureplug_core::limits::{MAX_DATAGRAM_BYTES, MAX_HEADER_BYTES, MAX_PROPERTIES, MAX_PROPERTY_BYTES};
use sureplug_core::uevent::{EncodeError, ParseError, ParseFault, Uevent, UeventBuf};

fn error(datagram: &[u8]) -> ParseError {
    Uevent::parse(datagram).expect_err("no uevent")
}

#[test]
fn each_fault_has_its_error_and_offset() {
    let rows: [(&[u8], ParseError); 21] = [
        (b"", ParseError { offset: 0, fault: ParseFault::Empty }),
        (b"libudev\0\xfe\xed\xca\xfe", ParseError { offset: 0, fault: ParseFault::LibudevFrame }),
        (b"libudev\0", ParseError { offset: 0, fault: ParseFault::LibudevFrame }),
        (b"add@/a", ParseError { offset: 6, fault: ParseFault::NotTerminated }),
        (b"add@/a\0K=v", ParseError { offset: 10, fault: ParseFault::NotTerminated }),
        (b"\0", ParseError { offset: 0, fault: ParseFault::NoAt }),
        (b"add\0", ParseError { offset: 3, fault: ParseFault::NoAt }),
        (b"add\0K=@\0", ParseError { offset: 3, fault: ParseFault::NoAt }),
        (b"@/a\0", ParseError { offset: 0, fault: ParseFault::EmptyAction }),
        (b"add@\0", ParseError { offset: 4, fault: ParseFault::DevpathNotAbsolute }),
        (b"add@a/b\0", ParseError { offset: 4, fault: ParseFault::DevpathNotAbsolute }),
        (b"add@@/a\0", ParseError { offset: 4, fault: ParseFault::DevpathNotAbsolute }),
        (b"add@/a\0K\0", ParseError { offset: 7, fault: ParseFault::NoEquals }),
        (b"add@/a\0\0", ParseError { offset: 7, fault: ParseFault::NoEquals }),
        (b"add@/a\0K=v\0L\0M=v\0", ParseError { offset: 11, fault: ParseFault::NoEquals }),
        (b"add@/a\0=v\0", ParseError { offset: 7, fault: ParseFault::EmptyKey }),
        (b"add@/a\0K=v\0=\0", ParseError { offset: 11, fault: ParseFault::EmptyKey }),
        (b"add@/a\0ACTION=remove\0", ParseError { offset: 7, fault: ParseFault::ActionDisagrees }),
        (b"add@/a\0K=v\0ACTION=\0", ParseError { offset: 11, fault: ParseFault::ActionDisagrees }),
        (b"add@/a\0DEVPATH=/ab\0", ParseError { offset: 7, fault: ParseFault::DevpathDisagrees }),
        (b"add@/a\0ACTION=add\0DEVPATH=/\0", ParseError { offset: 18, fault: ParseFault::DevpathDisagrees }),
    ];
    for (datagram, expected) in rows {
        let found = error(datagram);
        assert_eq!(found, expected, "{}", datagram.escape_ascii());
    }
}

#[test]
fn first_fault_in_the_documented_order_is_reported() {
    let long = "x".repeat(MAX_HEADER_BYTES);
    let too_many = "K=\0".repeat(MAX_PROPERTIES + 1);
    let too_long = format!("K={}\0", "v".repeat(MAX_PROPERTY_BYTES));
    let limit = MAX_HEADER_BYTES;
    let rows = [
        // A frame of libudev that was cut is one of libudev.
        ("libudev\0cut".to_owned(), ParseError { offset: 0, fault: ParseFault::LibudevFrame }),
        // Cut short comes before a header without `@`, without an action, and too long.
        ("add\0cut".to_owned(), ParseError { offset: 7, fault: ParseFault::NotTerminated }),
        ("@cut".to_owned(), ParseError { offset: 4, fault: ParseFault::NotTerminated }),
        (long.clone(), ParseError { offset: MAX_HEADER_BYTES, fault: ParseFault::NotTerminated }),
        // The header's length before its `@`, that before its action, that before its devpath.
        (format!("{long}\0"), ParseError { offset: limit, fault: ParseFault::TooLong }),
        (format!("@{long}\0"), ParseError { offset: limit, fault: ParseFault::TooLong }),
        ("@a\0".to_owned(), ParseError { offset: 0, fault: ParseFault::EmptyAction }),
        // The header before the properties' length, that before the first property.
        (format!("@/a\0{too_long}"), ParseError { offset: 0, fault: ParseFault::EmptyAction }),
        (format!("add@/a\0=\0{too_long}"), ParseError { offset: 7 + limit, fault: ParseFault::TooLong }),
        (format!("add@a\0=\0{too_long}"), ParseError { offset: 4, fault: ParseFault::DevpathNotAbsolute }),
        // Properties from the first to the last.
        ("add@/a\0K\0=\0".to_owned(), ParseError { offset: 7, fault: ParseFault::NoEquals }),
        ("add@/a\0=\0K\0".to_owned(), ParseError { offset: 7, fault: ParseFault::EmptyKey }),
        (format!("add@/a\0=\0{too_many}"), ParseError { offset: 7, fault: ParseFault::EmptyKey }),
        (
            "add@/a\0DEVPATH=/\0ACTION=x\0".to_owned(),
            ParseError { offset: 7, fault: ParseFault::DevpathDisagrees },
        ),
        (
            "add@/a\0ACTION=x\0DEVPATH=/\0".to_owned(),
            ParseError { offset: 7, fault: ParseFault::ActionDisagrees },
        ),
        ("add@/a\0ACTION=x\0K\0".to_owned(), ParseError { offset: 7, fault: ParseFault::ActionDisagrees }),
    ];
    for (datagram, expected) in rows {
        assert_eq!(error(datagram.as_bytes()), expected, "{}", datagram.escape_debug());
    }
}

#[test]
fn parser_takes_the_kernels_properties_and_no_more() {
    let most = format!("add@/a\0{}", "K=v\0".repeat(MAX_PROPERTIES));
    let uevent = Uevent::parse(most.as_bytes()).expect("a uevent");
    assert_eq!(uevent.properties().count(), 64);
    let offset = most.len();
    for one_more in ["K=v\0", "=v\0", "K\0"] {
        let datagram = most.clone() + one_more;
        assert_eq!(error(datagram.as_bytes()), ParseError { offset, fault: ParseFault::TooManyProperties });
    }
}

#[test]
fn parser_takes_the_kernels_property_bytes_and_no_more() {
    // Two properties, so that the offset is not that of a property's end.
    let datagram = |bytes: usize| format!("add@/a\0A=b\0K={}\0", "v".repeat(bytes - 7)).into_bytes();
    let most = datagram(MAX_PROPERTY_BYTES);
    assert_eq!(most.len() - 7, 2_048);
    assert_eq!(Uevent::parse(&most).expect("a uevent").property(b"K").map(<[u8]>::len), Some(2_041));
    let one_more = datagram(MAX_PROPERTY_BYTES + 1);
    assert_eq!(error(&one_more), ParseError { offset: 7 + 2_048, fault: ParseFault::TooLong });
}

#[test]
fn parser_takes_the_longest_header_and_no_longer() {
    let header = |bytes: usize| format!("add@/{}\0", "x".repeat(bytes - 6));
    let most = header(MAX_HEADER_BYTES);
    assert_eq!(most.len(), 2_048);
    assert_eq!(Uevent::parse(most.as_bytes()).expect("a uevent").devpath().len(), 2_043);
    let one_more = header(MAX_HEADER_BYTES + 1) + "K=v\0";
    assert_eq!(error(one_more.as_bytes()), ParseError { offset: 2_048, fault: ParseFault::TooLong });
}

#[test]
fn the_longest_datagram_parses_and_is_kept() {
    let longest = format!("add@/{}\0SEQNUM=7\0K={}\0", "x".repeat(2_042), "v".repeat(2_036));
    assert_eq!(longest.len(), MAX_DATAGRAM_BYTES);
    let uevent = Uevent::parse(longest.as_bytes()).expect("a uevent");
    let kept = UeventBuf::<MAX_DATAGRAM_BYTES>::copy_of(&uevent).expect("room");
    assert_eq!(kept.as_uevent().seqnum(), Some(7));
    let refused = UeventBuf::<{ MAX_DATAGRAM_BYTES - 1 }>::copy_of(&uevent).expect_err("no room");
    assert_eq!(refused, EncodeError::BufferFull { wanted: 4_096, capacity: 4_095 });
}

#[test]
fn a_prefix_of_a_uevent_is_one_only_where_a_property_ends() {
    let whole = b"add@/a\0ACTION=add\0DEVPATH=/a\0SEQNUM=9\0";
    for length in 0..=whole.len() {
        let ends_well = [7, 18, 29, 38].contains(&length);
        let expected = match length {
            0 => Some(ParseError { offset: 0, fault: ParseFault::Empty }),
            _ if ends_well => None,
            _ => Some(ParseError { offset: length, fault: ParseFault::NotTerminated }),
        };
        assert_eq!(Uevent::parse(&whole[..length]).err(), expected, "{length} bytes");
    }
}

#[test]
fn every_error_states_what_is_wrong_and_where() {
    let rows = [
        (ParseError { offset: 0, fault: ParseFault::Empty }, "byte 0: the datagram is empty"),
        (
            ParseError { offset: 0, fault: ParseFault::LibudevFrame },
            "byte 0: a frame of udevd for libudev's listeners (group 2), not a uevent of the kernel (group 1)",
        ),
        (
            ParseError { offset: 9, fault: ParseFault::NotTerminated },
            "byte 9: no NUL at the end: the datagram was cut short",
        ),
        (
            ParseError { offset: 2_055, fault: ParseFault::TooLong },
            "byte 2055: longer than the kernel's 2048 bytes",
        ),
        (
            ParseError { offset: 3, fault: ParseFault::NoAt },
            "byte 3: the header has no `@`: expected `action@devpath`",
        ),
        (
            ParseError { offset: 0, fault: ParseFault::EmptyAction },
            "byte 0: no action before `@`: expected `action@devpath`",
        ),
        (
            ParseError { offset: 4, fault: ParseFault::DevpathNotAbsolute },
            "byte 4: the devpath does not begin with `/`",
        ),
        (
            ParseError { offset: 263, fault: ParseFault::TooManyProperties },
            "byte 263: more than the kernel's 64 properties",
        ),
        (
            ParseError { offset: 7, fault: ParseFault::NoEquals },
            "byte 7: a property has no `=`: expected `KEY=value`",
        ),
        (ParseError { offset: 7, fault: ParseFault::EmptyKey }, "byte 7: a property has no key before `=`"),
        (
            ParseError { offset: 7, fault: ParseFault::ActionDisagrees },
            "byte 7: ACTION differs from the header's action",
        ),
        (
            ParseError { offset: 7, fault: ParseFault::DevpathDisagrees },
            "byte 7: DEVPATH differs from the header's devpath",
        ),
        (
            ParseError { offset: 9, fault: ParseFault::NoSeqnum },
            "byte 9: no SEQNUM at the end: the event was cut short",
        ),
    ];
    for (error, text) in rows {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn an_event_of_the_kernel_ends_with_its_seqnum() {
    for cut in [
        &b"add@/a\0"[..],
        b"add@/a\0K=v\0",
        b"add@/a\0SEQNUM=9\0K=v\0",
        b"SEQNUM=@/a\0",
        b"add@/a\0SEQNUMS=9\0",
    ] {
        assert!(Uevent::parse(cut).is_ok());
        let expected = Err(ParseError { offset: cut.len(), fault: ParseFault::NoSeqnum });
        assert_eq!(Uevent::from_kernel(cut), expected, "{}", cut.escape_ascii());
    }
    let whole = b"add@/a\0K=v\0SEQNUM=9\0";
    assert_eq!(Uevent::from_kernel(whole), Uevent::parse(whole));
    // A fault that no parser accepts is reported before it.
    assert_eq!(
        Uevent::from_kernel(b"add@/a\0K\0"),
        Err(ParseError { offset: 7, fault: ParseFault::NoEquals })
    );
}
