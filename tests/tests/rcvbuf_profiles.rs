//! The plug profiles, against what plugs and unplugs were charged.

use std::{collections::BTreeMap, fs, path::Path};

use sureplug_core::rcvbuf::{
    BUDGET_COUNTER_GROWTH, BUDGET_PORT_NAME_LEN, BUDGET_SEQNUM_DIGITS, DeviceClass, LengthBasis, PlugProfile,
    PortDevice, SizingError, SkbAbi,
};
use sureplug_tests::{
    profiles::{Anatomy, SIBLING, SOURCES, Source, anatomy, captured_cycle_ms, classes_rs},
    vectors::KERNELS,
};

fn basis(anatomy: &Anatomy) -> LengthBasis {
    LengthBasis::captured(anatomy.devpath_len, anatomy.port_name_len, anatomy.seqnum_digits)
}

fn charge(profile: &PlugProfile<'_>, phase: &str, at: LengthBasis, abi: SkbAbi) -> (u32, u64) {
    match phase {
        "plug" => (profile.plug.count(), profile.plug.charge(at, abi)),
        _ => (profile.unplug.count(), profile.unplug.charge(at, abi)),
    }
}

#[test]
fn the_file_is_what_the_generator_writes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src/rcvbuf/classes.rs");
    let file = fs::read_to_string(path).expect("the generated file");
    assert!(
        file == classes_rs(),
        "core/src/rcvbuf/classes.rs: run `cargo run --bin plug_profiles` in tests/"
    );
}

/// What the reference socket had queued, which is the kernel's own figure.
#[test]
fn every_class_is_charged_what_its_capture_had_queued() {
    let mut captures = 0;
    for source in SOURCES {
        for (kernel, phase) in KERNELS.iter().flat_map(|kernel| [(kernel, "plug"), (kernel, "unplug")]) {
            let Some(header) = kernel.header(&format!("{}_{phase}", source.scenario)) else {
                continue;
            };
            let anatomy = anatomy(kernel, source.scenario, phase).expect("the same capture");
            let reference = header.sockets[0];
            let (events, charged) = charge(&source.class.profile(), phase, basis(&anatomy), kernel.abi);
            assert_eq!(events, reference.received, "{} {source:?} {phase}", kernel.folder);
            assert_eq!(charged, u64::from(reference.queued), "{} {source:?} {phase}", kernel.folder);
            captures += 1;
        }
    }
    assert_eq!(captures, CAPTURES);
}

/// Captures of a class: nine classes on two kernels, two of them on three more, a plug and an unplug each.
const CAPTURES: usize = (9 * 2 + 2 * 3) * 2;

/// The tables of charges hold classes and kernels that the captures do not.
#[test]
fn every_class_is_charged_as_the_tables_state() {
    let mut bursts = 0;
    for kernel in KERNELS {
        let mut tables: BTreeMap<String, (u32, u64)> = BTreeMap::new();
        let mut digits: BTreeMap<String, usize> = BTreeMap::new();
        for row in kernel.charges() {
            let total = tables.entry(row.scenario.clone()).or_default();
            *total = (total.0 + 1, total.1 + u64::from(row.truesize));
            let most = digits.entry(row.scenario).or_default();
            *most = row.seqnum.len().max(*most);
        }
        for (source, phase) in SOURCES.iter().flat_map(|source| [(source, "plug"), (source, "unplug")]) {
            let scenario = format!("{}_{phase}", source.scenario);
            let Some(table) = tables.get(&scenario) else {
                continue;
            };
            // A port of the same board: its devpath is as long.
            let sibling = anatomy(&kernel, SIBLING, phase).expect("captured on every kernel");
            let seqnum_digits = u8::try_from(digits[&scenario]).expect("few digits");
            let at = LengthBasis::captured(sibling.devpath_len, sibling.port_name_len, seqnum_digits);
            let charged = charge(&source.class.profile(), phase, at, kernel.abi);
            assert_eq!(charged, *table, "{} {scenario}", kernel.folder);
            bursts += 1;
        }
    }
    assert_eq!(bursts, BURSTS);
}

