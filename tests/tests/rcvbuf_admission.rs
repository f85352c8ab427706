//! The model of a receive queue, against every socket that listened while events were captured.

use sureplug_core::rcvbuf::Effective;
use sureplug_tests::receive_queue::{Admission, Congestion, ReceiveQueue};
use sureplug_tests::vectors::{KERNELS, Kernel, Socket};

/// What a socket that sleeps through all the events ends with.
fn replay(kernel: &Kernel, datagrams: &[Vec<u8>], rcvbuf: u32, admission: Admission) -> Socket {
    let mut queue = ReceiveQueue::new(Effective(rcvbuf), admission, Congestion::Latched);
    let mut received = 0;
    for datagram in datagrams {
        let len = u32::try_from(datagram.len()).expect("a datagram is short");
        received += u32::from(queue.offer(kernel.abi.truesize(len)));
    }
    Socket { rcvbuf, queued: queue.queued(), dropped: queue.dropped(), received }
}

#[test]
fn reproduces_what_every_captured_socket_queued_and_lost() {
    let (mut captures, mut sockets, mut lossy) = (0, 0, 0);
    for kernel in KERNELS {
        for scenario in kernel.scenarios("txt") {
            let header = kernel.header(&scenario).expect("listed");
            let datagrams = kernel.datagrams(&scenario).expect("each readable capture has its datagrams");
            for socket in &header.sockets {
                let replayed = replay(&kernel, &datagrams, socket.rcvbuf, kernel.admission);
                assert_eq!(replayed, *socket, "{}/{scenario}", kernel.folder);
                lossy += usize::from(socket.dropped > 0);
            }
            sockets += header.sockets.len();
            captures += 1;
        }
    }
    assert_eq!((captures, sockets, lossy), (CAPTURES, SOCKETS, LOSSY));
}

/// Readable captures, the sockets that listened, and those of them that lost events.
const CAPTURES: usize = 56;
const SOCKETS: usize = 56 * 8;
const LOSSY: usize = 166;

/// Otherwise the test above could not distinguish the two rules.
#[test]
fn no_kernel_fits_the_other_rule() {
    for kernel in KERNELS {
        let other = match kernel.admission {
            Admission::Old => Admission::New,
            Admission::New => Admission::Old,
        };
        let fits = kernel.scenarios("txt").iter().all(|scenario| {
            let datagrams = kernel.datagrams(scenario).expect("each readable capture has its datagrams");
            let header = kernel.header(scenario).expect("listed");
            header.sockets.iter().all(|socket| replay(&kernel, &datagrams, socket.rcvbuf, other) == *socket)
        });
        assert!(!fits, "{}", kernel.folder);
    }
}

#[test]
fn after_a_refusal_everything_is_refused_until_the_queue_is_empty() {
    let mut queue = ReceiveQueue::new(Effective(4_096), Admission::New, Congestion::Latched);
    assert!(queue.offer(2_304) && queue.offer(1_280) && !queue.offer(1_280));
    assert!(queue.is_congested());
    queue.read(2_304);
    assert!(!queue.offer(768), "there is room, but the latch holds");
    queue.read(1_280);
    assert!(queue.offer(768));
    assert_eq!((queue.queued(), queue.dropped()), (768, 2));
}

#[test]
fn without_the_latch_the_next_event_is_admitted_as_soon_as_there_is_room() {
    let mut queue = ReceiveQueue::new(Effective(4_096), Admission::New, Congestion::NoEnobufs);
    assert!(queue.offer(2_304) && queue.offer(1_280) && !queue.offer(1_280));
    assert!(queue.offer(512), "512 still fit");
    queue.read(2_304);
    assert!(queue.offer(768));
    assert_eq!((queue.queued(), queue.dropped()), (2_560, 1));
    queue.drain();
    assert_eq!((queue.queued(), queue.dropped()), (0, 1));
}

#[test]
fn rules_differ_where_the_queue_overshoots_or_is_empty() {
    let offers = |admission| {
        let mut queue = ReceiveQueue::new(Effective(2_304), admission, Congestion::Latched);
        [queue.offer(4_352), queue.offer(1)]
    };
    assert_eq!(offers(Admission::New), [true, false], "an empty queue takes anything");
    assert_eq!(offers(Admission::Old), [true, false]);

    let fill = |admission| {
        let mut queue = ReceiveQueue::new(Effective(2_304), admission, Congestion::Latched);
        (0..3).filter(|_| queue.offer(1_280)).count()
    };
    assert_eq!((fill(Admission::Old), fill(Admission::New)), (2, 1));
}

#[test]
fn charges_that_overflow_are_refused() {
    let mut queue = ReceiveQueue::new(Effective(u32::MAX), Admission::Old, Congestion::Latched);
    assert!(queue.offer(u32::MAX));
    assert!(!queue.offer(1));
}
