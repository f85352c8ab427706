//! What a measurement makes of captured plugs: the figures that the captures themselves have.

use proptest::prelude::*;
use sureplug_board::diag::measure::Measurement;
use sureplug_core::rcvbuf::{CustomDevice, LengthBasis, MAX_CUSTOM_GROUPS, SkbAbi};
use sureplug_core::time::Instant;
use sureplug_core::uevent::Uevent;
use sureplug_tests::vectors::{KERNELS, Kernel};

fn kernel(folder: &str) -> &'static Kernel {
    KERNELS.iter().find(|kernel| kernel.folder == folder).expect("a kernel")
}

/// One plug and one unplug, an event each millisecond.
fn measured(kernel: &Kernel, scenario: &str) -> Option<Measurement> {
    let mut measurement = Measurement::default();
    let mut at_ns = 7;
    for phase in ["plug", "unplug"] {
        for datagram in kernel.datagrams(&format!("{scenario}_{phase}"))? {
            let uevent = Uevent::parse(&datagram).expect("a uevent");
            let charged = kernel.abi.truesize(u32::try_from(datagram.len()).expect("a length"));
            let is_counted = measurement.event(Instant::from_nanos(at_ns), &uevent, charged);
            assert!(is_counted, "{}", uevent.devpath().escape_ascii());
            at_ns += 1_000_000;
        }
        assert_eq!(measurement.is_complete, phase == "unplug");
        at_ns += 5_000_000_000;
    }
    Some(measurement)
}

#[test]
fn events_and_charges_are_those_that_the_kernels_were_measured_with() {
    for (folder, scenario, events, charges) in [
        ("6.1-arm64", "hub", [5, 4], [6_400, 5_120]),
        ("6.1-arm64", "mouse", [11, 10], [14_080, 12_800]),
        ("6.1-arm64", "kbd", [20, 19], [26_624, 25_344]),
        ("6.1-arm64", "storage_ss_mbr4", [21, 20], [25_856, 24_576]),
        ("6.1-arm64", "serial", [8, 7], [10_240, 8_960]),
        ("6.1-arm64", "audio", [9, 9], [11_520, 11_520]),
        ("6.1-arm64", "net", [9, 9], [11_520, 11_520]),
        ("6.1-arm64", "hub8_storage", [173, 164], [213_248, 201_728]),
        ("6.1-armhf", "kbd", [20, 19], [23_808, 22_592]),
        ("6.1-armhf", "storage_ss_mbr4", [21, 20], [22_976, 22_272]),
    ] {
        let measurement = measured(kernel(folder), scenario).expect("a capture");
        let (plug, unplug) = (&measurement.plug, &measurement.unplug);
        assert_eq!([plug.events, unplug.events], events, "{folder} {scenario}");
        assert_eq!([plug.charged, unplug.charged], charges, "{folder} {scenario}");
        let [plug_ms, unplug_ms] = events.map(|events| u64::from(events) - 1);
        assert_eq!(measurement.shortest_cycle_ms(), 210 + plug_ms + unplug_ms);
        assert_eq!(measurement.others, 0);
    }
}

#[test]
fn a_cycle_is_not_longer_than_what_passed_and_not_much_shorter() {
    let mut captures = 0;
    for kernel in &KERNELS {
        for scenario in ["hub", "mouse", "kbd", "storage_ss_mbr4", "uas_mbr4", "serial", "audio", "net"] {
            let mut measurement = Measurement::default();
            let mut command_ms = 0_u32;
            let mut passed_ms = 0;
            for phase in ["plug", "unplug"] {
                let name = format!("{scenario}_{phase}");
                let (Some(datagrams), Some(header)) = (kernel.datagrams(&name), kernel.header(&name)) else {
                    continue;
                };
                let last = u32::try_from(datagrams.len()).expect("a number") - 1;
                for (index, datagram) in (0_u32..).zip(&datagrams) {
                    let at_ms = command_ms + header.first_ms + header.span_ms * index / last;
                    let uevent = Uevent::parse(datagram).expect("a uevent");
                    measurement.event(Instant::from_nanos(u64::from(at_ms) * 1_000_000), &uevent, 1);
                }
                passed_ms += u64::from(header.first_ms + header.span_ms);
                command_ms += 10_000;
            }
            if measurement.is_complete {
                let cycle_ms = measurement.shortest_cycle_ms();
                let is_near = passed_ms * 2 / 5 <= cycle_ms && cycle_ms <= passed_ms;
                assert!(is_near, "{}/{scenario}: {cycle_ms} of {passed_ms} ms", kernel.folder);
                captures += 1;
            }
        }
    }
    assert_eq!(captures, 22);
}

