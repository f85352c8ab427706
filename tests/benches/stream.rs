//! What an event costs in the table of devices and in the journal, one consumer's reading included, against
//! what it costs to receive it. A ratio of times, and no limit: that counts instructions.

use sureplug_board::engine::capacity::{JOURNAL_BYTES, SLOTS, TABLE_BYTES};
use sureplug_board::socket::{BATCH_MESSAGES, Batch, Datagram, UeventSocket};
use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::selection::Selection;
use sureplug_core::stream::{DeliveryBuffer, Directory, Lag, Scope, Stream};
use sureplug_core::time::Instant;
use sureplug_core::uevent::Uevent;
use sureplug_tests::kernel::{Injector, Listener, own_network_namespace, without_seqnum};
use sureplug_tests::timing::{median, processor_time};
use sureplug_tests::vectors::KERNELS;

const ROUNDS: usize = 15;
const BURSTS: u32 = 10;
/// Devices that are present all the time.
const OTHERS: u32 = 400;

type BenchStream = Stream<SLOTS, TABLE_BYTES, JOURNAL_BYTES, 1>;

fn main() {
    let Some(_turn) = own_network_namespace("the bench of the stream") else { return };
    let kernel = KERNELS.iter().find(|kernel| kernel.folder == "6.1-arm64").expect("captures of this kernel");
    let burst: Vec<Vec<u8>> = ["hub8_storage_plug", "hub8_storage_unplug"]
        .iter()
        .flat_map(|scenario| kernel.datagrams(scenario).expect("a capture"))
        .collect();
    let mut stream = Box::new(BenchStream::new());
    let consumer = stream.join(Selection::ALL, Lag::Hold).expect("a place");
    let mut packet = DeliveryBuffer::new();
    for number in 0..OTHERS {
        let path = format!("/devices/pci0000:00/0000:00:1d.0/usb1/1-1/1-1.4/1-1.4:1.{number}");
        let text =
            format!("add@{path}\0ACTION=add\0DEVPATH={path}\0SUBSYSTEM=usb\0PRODUCT=46f4/1/0\0SEQNUM=1\0");
        let uevent = Uevent::parse(text.as_bytes()).expect("an event");
        stream.event(Instant::BOOT, &uevent, Scope::Tracked, Directory::Unknown);
        while stream.next(consumer, Instant::BOOT, &mut packet).is_some() {}
    }
    let injector = Injector::new();
    let socket = UeventSocket::adopt(Listener::of_everything().into_fd()).expect("a uevent socket");
    let mut batch = Batch::new(MAX_DATAGRAM_BYTES);
    let events = BURSTS * u32::try_from(burst.len()).expect("some");
    let mut ratios = Vec::new();
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for _ in 0..BURSTS {
            for datagram in &burst {
                injector.send(without_seqnum(datagram));
            }
        }
        let mut received = 0;
        let receiving = processor_time(|| {
            while received < events {
                let all = socket.receive(&mut batch, BATCH_MESSAGES, |message| {
                    received += u32::from(matches!(message, Datagram::Event(_)));
                });
                all.expect("events");
            }
        });
        let parsed: Vec<Uevent<'_>> =
            burst.iter().map(|datagram| Uevent::parse(datagram).expect("an event")).collect();
        let telling = processor_time(|| {
            for _ in 0..BURSTS {
                for uevent in &parsed {
                    stream.event(Instant::BOOT, uevent, Scope::Tracked, Directory::Unknown);
                    while stream.next(consumer, Instant::BOOT, &mut packet).is_some() {}
                }
            }
        });
        for (costs, spent) in costs.iter_mut().zip([receiving, telling]) {
            costs.push(spent.as_secs_f64() * 1e9 / f64::from(events));
        }
        ratios.push(telling.as_secs_f64() / receiving.as_secs_f64());
    }
    let [receiving, telling] = costs.map(median);
    let ratio = median(ratios);
    println!(
        "{events} events, {OTHERS} devices beside them: received for {receiving:.0} ns each, applied and told for \
         {telling:.0} ns: {ratio:.2} times"
    );
}
