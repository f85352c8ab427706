//! Makes `core/src/rcvbuf/classes.rs` from the captures.

mod anatomy;

use std::{collections::BTreeMap, fmt::Write as _};

use sureplug_core::rcvbuf::DeviceClass;

pub use self::anatomy::{Anatomy, EventAnatomy, SIBLING, anatomy};

use crate::vectors::{KERNELS, Kernel};

/// Where a class's figures come from.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The class.
    pub class: DeviceClass,
    /// The scenario, to which `_plug` and `_unplug` are added.
    pub scenario: &'static str,
    /// USB devices in the port.
    pub devices: u8,
    /// The shortest time in milliseconds in which such a device was seen to come and go, on any kernel and also with no
    /// capture kept: from the command to the last event.
    pub seen_ms: u32,
}

/// Every class, in the order of [`DeviceClass::ALL`].
pub const SOURCES: [Source; 12] = [
    Source { class: DeviceClass::Hub, scenario: "hub", devices: 1, seen_ms: 374 },
    Source { class: DeviceClass::Mouse, scenario: "mouse", devices: 1, seen_ms: 399 },
    Source { class: DeviceClass::Keyboard, scenario: "kbd", devices: 1, seen_ms: 512 },
    Source { class: DeviceClass::Storage, scenario: "storage_ss_mbr4", devices: 1, seen_ms: 1_384 },
    // Timed nowhere; it waits as long as a stick does, and has more to do.
    Source { class: DeviceClass::CardReader, scenario: "bot_2lun", devices: 1, seen_ms: 1_384 },
    Source { class: DeviceClass::Serial, scenario: "serial", devices: 1, seen_ms: 397 },
    Source { class: DeviceClass::Audio, scenario: "audio", devices: 1, seen_ms: 423 },
    Source { class: DeviceClass::Ethernet, scenario: "net", devices: 1, seen_ms: 398 },
    Source { class: DeviceClass::Uas, scenario: "uas_mbr4", devices: 1, seen_ms: 676 },
    Source { class: DeviceClass::Phone, scenario: "mtp", devices: 1, seen_ms: 374 },
    // Timed nowhere; the kernel does as little with it.
    Source { class: DeviceClass::SmartCard, scenario: "ccid", devices: 1, seen_ms: 374 },
    // With other devices than sticks, which wait less.
    Source { class: DeviceClass::Hub8, scenario: "hub8_storage", devices: 9, seen_ms: 2_619 },
];

/// The whole file.
#[must_use]
pub fn classes_rs() -> String {
    let mut file = String::from(
        "//! Plug profiles of device classes, made from captured uevents.\n\
         //!\n\
         //! Generated: `cargo run --bin plug_profiles` in `tests/` writes this file. Where kernels and boards differ in a\n\
         //! length, it holds the largest.\n\
         \n\
         use super::profile::{EventShape, EventShapes, PlugProfile};\n\
         \n\
         const fn e(count: u16, base_len: u16, devpath_copies: u8, name_copies: u8) -> EventShape {\n    \
         EventShape { base_len, count, devpath_copies, name_copies }\n\
         }\n\
         \n\
         const fn profile(\n    \
         devices: u8,\n    shortest_cycle_ms: u32,\n    plug: &'static [EventShape],\n    \
         unplug: &'static [EventShape],\n) -> PlugProfile<'static> {\n    \
         PlugProfile { plug: EventShapes(plug), unplug: EventShapes(unplug), devices, copies: 1, shortest_cycle_ms }\n\
         }\n",
    );
    for source in &SOURCES {
        class(&mut file, source);
    }
    file
}

fn class(file: &mut String, source: &Source) {
    let kernels: Vec<&Kernel> =
        KERNELS.iter().filter(|kernel| anatomy(kernel, source.scenario, "plug").is_some()).collect();
    let folders: Vec<&str> = kernels.iter().map(|kernel| kernel.folder).collect();
    // A tenth less is the margin.
    let cycle_ms = source.seen_ms * 9 / 10 / 100 * 100;
    let name = source.class.name().to_uppercase().replace('-', "_");
    let Source { scenario, devices, seen_ms, .. } = *source;
    write!(
        file,
        "\n/// Scenario `{scenario}` on {}.\n///\n/// Cycle: {seen_ms} ms is the shortest seen.\npub(super) const {name}: PlugProfile<'static> = \
         profile({devices}, {cycle_ms}, &[\n{}], &[\n{}]);\n",
        folders.join(", "),
        rows(&kernels, scenario, "plug"),
        rows(&kernels, scenario, "unplug"),
    )
    .expect("a string takes everything");
}

/// Milliseconds of the shortest plug and unplug in the captures, each from the command to the last event.
///
/// # Panics
///
/// If there is no capture of that scenario with times.
#[must_use]
pub fn captured_cycle_ms(scenario: &str) -> u32 {
    let took = |kernel: &Kernel, phase: &str| {
        let header = kernel.header(&format!("{scenario}_{phase}"))?;
        Some(header.first_ms + header.span_ms)
    };
    KERNELS
        .iter()
        .filter_map(|kernel| Some(took(kernel, "plug")? + took(kernel, "unplug")?))
        .min()
        .expect("a capture with times")
}

/// The rows of one phase. Within each kind of event (by its copies) the captures' lengths are sorted, and the
/// largest of each rank is taken: no capture can have been charged more.
fn rows(kernels: &[&Kernel], scenario: &str, phase: &str) -> String {
    let mut largest: BTreeMap<(u8, u8), Vec<u16>> = BTreeMap::new();
    for (index, kernel) in kernels.iter().enumerate() {
        let mut kinds: BTreeMap<(u8, u8), Vec<u16>> = BTreeMap::new();
        for event in anatomy(kernel, scenario, phase).expect("both phases").events {
            kinds.entry((event.devpath_copies, event.name_copies)).or_default().push(event.base_len);
        }
        for lengths in kinds.values_mut() {
            lengths.sort_unstable();
        }
        if index == 0 {
            largest = kinds;
            continue;
        }
        let shape =
            |kinds: &BTreeMap<_, Vec<u16>>| kinds.iter().map(|(k, v)| (*k, v.len())).collect::<Vec<_>>();
        assert_eq!(shape(&kinds), shape(&largest), "{} {scenario}_{phase}", kernel.folder);
        for (lengths, found) in largest.values_mut().zip(kinds.values()) {
            for (length, found) in lengths.iter_mut().zip(found) {
                *length = (*length).max(*found);
            }
        }
    }
    let mut counted: BTreeMap<(u8, u8, u16), u32> = BTreeMap::new();
    for ((devpaths, names), lengths) in largest {
        for length in lengths {
            *counted.entry((devpaths, names, length)).or_default() += 1;
        }
    }
    let items: Vec<String> = counted
        .into_iter()
        .map(|((devpaths, names, length), count)| format!("e({count}, {length}, {devpaths}, {names}),"))
        .collect();
    items.chunks(5).fold(String::new(), |text, chunk| text + "    " + &chunk.join(" ") + "\n")
}