/// Nine classes on each of five kernels, a plug and an unplug each: `uas` is in the tables of 6.1, the card reader
/// in the others, and with it the phone and the smart-card reader.
const BURSTS: usize = (9 * 5 + 2 * 3) * 2;

/// Charges as published: plug and unplug on arm64, then on 32-bit ARM.
#[test]
fn classes_cost_what_is_published() {
    let published = [
        (DeviceClass::Hub, (5, 4), (6_400, 5_120), (6_080, 4_864)),
        (DeviceClass::Mouse, (11, 10), (14_080, 12_800), (13_376, 12_160)),
        (DeviceClass::Keyboard, (20, 19), (26_624, 25_344), (23_808, 22_592)),
        (DeviceClass::Storage, (21, 20), (25_856, 24_576), (22_976, 22_272)),
        (DeviceClass::CardReader, (33, 32), (40_704, 39_424), (37_056, 36_352)),
        (DeviceClass::Serial, (8, 7), (10_240, 8_960), (8_704, 7_488)),
        (DeviceClass::Audio, (9, 9), (11_520, 11_520), (10_432, 10_432)),
        (DeviceClass::Ethernet, (9, 9), (11_520, 11_520), (9_408, 9_408)),
        (DeviceClass::Hub8, (173, 164), (213_248, 201_728), (198_080, 187_136)),
    ];
    for (class, events, arm64, arm) in published {
        let profile = class.profile();
        assert_eq!((profile.plug.count(), profile.unplug.count()), events, "{class:?}");
        for (devpath_len, abi, charge) in [(66, SkbAbi::ARM64_6_1, arm64), (64, SkbAbi::ARM_6_1, arm)] {
            let at = LengthBasis::captured(devpath_len, 3, 4);
            assert_eq!((profile.plug.charge(at, abi), profile.unplug.charge(at, abi)), charge, "{class:?}");
        }
    }
}

/// The profile holds the longest of each event, so it is at least as long as each capture, rank by rank.
#[test]
fn no_capture_is_longer_than_its_class() {
    let mut captures = 0;
    for source in SOURCES {
        let profile = source.class.profile();
        for (kernel, phase) in KERNELS.iter().flat_map(|kernel| [(kernel, "plug"), (kernel, "unplug")]) {
            let Some(anatomy) = anatomy(kernel, source.scenario, phase) else {
                continue;
            };
            let shapes = if phase == "plug" { profile.plug.0 } else { profile.unplug.0 };
            for copies in [(0, 0), (2, 0), (2, 2), (2, 4)] {
                let mut modelled: Vec<u16> = shapes
                    .iter()
                    .filter(|shape| (shape.devpath_copies, shape.name_copies) == copies)
                    .flat_map(|shape| vec![shape.base_len; usize::from(shape.count)])
                    .collect();
                let mut found: Vec<u16> = anatomy
                    .events
                    .iter()
                    .filter(|event| (event.devpath_copies, event.name_copies) == copies)
                    .map(|event| event.base_len)
                    .collect();
                modelled.sort_unstable();
                found.sort_unstable();
                assert_eq!(modelled.len(), found.len(), "{} {source:?} {phase}", kernel.folder);
                assert!(modelled.iter().zip(&found).all(|(most, len)| most >= len), "{source:?} {phase}");
            }
            captures += 1;
        }
    }
    // Of three classes three kernels have the lengths alone.
    assert_eq!(captures, CAPTURES + 3 * 3 * 2);
}

