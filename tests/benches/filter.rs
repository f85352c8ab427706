//! The kernel's cost of an event of another subsystem: without a listener, with a listener that
//! queues it, and with one whose filter refuses it. Fails if the filter takes more instructions
//! than its limit.

use std::process::ExitCode;

use sureplug_board::sys;
use sureplug_core::filter::{Filter, SMALLEST_OPTMEM_MAX};
use sureplug_core::selection::Selection;
use sureplug_tests::cbpf::run_counted;
use sureplug_tests::filter_oracle::datagram;
use sureplug_tests::kernel::{Injector, Listener, own_network_namespace};
use sureplug_tests::limits::REFUSE;
use sureplug_tests::timing::{median, processor_time};

const ROUNDS: usize = 15;
const EVENTS: u32 = 4_000;

fn main() -> ExitCode {
    let Some(_turn) = own_network_namespace("the bench of the filter") else { return ExitCode::SUCCESS };
    // As long as those that a disk's partition makes on a board.
    let path = b"/devices/platform/3f000000.pcie/pci0000:00/0000:00:01.0/usb1/1-2/1-2.1/1-2.1:1.0/host0/target0:0:0/\
                 0:0:0:0/bsg/0:0:0:0";
    let event = datagram(b"add", path, b"bsg", b"MAJOR=244\0MINOR=10\0DEVNAME=bsg/0:0:0:0\0");
    let injector = Injector::new();
    let mut costs = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        for (kind, costs) in costs.iter_mut().enumerate() {
            let listener = (kind > 0).then(Listener::of_everything);
            let limit = [None, None, Some(131_072), Some(SMALLEST_OPTMEM_MAX)][kind];
            if let (Some(listener), Some(limit)) = (&listener, limit) {
                let filter = Filter::new(&Selection::USB, limit).expect("it fits");
                sys::attach_filter(listener, filter.program()).expect("the kernel takes it");
            }
            let spent = processor_time(|| (0..EVENTS).for_each(|_| injector.send(&event)));
            costs.push(spent.as_secs_f64() * 1e9 / f64::from(EVENTS));
            let queued = listener.map_or(0, |listener| listener.count());
            assert_eq!(queued, if kind == 1 { u64::from(EVENTS) } else { 0 });
        }
    }
    let [alone, queued, refused, refused_small] = costs.map(median);
    println!(
        "an event of another subsystem costs the kernel {alone:.0} ns with no listener, {:.0} ns more to queue it for one, \
         {:.0} ns more to refuse it ({:.0} ns by the filter that fits into 10,240 B): {:.0} events a second with a \
         listener without a filter, {:.0} with one",
        queued - alone,
        refused - alone,
        refused_small - alone,
        1e9 / queued,
        1e9 / refused,
    );
    let counts = [131_072, SMALLEST_OPTMEM_MAX].map(|limit| {
        let (verdict, count) =
            run_counted(Filter::new(&Selection::USB, limit).expect("it fits").program(), &event);
        assert_eq!(verdict, 0, "refused");
        u32::try_from(count).expect("some")
    });
    println!("refusing costs {:.2} times queueing", (refused - alone) / (queued - alone));
    let most = counts.into_iter().max().expect("two");
    if REFUSE.is_kept(most.into()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
