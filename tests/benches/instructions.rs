//! Instructions that an event costs, counted by Valgrind's callgrind through gungraun: the same in every run, however busy
//! the machine is. Fails if one exceeds its limit.
//!
//! Needs Debian's package valgrind, and the program gungraun-runner of the version that tests/Cargo.toml names.

// What gungraun's macros make has no documentation, and names things in full; its functions own what is measured.
#![allow(missing_docs, unused_qualifications, clippy::must_use_candidate, clippy::needless_pass_by_value)]

use std::env;
use std::hint::black_box;
use std::process::{Command, ExitCode};

use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use kobject_uevent::UEvent;
use sureplug_board::engine::capacity::{JOURNAL_BYTES, SLOTS, TABLE_BYTES};
use sureplug_core::selection::Selection;
use sureplug_core::stream::{ConsumerId, DeliveryBuffer, Directory, Lag, Scope, Stream};
use sureplug_core::time::Instant;
use sureplug_core::uevent::{Action, Uevent};
use sureplug_tests::captured::captured;
use sureplug_tests::limits::{Limit, PARSE, STREAM};
use sureplug_tests::privilege::not_run;
use sureplug_tests::vectors::KERNELS;

/// Devices that are present all the time.
const OTHERS: u32 = 400;

type Datagrams = Vec<Vec<u8>>;
type BenchStream = Stream<SLOTS, TABLE_BYTES, JOURNAL_BYTES, 1>;

fn every_captured() -> Datagrams {
    captured().into_iter().map(|event| event.datagram).collect()
}

/// A hub with eight sticks comes and goes.
fn burst() -> Datagrams {
    let kernel = KERNELS.iter().find(|kernel| kernel.folder == "6.1-arm64").expect("captures of this kernel");
    let scenarios = ["hub8_storage_plug", "hub8_storage_unplug"].iter();
    scenarios.flat_map(|scenario| kernel.datagrams(scenario).expect("a capture")).collect()
}

/// The limit of all events together, as gungraun holds it against what it counts.
fn at_most(Limit { what, most }: Limit, events: &Datagrams) -> LibraryBenchmarkConfig {
    println!("at most {most} {what}, for {} events", events.len());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number")]
    let limit = most as u64 * events.len() as u64;
    let callgrind = Callgrind::default().hard_limits([(EventKind::Ir, limit)]).clone();
    LibraryBenchmarkConfig::default().tool(callgrind).clone()
}

#[library_benchmark(config = at_most(PARSE, &every_captured()))]
#[bench::sureplug_core(every_captured())]
fn parse(events: Datagrams) -> u64 {
    let read = |datagram: &Vec<u8>| {
        let uevent = Uevent::parse(black_box(datagram)).expect("a captured uevent");
        let action = u64::from(uevent.action() == Action::Add);
        let subsystem = uevent.subsystem().map_or(0, |name| name.len() as u64);
        action + subsystem + uevent.devpath().len() as u64 + uevent.seqnum().unwrap_or(0)
    };
    events.iter().map(read).sum()
}

// For comparison, without a limit.
#[library_benchmark]
#[bench::kobject_uevent(every_captured())]
fn parse_by_another(events: Datagrams) -> u64 {
    let read = |datagram: &Vec<u8>| {
        let uevent = UEvent::from_netlink_packet(black_box(datagram)).expect("a captured uevent");
        let action = u64::from(uevent.action == kobject_uevent::ActionType::Add);
        action + (uevent.subsystem.len() + uevent.devpath.as_os_str().len()) as u64 + uevent.seq
    };
    events.iter().map(read).sum()
}

/// A table with devices in it, its one consumer, and what comes.
struct Running {
    stream: Box<BenchStream>,
    consumer: ConsumerId,
    events: Datagrams,
}

fn running() -> Running {
    let mut stream = Box::new(BenchStream::new());
    let consumer = stream.join(Selection::ALL, Lag::Hold).expect("a place");
    let present = (0..OTHERS).map(|number| {
        let path = format!("/devices/pci0000:00/0000:00:1d.0/usb1/1-1/1-1.4/1-1.4:1.{number}");
        format!("add@{path}\0ACTION=add\0DEVPATH={path}\0SUBSYSTEM=usb\0PRODUCT=46f4/1/0\0SEQNUM=1\0")
            .into_bytes()
    });
    let mut running = Running { stream, consumer, events: present.collect() };
    apply(&mut running);
    running.events = burst();
    running
}

/// Applies each event, and reads what follows from it.
fn apply(Running { stream, consumer, events }: &mut Running) -> u64 {
    let mut packet = DeliveryBuffer::new();
    let mut delivered = 0;
    for datagram in events {
        let uevent = Uevent::parse(black_box(datagram)).expect("an event");
        stream.event(Instant::BOOT, &uevent, Scope::Tracked, Directory::Unknown);
        while stream.next(*consumer, Instant::BOOT, &mut packet).is_some() {
            delivered += 1;
        }
    }
    delivered
}

#[library_benchmark(config = at_most(STREAM, &burst()))]
#[bench::of_a_hub_with_eight_sticks(running())]
fn stream(mut running: Running) -> (u64, Running) {
    // The caller frees the memory that it gets back.
    (apply(&mut running), running)
}

library_benchmark_group!(name = an_event, benchmarks = [parse, parse_by_another, stream]);

/// Is called by gungraun-runner as well, in Valgrind, with arguments that only gungraun knows.
fn count() {
    main!(library_benchmark_groups = an_event);
    main();
}

/// What this machine lacks.
fn missing() -> Option<String> {
    if !cfg!(target_arch = "x86_64") {
        return Some("its limits are those of x86_64".into());
    }
    let says = |program: &str| {
        let output = Command::new(program).arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if says("valgrind").is_none() {
        return Some("it needs valgrind, Debian's package of that name".into());
    }
    let (runner, wanted) = (option_env!("GUNGRAUN_RUNNER").unwrap_or("gungraun-runner"), runner_version());
    match says(runner) {
        Some(found) if found == format!("gungraun-runner {wanted}") => None,
        found => Some(format!(
            "it needs gungraun-runner {wanted} on PATH, not {}: `cargo install --locked gungraun-runner@{wanted}`",
            found.as_deref().unwrap_or("nothing")
        )),
    }
}

/// That of the library, which the program must have.
fn runner_version() -> &'static str {
    let manifest = include_str!("../Cargo.toml");
    let wanted = manifest.lines().find_map(|line| line.strip_prefix("gungraun = \"="));
    wanted.expect("one version").trim_end_matches('"')
}

fn main() -> ExitCode {
    if env::args().nth(1).is_none_or(|argument| argument != "--gungraun-run") {
        if let Some(why) = missing() {
            not_run("the limits of instructions", &why);
            return ExitCode::SUCCESS;
        }
    }
    count();
    ExitCode::SUCCESS
}
