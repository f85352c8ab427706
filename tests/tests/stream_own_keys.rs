//! An event's properties under a key of the stream's own reach no consumer.

use sureplug_core::selection::Selection;
use sureplug_core::stream::{ConsumerId, Delivery, DeliveryBuffer, Directory, Lag, Scope, Stream};
use sureplug_core::time::Instant;
use sureplug_core::uevent::Uevent;

type Small = Stream<8, 2048, 4096, 2>;

fn told(stream: &mut Small, consumer: ConsumerId) -> Vec<String> {
    let mut packet = DeliveryBuffer::new();
    let mut told = Vec::new();
    while let Some(step) = stream.next(consumer, Instant::BOOT, &mut packet) {
        if let Delivery::Event(entry) = step {
            let properties = entry.added_properties().chain(entry.uevent.properties());
            told.push(properties.map(|property| property.to_string()).collect::<Vec<_>>().join(" "));
        }
    }
    told
}

#[test]
fn a_property_under_a_key_of_ours_goes_no_further() {
    let mut stream = Small::new();
    let live = stream.join(Selection::ALL, Lag::Hold).expect("a place");
    assert!(told(&mut stream, live).is_empty(), "nothing is present");
    let uevent = |text: &'static [u8]| Uevent::parse(text).expect("a uevent");
    let add = uevent(
        b"add@/devices/a\0ACTION=add\0SUREPLUG_ORIGIN=forged\0DEVPATH=/devices/a\0SUBSYSTEM=usb\0\
        SUREPLUG_NEW=1\0SUREPLUG_TRACKED=no\0A=1\0SEQNUM=9\0",
    );
    stream.event(Instant::BOOT, &add, Scope::Tracked, Directory::Unknown);
    stream.event(
        Instant::BOOT,
        &uevent(b"change@/module/m\0ACTION=change\0SUREPLUG_=1\0SUREPLUG=2\0SEQNUM=10\0"),
        Scope::Untracked,
        Directory::Unknown,
    );
    let added = "SUREPLUG_ORIGIN=kernel ACTION=add DEVPATH=/devices/a SUBSYSTEM=usb A=1 SEQNUM=9";
    let changed = "SUREPLUG_ORIGIN=kernel SUREPLUG_TRACKED=no ACTION=change SUREPLUG=2 SEQNUM=10";
    assert_eq!(told(&mut stream, live), [added, changed]);
    // A snapshot from the table.
    let late = stream.join(Selection::ALL, Lag::Hold).expect("a place");
    let snapshot = "SUREPLUG_ORIGIN=scan ACTION=add DEVPATH=/devices/a SUBSYSTEM=usb A=1";
    assert_eq!(told(&mut stream, late), [snapshot]);
}
