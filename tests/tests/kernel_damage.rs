//! What is not an event of the kernel, or not a whole one: counted, never believed, and nothing else is
//! lost by it (I7).

use std::os::fd::AsFd;
use std::sync::atomic::Ordering::Relaxed;

use sureplug_board::intake::{Intake, Observed};
use sureplug_board::profile::{Profile, Sizing};
use sureplug_board::socket::{BATCH_MESSAGES, Batch, Datagram, Received, UeventSocket};
use sureplug_board::sysfs::BoardPorts;
use sureplug_core::limits::MAX_PROPERTY_BYTES;
use sureplug_core::netlink::Sender;
use sureplug_core::rcvbuf::Others;
use sureplug_core::uevent::{ParseError, ParseFault, Uevent};
use sureplug_tests::kernel::{Injector, Listener, multicast, own_network_namespace, take_until};

const GOOD: &[u8] = b"add@/devices/virtual/good\0ACTION=add\0DEVPATH=/devices/virtual/good\0SUBSYSTEM=good\0";
const FORGED: &[u8] = b"add@/devices/virtual/forged\0ACTION=add\0DEVPATH=/devices/virtual/forged\0SEQNUM=1\0";
const LAST: &[u8] = b"remove@/devices/virtual/last\0ACTION=remove\0";

fn socket() -> UeventSocket {
    let sizing =
        Sizing::for_board(&Profile::BUILD, &BoardPorts::default(), None, Others::Unfiltered).expect("a size");
    UeventSocket::open(sizing.rcvbuf).expect("a socket")
}

/// What came of the kernel's and of others' messages.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    received: u64,
    malformed: u64,
    truncated: u64,
    lost: u64,
    foreign: u64,
}

/// Counts until the event `LAST`, and returns the counts, what was noticed beside events, and the devpaths.
fn count_until_last(intake: &mut Intake) -> (Counts, Vec<String>, Vec<String>) {
    let mut counts = Counts::default();
    let (mut noticed, mut devpaths) = (Vec::new(), Vec::new());
    take_until(intake, |record| {
        let what = match record.what {
            Observed::Event(datagram) => match Uevent::from_kernel(datagram) {
                Ok(uevent) => {
                    counts.received += 1;
                    devpaths.push(String::from_utf8_lossy(uevent.devpath()).into_owned());
                    return uevent.devpath() == b"/devices/virtual/last";
                }
                Err(error) => {
                    counts.malformed += 1;
                    format!("{error:?}")
                }
            },
            Observed::Overrun { dropped, .. } => {
                counts.lost += u64::from(dropped);
                String::from("Overrun")
            }
            Observed::Truncated => {
                counts.truncated += 1;
                String::from("Truncated")
            }
            Observed::Foreign(sender) => format!("Foreign {sender:?}"),
        };
        noticed.push(what);
        false
    });
    counts.foreign = intake.counters().foreign.load(Relaxed);
    (counts, noticed, devpaths)
}

#[test]
fn i7_another_processs_multicast_is_counted_and_never_shown() {
    let Some(_turn) = own_network_namespace("a forged event") else { return };
    let mut intake = Intake::start(socket()).expect("an intake");
    let injector = Injector::new();
    injector.send(GOOD);
    (0..1_000).for_each(|_| multicast(FORGED, 1));
    injector.send(LAST);
    let (totals, noticed, devpaths) = count_until_last(&mut intake);
    assert_eq!(devpaths, ["/devices/virtual/good", "/devices/virtual/last"]);
    assert_eq!((totals.received, totals.foreign, totals.malformed, totals.lost), (2, 1_000, 0, 0));
    // Only the first is reported: a flood of them must not take the room of events.
    assert_eq!(noticed.len(), 1, "{noticed:?}");
    assert!(noticed[0].starts_with("Foreign"), "{noticed:?}");
}

#[test]
fn i7_multicasts_of_udevd_are_neither_received_nor_believed() {
    let Some(_turn) = own_network_namespace("group 2") else { return };
    let injector = Injector::new();
    // Ours is in group 1 alone.
    let mut intake = Intake::start(socket()).expect("an intake");
    // A socket handed over by another program is in both groups.
    let both = Listener::with_rcvbuf(212_992, 3);
    let mut adopted =
        Intake::start(UeventSocket::adopt(both.into_fd()).expect("a socket")).expect("an intake");
    multicast(FORGED, 2);
    injector.send(LAST);
    let (totals, noticed, devpaths) = count_until_last(&mut intake);
    assert_eq!((totals.received, totals.foreign, noticed.len()), (1, 0, 0), "{devpaths:?}");
    let (totals, noticed, devpaths) = count_until_last(&mut adopted);
    assert_eq!((totals.received, totals.foreign), (1, 1), "{devpaths:?}");
    assert!(noticed[0].contains("groups: 2"), "{noticed:?}");
}

#[test]
fn i7_a_message_to_our_port_alone_is_not_believed() {
    use nix::sys::socket::{MsgFlags, NetlinkAddr, getsockname, sendto};
    use std::os::fd::AsRawFd;
    let Some(_turn) = own_network_namespace("a unicast") else { return };
    let socket = socket();
    let port = getsockname::<NetlinkAddr>(socket.as_fd().as_raw_fd()).expect("a name").pid();
    let mut intake = Intake::start(socket).expect("an intake");
    let sender = Listener::unbound();
    let to = NetlinkAddr::new(port, 0);
    sendto(sender.as_fd().as_raw_fd(), FORGED, &to, MsgFlags::empty()).expect("a unicast");
    Injector::new().send(LAST);
    let (totals, _, devpaths) = count_until_last(&mut intake);
    assert_eq!((totals.received, totals.foreign), (1, 1), "{devpaths:?}");
}

