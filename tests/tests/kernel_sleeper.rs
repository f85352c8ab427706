//! A reader that sleeps: how many events its buffer holds, to the event.

use std::sync::atomic::Ordering::Relaxed;

use nix::sys::socket::{setsockopt, sockopt};
use sureplug_board::intake::{Intake, Observed};
use sureplug_board::socket::UeventSocket;
use sureplug_core::rcvbuf::Effective;
use sureplug_tests::kernel::{Injector, Listener, own_network_namespace, take_until};
use sureplug_tests::receive_queue::{Admission, Congestion, ReceiveQueue};

/// A listener whose effective buffer has that many bytes.
fn listener(effective: usize) -> Listener {
    let listener = Listener::unbound();
    setsockopt(&listener, sockopt::RcvBufForce, &(effective / 2)).expect("SO_RCVBUFFORCE");
    listener.bind(1);
    listener
}

fn event(number: usize) -> Vec<u8> {
    format!("add@/devices/virtual/sleeper\0ACTION=add\0NUMBER={number:06}\0PADDING={:>200}\0", "")
        .into_bytes()
}

/// What the kernel charges for one such event.
fn charge(injector: &Injector) -> u32 {
    let listener = listener(1 << 20);
    injector.send(&event(0));
    listener.mem_info().queued
}

/// The events that fit into the buffer by the rule: none is read in between.
fn fitting(effective: u32, charge: u32, admission: Admission) -> usize {
    let mut queue = ReceiveQueue::new(Effective(effective), admission, Congestion::NoEnobufs);
    std::iter::repeat_n(charge, 1 << 20).take_while(|charge| queue.offer(*charge)).count()
}

#[test]
fn a_storm_as_large_as_the_buffer_loses_nothing_and_one_event_more_loses_one() {
    let Some(_turn) = own_network_namespace("a storm as large as the buffer") else { return };
    let injector = Injector::new();
    let charge = charge(&injector);
    // Exact multiples of the charge, and sizes just off them.
    for effective in [charge * 40, charge * 40 + 1022, 131_072, 212_992] {
        let effective = effective & !1;
        let probe = listener(effective as usize);
        // Which of the two rules the running kernel has is found out first: the point release decides.
        (0..fitting(effective, charge, Admission::New) + 2).for_each(|number| injector.send(&event(number)));
        let dropped_by_probe = probe.mem_info().drops;
        let admission = if dropped_by_probe == 2 { Admission::New } else { Admission::Old };
        let fits = fitting(effective, charge, admission);

        for surplus in [0, 1, 3] {
            let socket = UeventSocket::adopt(listener(effective as usize).into_fd()).expect("a socket");
            assert_eq!(socket.effective(), Effective(effective));
            (0..fits + surplus).for_each(|number| injector.send(&event(number)));
            let info = socket.mem_info().expect("SO_MEMINFO");
            assert_eq!(info.queued as usize, fits * charge as usize, "{fits} of {charge} in {effective}");

            let mut intake = Intake::start(socket).expect("an intake");
            let (mut received, mut lost) = (0, 0);
            take_until(&mut intake, |record| {
                match record.what {
                    Observed::Event(_) => received += 1,
                    Observed::Overrun { dropped, .. } => lost += dropped as usize,
                    other => panic!("{other:?}"),
                }
                received + lost == fits + surplus
            });
            assert_eq!((received, lost), (fits, surplus), "{admission:?}, {effective} bytes");
        }
    }
}

#[test]
fn i2_an_overrun_is_delivered_in_its_place_and_what_comes_after_it_is_received() {
    let Some(_turn) = own_network_namespace("an overrun in its place") else { return };
    let injector = Injector::new();
    let socket = UeventSocket::adopt(listener(8_192).into_fd()).expect("a socket");
    (0..100).for_each(|number| injector.send(&event(number)));
    let mut intake = Intake::start(socket).expect("an intake");
    let (mut received, mut lost) = (0, 0);
    take_until(&mut intake, |record| {
        match record.what {
            Observed::Event(_) => received += 1,
            Observed::Overrun { dropped, queued, effective } => {
                assert!(queued <= effective && effective == 8_192, "{queued} of {effective}");
                lost += dropped;
            }
            other => panic!("{other:?}"),
        }
        received + lost == 100
    });
    assert!(lost > 80, "{lost}");
    assert_eq!(
        intake.counters().peak_queued.load(Relaxed) / u64::from(charge(&injector)),
        u64::from(received)
    );

    // No latch: the very next event is admitted and delivered.
    injector.send(&event(100));
    take_until(&mut intake, |record| {
        let Observed::Event(datagram) = record.what else { panic!("{record:?}") };
        datagram.windows(13).any(|bytes| bytes == b"NUMBER=000100")
    });
}