/// The plugged device's devpath stands in an event twice or not at all, and the anatomy adds up.
#[test]
fn anatomies_add_up_to_the_datagrams() {
    let (mut events, mut without_devpath) = (0, 0);
    for kernel in KERNELS {
        for scenario in kernel.scenarios("bin") {
            let Some((class, phase)) = scenario.rsplit_once('_') else {
                continue;
            };
            if !["plug", "unplug"].contains(&phase) {
                continue;
            }
            let anatomy = anatomy(&kernel, class, phase).expect("listed");
            let datagrams = kernel.datagrams(&scenario).expect("listed");
            let at = basis(&anatomy);
            assert_eq!(anatomy.events.len(), datagrams.len());
            for (event, datagram) in anatomy.events.iter().zip(&datagrams) {
                let digits = datagram.rsplit(|byte| *byte == b'=').next().expect("a number").len() - 1;
                let len = usize::from(event.base_len)
                    + usize::from(event.devpath_copies) * usize::from(at.devpath_len)
                    + usize::from(event.name_copies) * usize::from(at.port_name_len)
                    + digits;
                assert_eq!(len, datagram.len(), "{}/{scenario}", kernel.folder);
                without_devpath += usize::from(event.devpath_copies == 0);
            }
            events += datagrams.len();
        }
    }
    assert_eq!((events, without_devpath), (EVENTS, EVENTS_WITHOUT_DEVPATH));
}

/// Events of all plugs and unplugs, and those of virtual devices among them.
const EVENTS: usize = 1_770;
const EVENTS_WITHOUT_DEVPATH: usize = 108;

#[test]
fn cycles_are_shorter_than_any_that_was_seen() {
    for (class, seen_ms) in [
        ("hub", 374),
        ("mouse", 399),
        ("keyboard", 512),
        ("storage", 1_384),
        ("card-reader", 1_384),
        ("serial", 397),
        ("audio", 423),
        ("ethernet", 398),
        ("uas", 676),
        ("phone", 374),
        ("smart-card", 374),
        ("hub8", 2_619),
    ] {
        let cycle_ms = DeviceClass::from_name(class).expect("a class").profile().shortest_cycle_ms;
        assert!(cycle_ms <= seen_ms * 9 / 10, "{class}: {cycle_ms} ms has no margin to {seen_ms}");
        assert!(cycle_ms >= seen_ms * 7 / 10, "{class}: {cycle_ms} ms is far from {seen_ms}");
    }
    for Source { class, scenario, .. } in SOURCES {
        // Of these only the lengths are kept; the times are those of a device that takes as long.
        let captured = match class {
            DeviceClass::CardReader => SIBLING,
            DeviceClass::Phone | DeviceClass::SmartCard => "hub",
            _ => scenario,
        };
        assert!(class.profile().shortest_cycle_ms < captured_cycle_ms(captured), "{class:?}");
    }
}

#[test]
fn names_and_devices_of_the_classes() {
    assert_eq!(DeviceClass::ALL.len(), SOURCES.len());
    for (class, source) in DeviceClass::ALL.iter().zip(SOURCES) {
        assert_eq!(*class, source.class);
        assert_eq!(DeviceClass::from_name(class.name()), Ok(*class));
        assert_eq!(PortDevice::parse(class.name()), Ok(PortDevice::Class(*class)));
        assert_eq!(class.profile().devices, if *class == DeviceClass::Hub8 { 9 } else { 1 });
        assert!(SizingError::UnknownDevice.message().contains(class.name()));
    }
    for name in ["", "Storage", "storage ", "stor", "hub88", "custom"] {
        assert_eq!(PortDevice::parse(name), Err(SizingError::UnknownDevice));
    }
}

#[test]
fn a_budget_assumes_no_less_than_any_capture() {
    let at = LengthBasis::budget(66);
    for kernel in KERNELS {
        let anatomy = anatomy(&kernel, SIBLING, "plug").expect("captured on every kernel");
        assert!(at.devpath_len >= anatomy.devpath_len && at.seqnum_digits >= anatomy.seqnum_digits);
        assert!(BUDGET_PORT_NAME_LEN >= anatomy.port_name_len);
    }
    assert_eq!(at.counter_growth, BUDGET_COUNTER_GROWTH);

    let captured = LengthBasis::captured(66, BUDGET_PORT_NAME_LEN, BUDGET_SEQNUM_DIGITS);
    for shape in DeviceClass::Hub8.profile().plug.0 {
        let grown = shape.datagram_len(captured) + u32::from(BUDGET_COUNTER_GROWTH);
        assert_eq!(shape.datagram_len(at), grown);
    }
}