#[test]
fn i2_malformed_events_are_counted_and_those_around_them_come() {
    let Some(_turn) = own_network_namespace("damaged events") else { return };
    let mut intake = Intake::start(socket()).expect("an intake");
    let injector = Injector::new();
    injector.send(GOOD);
    injector.send(b"garbage\0");
    injector.send(b"add@/devices/virtual/good\0ACTION=remove\0");
    // One that was injected with a SEQNUM has two of them, and is whole.
    injector.send(&[GOOD, b"SEQNUM=1\0"].concat());
    injector.send(LAST);
    let (totals, noticed, devpaths) = count_until_last(&mut intake);
    assert_eq!(devpaths, ["/devices/virtual/good", "/devices/virtual/good", "/devices/virtual/last"]);
    assert_eq!((totals.received, totals.malformed), (3, 2));
    assert_eq!((totals.truncated, totals.lost, totals.foreign), (0, 0, 0));
    let no_at = ParseError { offset: 7, fault: ParseFault::NoAt };
    assert!(noticed[0].contains(&format!("{no_at:?}")), "{noticed:?}");
    assert!(noticed[1].contains("ActionDisagrees"), "{noticed:?}");
}

#[test]
fn i2_an_event_longer_than_its_buffer_is_noticed_and_those_around_it_come() {
    let Some(_turn) = own_network_namespace("a truncated event") else { return };
    // No event of the kernel is longer than the buffers that the intake has, so these are made shorter.
    let mut batch = Batch::new(GOOD.len() + 40);
    let socket = socket();
    let injector = Injector::new();
    injector.send(GOOD);
    injector.send(&[GOOD, format!("LONG={:>40}\0", "").as_bytes()].concat());
    injector.send(LAST);
    let mut came = Vec::new();
    let received = socket.receive(&mut batch, BATCH_MESSAGES, |message| came.push(format!("{message:?}")));
    assert_eq!(received.expect("three messages"), Received::All);
    assert_eq!(came.len(), 3);
    assert!(came[0].starts_with("Event") && came[2].starts_with("Event"), "{came:?}");
    assert_eq!(came[1], format!("{:?}", Datagram::Truncated));
}

#[test]
fn i2_the_longest_event_that_the_kernel_injects_comes_whole() {
    let Some(_turn) = own_network_namespace("the longest event") else { return };
    let mut intake = Intake::start(socket()).expect("an intake");
    let injector = Injector::new();
    // The kernel takes as many bytes as its buffer for an event has, with the `SEQNUM` that it appends.
    let padding = MAX_PROPERTY_BYTES - GOOD.len() - 16 - 40;
    injector.send(&[GOOD, format!("LONG={:>padding$}\0", "").as_bytes()].concat());
    injector.send(LAST);
    let (totals, noticed, _) = count_until_last(&mut intake);
    assert_eq!((totals.received, totals.malformed, totals.truncated), (2, 0, 0), "{noticed:?}");
}

#[test]
fn i2_an_event_that_another_listeners_filter_cut_short_is_counted_as_damaged() {
    let Some(_turn) = own_network_namespace("an event that was cut short") else { return };
    let mut intake = Intake::start(socket()).expect("an intake");
    let injector = Injector::new();
    injector.send(GOOD);
    // A listener that is bound later comes first: its filter keeps 40 bytes, of the message itself.
    let vandal = Listener::with_rcvbuf(212_992, 1);
    vandal.keep_of_everything(40);
    injector.send(GOOD);
    injector.send(GOOD);
    drop(vandal);
    injector.send(LAST);
    let (totals, noticed, devpaths) = count_until_last(&mut intake);
    if totals.received == 4 {
        // Kernels that give each listener its own copy: then there is nothing to damage.
        assert_eq!(devpaths.len(), 4);
        println!("this kernel does not let another listener's filter cut what we receive");
        return;
    }
    assert_eq!((totals.received, totals.malformed, totals.lost), (2, 2, 0), "{noticed:?}");
    assert!(noticed.iter().all(|line| line.contains("offset: 40, fault: NotTerminated")), "{noticed:?}");
}

#[test]
fn i2_an_event_cut_short_between_two_properties_is_counted_as_damaged() {
    let Some(_turn) = own_network_namespace("an event that was cut between two properties") else { return };
    let mut intake = Intake::start(socket()).expect("an intake");
    let vandal = Listener::with_rcvbuf(212_992, 1);
    vandal.keep_of_everything(u32::try_from(GOOD.len()).expect("a length"));
    Injector::new().send(GOOD);
    drop(vandal);
    Injector::new().send(LAST);
    let (totals, noticed, devpaths) = count_until_last(&mut intake);
    // Kernels that give each listener its own copy have nothing to damage.
    if totals.received == 1 {
        let wanted = format!("{:?}", ParseError { offset: GOOD.len(), fault: ParseFault::NoSeqnum });
        assert_eq!((totals.malformed, devpaths.len()), (1, 1));
        assert!(noticed[0].contains(&wanted), "{noticed:?}");
    } else {
        assert_eq!((totals.received, totals.malformed), (2, 0));
    }
}

#[test]
fn every_foreign_sender_is_recognised_by_what_it_cannot_forge() {
    let Some(_turn) = own_network_namespace("the first forged event") else { return };
    let mut intake = Intake::start(socket()).expect("an intake");
    multicast(FORGED, 1);
    take_until(&mut intake, |record| {
        let Observed::Foreign(Sender { port, groups, uid }) = record.what else { panic!("{record:?}") };
        assert!(port != 0 && groups == 1 && uid == Some(0), "{record:?}");
        true
    });
}
