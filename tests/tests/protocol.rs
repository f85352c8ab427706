//! The protocol of broker and applications, byte by byte.

use sureplug_core::protocol::{
    self, BrokerPacket, MAX_PACKET_BYTES, PacketKind, Refusal, Request, RequestError,
};
use sureplug_core::selection::{Selection, SelectionError};
use sureplug_core::stream::{DeviceEvent, Origin};
use sureplug_core::time::Instant;
use sureplug_core::uevent::{Action, Uevent};

fn micros(micros: u64) -> Instant {
    Instant::from_nanos(micros * 1_000)
}

fn entry(datagram: &[u8]) -> DeviceEvent<'_> {
    let uevent = Uevent::parse(datagram).expect("a uevent");
    DeviceEvent { stamp: micros(18), origin: Origin::Kernel, tracked: true, kernel_action: None, uevent }
}

#[test]
fn an_event_is_the_kernels_and_what_is_added_stands_behind() {
    let datagram = b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=usb\0K=a=b\0SEQNUM=7\0";
    let mut buffer = [0; MAX_PACKET_BYTES];
    let packet = protocol::event(&mut buffer, &entry(datagram), 3);
    let added = b"SUREPLUG_ORIGIN=kernel\0SUREPLUG_MONOTONIC_US=18\0SUREPLUG_SEQ=3\0";
    assert_eq!(packet, [&datagram[..], added].concat());
    let message = BrokerPacket::parse(packet).expect("a message");
    assert_eq!((message.uevent().datagram(), message.seq()), (&datagram[..], Some(3)));
    let PacketKind::Event(read) = message.kind() else { panic!("{message:?}") };
    assert_eq!(read, entry(datagram));

    let event = DeviceEvent {
        origin: Origin::Resync,
        tracked: false,
        kernel_action: Some(Action::Move),
        ..entry(datagram)
    };
    let packet = protocol::event(&mut buffer, &event, u64::MAX);
    let PacketKind::Event(read) = BrokerPacket::parse(packet).expect("a message").kind() else { panic!() };
    assert_eq!(read, event);
}

#[test]
fn no_property_of_the_kernel_can_be_taken_for_the_brokers() {
    let datagram = b"add@/x\0ACTION=add\0SUREPLUG_SEQ=9\0SUREPLUG_ORIGIN=scan\0SUREPLUGX=1\0SEQNUM=1\0";
    let mut buffer = [0; MAX_PACKET_BYTES];
    let packet = protocol::event(&mut buffer, &entry(datagram), 1);
    assert!(packet.starts_with(b"add@/x\0ACTION=add\0SUREPLUGX=1\0SEQNUM=1\0SUREPLUG_ORIGIN=kernel\0"));
    let forged = b"end@/sureplug\0ACTION=end\0DEVPATH=/sureplug\0SUBSYSTEM=sureplug\0SEQNUM=1\0";
    let packet = protocol::event(&mut buffer, &entry(forged), 1);
    assert!(matches!(BrokerPacket::parse(packet).expect("a message").kind(), PacketKind::Event(_)));
}

#[test]
fn the_longest_event_of_the_kernel_fits_and_what_is_cut_is_reported() {
    for (path_bytes, value_bytes, is_whole) in [(900, 900, true), (1_900, 50, true), (1_970, 10, false)] {
        let path = format!("/{}", "p".repeat(path_bytes));
        let value = "v".repeat(value_bytes);
        let text = format!(
            "change@{path}\0ACTION=change\0DEVPATH={path}\0SUBSYSTEM=x\0LAST={value}\0SEQNUM=12345\0"
        );
        let datagram = text.as_bytes();
        let mut buffer = [0; MAX_PACKET_BYTES];
        let event = DeviceEvent {
            tracked: false,
            kernel_action: Some(Action::Offline),
            stamp: Instant::from_nanos(u64::MAX),
            ..entry(datagram)
        };
        let packet = protocol::event(&mut buffer, &event, u64::MAX);
        let message = BrokerPacket::parse(packet).expect("a message");
        assert_eq!(message.seq(), Some(u64::MAX));
        assert_eq!(message.uevent().datagram() == datagram, is_whole, "{path_bytes}");
        assert_eq!(message.added().any(|p| p.key == b"SUREPLUG_TRUNCATED"), !is_whole, "{path_bytes}");
        let PacketKind::Event(read) = message.kind() else { panic!("{message:?}") };
        assert_eq!((read.kernel_action, read.tracked), (Some(Action::Offline), false));
        assert_eq!(read.uevent.devpath(), path.as_bytes());
    }
}

