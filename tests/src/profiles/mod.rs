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
    /// USB devices behind the port.
    pub devices: u8,
    /// The shortest cycle.
    pub cycle: Cycle,
}

/// How a class's shortest cycle is found.
#[derive(Clone, Copy, Debug)]
pub enum Cycle {
    /// The shortest sum of plug and unplug in the captures, from the command to the last event, rounded down to
    /// 100 ms.
    Captured,
    /// That of another scenario.
    CapturedOf(&'static str),
    /// Milliseconds, and how they were found.
    Observed(u32, &'static str),
}

/// Every class, in the order of [`DeviceClass::ALL`].
pub const SOURCES: [Source; 10] = [
    Source { class: DeviceClass::Hub, scenario: "hub", devices: 1, cycle: Cycle::Captured },
    Source { class: DeviceClass::Mouse, scenario: "mouse", devices: 1, cycle: Cycle::Captured },
    Source {
        class: DeviceClass::Keyboard,
        scenario: "kbd",
        devices: 1,
        cycle: Cycle::Observed(
            600,
            "the cycle of a keyboard that came and went; plug and unplug alone, without a pause, took 512 ms once",
        ),
    },
    Source { class: DeviceClass::Storage, scenario: "storage_ss_mbr4", devices: 1, cycle: Cycle::Captured },
    // Timed nowhere; it waits as long as a stick does, and has more to do.
    Source {
        class: DeviceClass::CardReader,
        scenario: "bot_2lun",
        devices: 1,
        cycle: Cycle::CapturedOf("storage_ss_mbr4"),
    },
    Source { class: DeviceClass::Serial, scenario: "serial", devices: 1, cycle: Cycle::Captured },
    Source { class: DeviceClass::Audio, scenario: "audio", devices: 1, cycle: Cycle::Captured },
    Source { class: DeviceClass::Ethernet, scenario: "net", devices: 1, cycle: Cycle::Captured },
    Source { class: DeviceClass::Uas, scenario: "uas_mbr4", devices: 1, cycle: Cycle::Captured },
    Source { class: DeviceClass::Hub8, scenario: "hub8_storage", devices: 9, cycle: Cycle::Captured },
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
         PlugProfile { plug: EventShapes(plug), unplug: EventShapes(unplug), devices, shortest_cycle_ms }\n\
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
    let (cycle_ms, how) = shortest_cycle(source);
    let name = source.class.name().to_uppercase().replace('-', "_");
    let (scenario, devices) = (source.scenario, source.devices);
    write!(
        file,
        "\n/// Scenario `{scenario}` on {}.\n///\n/// Cycle: {how}.\npub(super) const {name}: PlugProfile<'static> = \
         profile({devices}, {cycle_ms}, &[\n{}], &[\n{}]);\n",
        folders.join(", "),
        rows(&kernels, source.scenario, "plug"),
        rows(&kernels, source.scenario, "unplug"),
    )
    .expect("a string takes everything");
}

fn shortest_cycle(source: &Source) -> (u32, String) {
    match source.cycle {
        Cycle::Captured => {
            let shortest = captured_cycle_ms(source.scenario);
            (shortest / 100 * 100, format!("{shortest} ms is the shortest captured"))
        }
        Cycle::CapturedOf(scenario) => {
            let shortest = captured_cycle_ms(scenario);
            (shortest / 100 * 100, format!("{shortest} ms is the shortest captured of `{scenario}`"))
        }
        Cycle::Observed(observed, how) => (observed, how.to_owned()),
    }
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