#[test]
fn the_kernel_resets_faster_behind_a_hub() {
    for (devpath, waited_ms) in [
        ("/devices/usb1/1-1", 210),
        ("/devices/usb1/1-1/1-1.4", 170),
        ("/devices/a/usb2/2-3/2-3.1/2-3.1.1", 170),
    ] {
        let mut measurement = Measurement::default();
        let text = format!("add@{devpath}\0DEVTYPE=usb_device\0SEQNUM=7\0");
        measurement.event(Instant::BOOT, &Uevent::parse(text.as_bytes()).expect("a uevent"), 1);
        assert_eq!(measurement.shortest_cycle_ms(), waited_ms, "{devpath}");
    }
}

#[test]
fn the_profile_parses_and_is_charged_at_least_what_was_measured() {
    for kernel in &KERNELS {
        for scenario in
            ["hub", "mouse", "kbd", "storage_ss_mbr4", "uas_mbr4", "hub8_storage", "hub8_mixed", "audio"]
        {
            let Some(measurement) = measured(kernel, scenario) else { continue };
            let text = measurement.custom();
            let device = CustomDevice::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(device.to_string(), text);
            assert!(device.groups().len() <= MAX_CUSTOM_GROUPS);
            let (plug, unplug) = (&measurement.plug, &measurement.unplug);
            assert_eq!(device.profile().plug.count(), plug.events + unplug.events, "{text}");
            assert_eq!(u64::from(device.profile().shortest_cycle_ms), measurement.shortest_cycle_ms());
            let here =
                LengthBasis::captured(u16::try_from(measurement.devpath().len()).expect("short"), 3, 4);
            let charge = device.profile().plug.charge(here, kernel.abi);
            let measured = plug.charged + unplug.charged;
            assert!(charge >= measured, "{}/{scenario}: {charge} for {measured}", kernel.folder);
            assert!(charge <= measured * 5 / 4, "{}/{scenario}: {charge} for {measured}", kernel.folder);
        }
    }
}

#[test]
fn others_are_not_counted_and_drivers_are() {
    let mut measurement = Measurement::default();
    let mut feed = |text: &str| {
        let datagram = text.replace('|', "\0") + "\0";
        measurement.event(Instant::BOOT, &Uevent::parse(datagram.as_bytes()).expect("a uevent"), 1)
    };
    let usb = |action: &str, devpath: &str| {
        format!(
            "{action}@{devpath}|ACTION={action}|DEVPATH={devpath}|SUBSYSTEM=usb|DEVTYPE=usb_device|SEQNUM=1"
        )
    };
    assert!(!feed(&usb("remove", "/devices/usb1/1-1")), "one that was there before");
    assert!(!feed("add@/devices/virtual/bdi/8:0|ACTION=add"));
    assert!(feed(&usb("add", "/devices/usb1/1-1")));
    assert!(feed(&usb("add", "/devices/usb1/1-1/1-1.2")));
    for (event, wanted) in [
        ("bind@/devices/usb1/1-1/1-1:1.0", true),
        ("bind@/devices/usb1/1-10", false),
        ("add@/module/usb_storage", true),
        ("add@/devices/virtual/bdi/8:0", true),
        ("change@/devices/virtual/mem/null", false),
        ("add@/devices/virtual/net/veth0", false),
        ("add@/devices/platform/x", false),
        ("remove@/devices/usb1/1-1/1-1.2", true),
        ("remove@/devices/virtual/bdi/8:0", true),
        ("remove@/devices/usb1/1-1", true),
    ] {
        assert_eq!(feed(event), wanted, "{event}");
    }
    assert_eq!((measurement.plug.events, measurement.unplug.events, measurement.others), (5, 3, 4));
    assert!(measurement.is_complete);
}

proptest! {
    #[test]
    fn every_measured_profile_parses(lengths in prop::collection::vec((1_usize..2_000, 1_usize..4), 0..200)) {
        let mut measurement = Measurement::default();
        let root = "add@/devices/usb1/1-1\0DEVTYPE=usb_device\0SEQNUM=7\0";
        measurement.event(Instant::BOOT, &Uevent::parse(root.as_bytes()).expect("a uevent"), 1);
        let mut total = 1;
        for (padding, times) in lengths {
            let text = format!("bind@/devices/usb1/1-1\0PADDING={}\0SEQNUM=7\0", "x".repeat(padding));
            for _ in 0..times {
                measurement.event(Instant::BOOT, &Uevent::parse(text.as_bytes()).expect("a uevent"), 1);
            }
            total += times;
        }
        let text = measurement.custom();
        let device = CustomDevice::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        prop_assert_eq!(device.profile().plug.count() as usize, total);
        prop_assert!(SkbAbi::BOUND.truesize(1) > 0);
    }
}