#[test]
fn markers_have_their_documented_meaning() {
    let mut buffer = [0; MAX_PACKET_BYTES];
    let packet = protocol::begin(&mut buffer, true, 1);
    assert_eq!(
        packet,
        b"begin@/sureplug\0ACTION=begin\0DEVPATH=/sureplug\0SUBSYSTEM=sureplug\0SUREPLUG_PROTOCOL=1\0\
          SUREPLUG_REQUESTED=yes\0SUREPLUG_SEQ=1\0"
    );
    let kind = |packet: &[u8]| format!("{:?}", BrokerPacket::parse(packet).expect("a message").kind());
    assert_eq!(kind(packet), "Begin { protocol: 1, requested: true }");
    assert_eq!(kind(protocol::end(&mut buffer, false, 2)), "End");
    assert_eq!(kind(protocol::missed(&mut buffer, 17, 3)), "Missed { events: 17 }");
    assert_eq!(kind(protocol::reset(&mut buffer, 4)), "Reset");
    let packet = protocol::error(&mut buffer, Refusal::Busy { clients: 16 }, 5);
    let PacketKind::Error { reason, message } = BrokerPacket::parse(packet).expect("a message").kind() else {
        panic!()
    };
    assert_eq!((reason, message), (&b"busy"[..], &b"16 clients are connected, the limit: close one"[..]));
    let packet = protocol::status(&mut buffer, b"/sureplug/x", &[("A", &1), ("B", &"one\0two")], 6);
    let message = BrokerPacket::parse(packet).expect("a message");
    assert!(matches!(message.kind(), PacketKind::Status));
    assert_eq!(message.uevent().property(b"B"), Some(&b"onetwo"[..]));
    assert_eq!(message.seq(), Some(6));
    // A message of a later version.
    let later = b"later@/sureplug\0ACTION=later\0DEVPATH=/sureplug\0SUBSYSTEM=sureplug\0SUREPLUG_NEW=1\0";
    assert_eq!(kind(later), "Other");
}

#[test]
fn packets_that_no_broker_sends_are_errors() {
    for packet in [
        &b""[..],
        b"add@/x\0SUREPLUG_SEQ=1",
        b"add@/x\0ACTION=add\0SUREPLUG_SEQ=1\0LATE=1\0",
        b"add@/x\0ACTION=add\0SUREPLUG_SEQ\0",
        b"SUREPLUG_SEQ=1\0",
    ] {
        assert!(BrokerPacket::parse(packet).is_err(), "{packet:?}");
    }
}

#[test]
fn requests_are_parsed_or_refused_with_the_line() {
    let of = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| name.as_bytes()).collect();
        Selection::of(&names).expect("a selection")
    };
    let all = || Selection::ALL;
    for (packet, wanted) in [
        ("SNAPSHOT=yes", Request::ALL),
        ("SNAPSHOT=no\n", Request::Stream { selection: all(), snapshot: false }),
        ("SUBSYSTEM=usb", Request::Stream { selection: of(&["usb"]), snapshot: true }),
        (
            "SUBSYSTEM=a=b\nSNAPSHOT=no\nSUBSYSTEM=c\n",
            Request::Stream { selection: of(&["a=b", "c"]), snapshot: false },
        ),
        ("LIST", Request::List { selection: all() }),
        ("SUBSYSTEM=net\nLIST\n", Request::List { selection: of(&["net"]) }),
        ("STATUS\n", Request::Status),
    ] {
        assert_eq!(Request::parse(packet.as_bytes()), Ok(wanted), "{packet}");
    }
    let long = [b'x'; 1_025];
    for (packet, wanted) in [
        (&b""[..], RequestError::UnknownLine { line: 1 }),
        (b"\n", RequestError::UnknownLine { line: 1 }),
        (b"LIST\n\n", RequestError::UnknownLine { line: 2 }),
        (b"SUBSYSTEM=usb\nSNAPSHOT=no \n", RequestError::UnknownLine { line: 2 }),
        (b"STATUS\0", RequestError::UnknownLine { line: 1 }),
        (b"SUBSYSTEM=a\0", RequestError::UnknownLine { line: 1 }),
        (b"STATUS\nLIST", RequestError::Contradiction),
        (b"STATUS\nSUBSYSTEM=a", RequestError::Contradiction),
        (b"LIST\nSNAPSHOT=yes", RequestError::Contradiction),
        (b"SUBSYSTEM=", RequestError::Selection(SelectionError::EmptyName { index: 0 })),
        (&long, RequestError::TooLong { length: 1_025 }),
    ] {
        assert_eq!(Request::parse(packet), Err(wanted), "{packet:?}");
        assert!(!wanted.to_string().is_empty());
    }
}
