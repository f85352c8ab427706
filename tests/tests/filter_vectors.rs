//! Filters on every captured event: interpreter, running kernel and definition agree.

use std::collections::BTreeSet;

use sureplug_core::filter::{Filter, SMALLEST_OPTMEM_MAX};
use sureplug_core::rcvbuf::VIRTUAL_SUBSYSTEMS;
use sureplug_core::selection::Selection;
use sureplug_core::uevent::Uevent;
use sureplug_tests::captured::captured;
use sureplug_tests::cbpf;
use sureplug_tests::filter_oracle::{Verdict, datagram, verdict};
use sureplug_tests::kernel::KernelFilter;
use sureplug_tests::vectors::KERNELS;

/// `net.core.optmem_max` of old 32-bit and 64-bit kernels, and of new ones.
const LIMITS: [u32; 3] = [SMALLEST_OPTMEM_MAX, 20_480, 131_072];

fn sets() -> [Selection; 4] {
    [
        Selection::USB,
        Selection::of(&[b"usb"]).unwrap(),
        Selection::of(&[b"usbmisc", b"scsi_disk", b"leds", b"queues"]).unwrap(),
        Selection::of(&[b"tty", b"mem", b"event_source", b"memory_tiering", b"clocksource"]).unwrap(),
    ]
}

#[test]
fn every_captured_event_is_decided_inside_the_kernel() {
    let events: Vec<Vec<u8>> = captured().into_iter().map(|event| event.datagram).collect();
    assert!(events.len() > 2_900, "{} captured events", events.len());
    for limit in LIMITS {
        for set in sets() {
            let filter = Filter::new(&set, limit).expect("it fits");
            let program = filter.program();
            let kernel = KernelFilter::new(program).expect("it attaches");
            let (mut accepted, mut refused) = (0, 0);
            for event in &events {
                let wanted = verdict(event, &set, filter.reach_bytes());
                assert!(
                    matches!(wanted, Verdict::InSet | Verdict::Refused),
                    "{wanted:?}: {}",
                    event.escape_ascii()
                );
                let wanted = wanted == Verdict::InSet;
                assert_eq!(
                    cbpf::run(program, event),
                    if wanted { u32::MAX } else { 0 },
                    "{}",
                    event.escape_ascii()
                );
                assert_eq!(kernel.passes(event), wanted.then_some(event.len()), "{}", event.escape_ascii());
                *(if wanted { &mut accepted } else { &mut refused }) += 1;
            }
            assert!(accepted > 0 && refused > 0, "{accepted} accepted, {refused} refused of {set}");
        }
    }
}

/// The events of USB devices that the default selection leaves out, and why they are not missed.
#[test]
fn the_default_set_is_what_usb_devices_make_but_for_these() {
    let left_out = [
        // A keyboard's lights, a third of its events. A program that switches them opens the input
        // device.
        "leds",
        // Whether a device may wake the system up: nothing that can be opened.
        "wakeup",
        // What the kernel's block layer has for each disk.
        "bdi",
        "workqueue",
        // A second node for each disk, for programs of the 2000s.
        "bsg",
        // Of a net device; these are no devices.
        "queues",
    ];
    let mut seen = BTreeSet::new();
    for kernel in KERNELS {
        for scenario in kernel.scenarios("bin").iter().filter(|name| !name.starts_with("coldplug")) {
            for event in kernel.datagrams(scenario).expect("a capture") {
                let uevent = Uevent::parse(&event).expect("an event");
                let subsystem = uevent.subsystem().expect("a subsystem");
                if !Selection::USB.admits(Some(subsystem)) {
                    seen.insert(String::from_utf8(subsystem.to_vec()).expect("ASCII"));
                }
                let is_virtual = uevent.devpath().starts_with(b"/devices/virtual/");
                assert_eq!(is_virtual, VIRTUAL_SUBSYSTEMS.contains(&subsystem), "{}", event.escape_ascii());
            }
        }
    }
    assert_eq!(seen, left_out.map(String::from).into());
}

/// Three hubs in a row on a board: the longest header seen has 165 bytes.
#[test]
fn a_header_of_nested_hubs_is_decided_with_the_smallest_limit() {
    let filter = Filter::new(&Selection::USB, SMALLEST_OPTMEM_MAX).unwrap();
    println!(
        "{} B of headers, {} instructions, {} B",
        filter.reach_bytes(),
        filter.program().len(),
        filter.charge_bytes()
    );
    let stem = b"/devices/platform/4010000000.pcie/pci0000:00/0000:00:01.0/usb1/1-2/1-2.1/1-2.1.4/1-2.1.4:1.0/host12/\
                 target12:0:0/12:0:0:0/scsi_device/12:0:0:0/";
    for length in stem.len()..filter.reach_bytes() as usize - 8 {
        let devpath: Vec<u8> = stem.iter().copied().chain(std::iter::repeat(b'x')).take(length).collect();
        for (subsystem, wanted) in [(&b"scsi_device"[..], Verdict::InSet), (b"bsg", Verdict::Refused)] {
            let event = datagram(b"remove", &devpath, subsystem, b"SEQNUM=12345\0");
            assert_eq!(verdict(&event, &Selection::USB, filter.reach_bytes()), wanted);
            assert_eq!(cbpf::run(filter.program(), &event) != 0, wanted == Verdict::InSet, "{length}");
        }
    }
}
