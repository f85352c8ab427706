//! What the running kernel charges for events of every length, held against the model.

use sureplug_core::rcvbuf::SkbAbi;
use sureplug_core::uevent::Uevent;
use sureplug_tests::kernel::{Injector, Listener, mark, own_network_namespace, raise};
use sureplug_tests::privilege::turn_to_raise;

/// Bytes that an injected event is charged for beside those that the reader sees: its netlink header.
const NETLINK_HEADER: u32 = 16;

const KNOWN: [SkbAbi; 8] = [
    SkbAbi::ARM64_5_10,
    SkbAbi::ARM64_6_1,
    SkbAbi::ARM64_6_12,
    SkbAbi::AMD64_6_1,
    SkbAbi::AMD64_6_18,
    SkbAbi::ARM_5_10,
    SkbAbi::ARM_6_1,
    SkbAbi::ARM_6_12,
];

/// The only message in the queue, and the bytes that were queued with it. `None` if an event of a device
/// came between: those reach every network namespace.
fn sole_message(listener: &Listener) -> Option<(Vec<u8>, u32)> {
    let queued = listener.mem_info().queued;
    let datagram = listener.receive().expect("the event");
    let alone = listener.receive().is_err();
    while listener.receive().is_ok() {}
    alone.then_some((datagram, queued))
}

#[test]
fn the_bound_holds_for_every_length_on_the_running_kernel() {
    let Some(_turn) = own_network_namespace("charges of the running kernel") else { return };
    let listener = Listener::with_rcvbuf(1 << 20, 1);
    let injector = Injector::new();
    let mut charges = Vec::new();
    for padding in 0..2_000 {
        injector.send(format!("add@/x\0P={:>padding$}\0", "").as_bytes());
        if let Some((datagram, charge)) = sole_message(&listener) {
            charges.push((u32::try_from(datagram.len()).expect("a length") + NETLINK_HEADER, charge));
        }
    }
    assert!(charges.len() > 1_500, "only {} events came alone", charges.len());
    for (length, charge) in &charges {
        let bound = SkbAbi::BOUND.truesize(*length);
        assert!(*charge <= bound, "{length} bytes are charged as {charge}, the bound is {bound}");
    }
    let exact =
        KNOWN.iter().find(|abi| charges.iter().all(|(length, charge)| abi.truesize(*length) == *charge));
    println!("{} lengths; exactly as {exact:?}", charges.len());
    // The bound is no wild guess: it is what is charged for nearly every length.
    let at_bound =
        charges.iter().filter(|(length, charge)| SkbAbi::BOUND.truesize(*length) == *charge).count();
    assert!(at_bound * 2 > charges.len(), "the bound is met by {at_bound} of {} lengths only", charges.len());
}

#[test]
fn an_event_of_the_kernels_own_is_charged_for_just_what_the_reader_sees() {
    let Some(_turn) = turn_to_raise("charges of real events") else { return };
    let listener = Listener::with_rcvbuf(1 << 20, 1);
    let mut measured = 0;
    for padding in (1..1_500).step_by(7) {
        let mark = mark();
        raise("change", &mark, &format!("PADDING={:a>padding$}", ""));
        let Some((datagram, queued)) = sole_message(&listener) else { continue };
        assert_eq!(Uevent::parse(&datagram).expect("an event").synth_uuid(), Some(mark.as_bytes()));
        let length = u32::try_from(datagram.len()).expect("a length");
        let bound = SkbAbi::BOUND.truesize(length);
        assert!(queued <= bound, "{length} bytes are charged as {queued}, the bound is {bound}");
        measured += 1;
    }
    assert!(measured > 100, "only {measured} events came alone");
}
