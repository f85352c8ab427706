//! The fault that this project exists for, on a real socket: an application asks for 1,024 bytes of
//! receive buffer, the kernel silently makes a little more of it, and the events of one USB plug do not
//! fit. The same burst does not harm a socket of ours.

use nix::errno::Errno;
use sureplug_board::intake::{Intake, Observed};
use sureplug_board::profile::{Profile, Sizing};
use sureplug_board::socket::UeventSocket;
use sureplug_board::socket::sysctl;
use sureplug_board::sysfs::BoardPorts;
use sureplug_core::rcvbuf::Others;
use sureplug_core::rcvbuf::SkbAbi;
use sureplug_tests::kernel::{Injector, Listener, own_network_namespace, take_until, without_seqnum};
use sureplug_tests::vectors::KERNELS;

fn sizing() -> Sizing {
    Sizing::for_board(&Profile::BUILD, &BoardPorts::default(), sysctl::rmem_default(), Others::Unfiltered)
        .expect("a size")
}

/// The events of one plug of a stick, as a board of that name raised them.
fn plug(folder: &str) -> Vec<Vec<u8>> {
    let kernel = KERNELS.iter().find(|kernel| kernel.folder == folder).expect("a kernel");
    kernel.datagrams("storage_ss_mbr4_plug").expect("a capture")
}

#[test]
fn a_buffer_of_1024_loses_events_of_one_plug_and_ours_loses_none() {
    let Some(_turn) = own_network_namespace("the fault of a buffer of 1024 bytes") else { return };
    let theirs = Listener::with_rcvbuf(1024, 1);
    let ours = UeventSocket::open(sizing().rcvbuf).expect("a socket");
    let floor = theirs.mem_info().effective;
    assert_eq!(floor, SkbAbi::BOUND.rcvbuf_floor(), "what the kernel silently made of 1024");

    let plug = plug("6.1-arm64");
    let injector = Injector::new();
    for datagram in &plug {
        injector.send(without_seqnum(datagram));
    }

    // Theirs: an errno that is no count, then what fitted, then nothing.
    assert_eq!(theirs.receive(), Err(Errno::ENOBUFS));
    assert_eq!(Errno::ENOBUFS as i32, 105);
    let mut fitted = 0;
    while theirs.receive().is_ok() {
        fitted += 1;
    }
    let drops = theirs.mem_info().drops;
    assert!(fitted >= 1 && drops as usize == plug.len() - fitted, "{fitted} fitted, {drops} dropped");

    // Ours: each of them, in order, as it was sent.
    let mut intake = Intake::start(ours).expect("an intake");
    let mut wanted = plug.iter().map(|datagram| without_seqnum(datagram));
    let mut left = plug.len();
    take_until(&mut intake, |record| {
        let Observed::Event(datagram) = record.what else { panic!("no event: {record:?}") };
        assert_eq!(Some(without_seqnum(datagram)), wanted.next());
        left -= 1;
        left == 0
    });
}

#[test]
fn even_a_reader_that_drains_at_once_loses_most_of_a_burst_with_1024() {
    let Some(_turn) = own_network_namespace("a drained buffer of 1024 bytes") else { return };
    // As many events between two looks as the burst brings while the reader is scheduled.
    let theirs = Listener::with_rcvbuf(1024, 1);
    let injector = Injector::new();
    let (mut received, mut overruns) = (0, 0);
    for events in plug("6.1-armhf").chunks(4) {
        for datagram in events {
            injector.send(without_seqnum(datagram));
        }
        loop {
            match theirs.receive() {
                Ok(_) => received += 1,
                Err(Errno::ENOBUFS) => overruns += 1,
                Err(_) => break,
            }
        }
    }
    assert!(overruns >= 2, "one errno for each overrun: {overruns}");
    assert_eq!(received + theirs.mem_info().drops, 21, "each event is received or counted");
}
