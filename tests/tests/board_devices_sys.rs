//! Which devices the running kernel's sysfs shows: what a naive walk finds, without an allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use sureplug_core::selection::Selection;

use sureplug_board::sysfs::{Devices, Reading, Subsystems};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Counts what each thread allocates. What is only freed counts for nothing: it was allocated before.
struct Counting;

// SAFETY: it is the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps to the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Devices that others may make for a moment, between two walks.
const PASSING: usize = 20;

/// A device: its inode and the lines of its `uevent` file.
type Device = (u64, Vec<Vec<u8>>);

/// By subsystem and devpath.
type All = BTreeMap<(Vec<u8>, Vec<u8>), Device>;

fn naive_walk(sysfs: &Path) -> All {
    let mut all = All::new();
    for (place, below) in [("class", ""), ("bus", "devices")] {
        for subsystem in fs::read_dir(sysfs.join(place)).into_iter().flatten().flatten() {
            for link in fs::read_dir(subsystem.path().join(below)).into_iter().flatten().flatten() {
                let Ok(directory) = fs::canonicalize(link.path()) else { continue };
                // An alias leads to a device of another subsystem.
                let own = fs::read_link(directory.join("subsystem")).unwrap_or_default();
                if !link.path().is_symlink() || own.file_name() != Some(&subsystem.file_name()) {
                    continue;
                }
                let Ok(uevent) = fs::read(directory.join("uevent")) else { continue };
                let Ok(metadata) = directory.metadata() else { continue };
                let lines = uevent.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                let lines = lines.map(<[u8]>::to_owned).collect();
                let devpath = directory.into_os_string().into_vec().split_off("/sys".len());
                all.insert((subsystem.file_name().into_vec(), devpath), (metadata.ino(), lines));
            }
        }
    }
    all
}

fn scan(devices: &mut Devices) -> All {
    let mut all = All::new();
    devices.rewind();
    while let Some(devpath) = devices.advance() {
        let devpath = devpath.to_owned();
        let Reading::Present { inode, uevent } = devices.read() else { continue };
        assert_eq!(uevent.devpath(), devpath);
        let subsystem = uevent.subsystem().expect("a subsystem").to_owned();
        let lines = uevent.properties().skip(3).map(|p| [p.key, b"=", p.value].concat()).collect();
        all.insert((subsystem, devpath), (inode, lines));
    }
    all
}

#[test]
fn the_devices_are_those_that_a_naive_walk_finds() {
    let sysfs = Path::new("/sys");
    let mut devices = Devices::open(sysfs, Selection::ALL).expect("sysfs");
    for _ in 0..3 {
        let before = naive_walk(sysfs);
        let scanned = scan(&mut devices);
        let after = naive_walk(sysfs);
        assert!(before.len() > 50, "{} devices", before.len());
        // Others may make and remove devices at the same time.
        for (place, device) in before.iter().filter(|(place, device)| after.get(*place) == Some(*device)) {
            assert_eq!(scanned.get(place), Some(device), "{place:?}");
        }
        let is_known = |place| before.contains_key(place) || after.contains_key(place);
        assert!(scanned.keys().filter(|place| !is_known(place)).count() <= PASSING, "more than there are");
    }
    assert_eq!(devices.missing(), None);
}

#[test]
fn a_device_is_read_by_its_place_alone() {
    let sysfs = Path::new("/sys");
    let mut devices = Devices::open(sysfs, Selection::ALL).expect("sysfs");
    let null = fs::metadata("/sys/devices/virtual/mem/null").expect("a device").ino();
    let Reading::Present { inode, uevent } = devices.read_at(b"/devices/virtual/mem/null", b"other") else {
        panic!("not there")
    };
    assert_eq!((inode, uevent.subsystem(), uevent.devname()), (null, Some(&b"mem"[..]), Some(&b"null"[..])));
    assert_eq!(devices.read_at(b"/devices/virtual/mem/nothing", b"mem"), Reading::Gone);
    assert_eq!(devices.read_at(b"/devices/virtual/mem", b"mem"), Reading::Gone, "no device");
    let mut subsystems = Subsystems::open(sysfs).expect("sysfs");
    assert!(subsystems.contains(b"mem") && subsystems.contains(b"platform"));
    assert!(!subsystems.contains(b"nothing") && !subsystems.contains(b"module"));
}

#[test]
fn nothing_is_allocated_after_opening() {
    let mut devices = Devices::open(Path::new("/sys"), Selection::ALL).expect("sysfs");
    let mut subsystems = Subsystems::open(Path::new("/sys")).expect("sysfs");
    let missing = [b"/devices", &b"/0123456789abcdef".repeat(100)[..]].concat();
    let (mut found, mut present) = (0, 0);
    let before = ALLOCATIONS.get();
    for _ in 0..2 {
        devices.rewind();
        while devices.advance().is_some() {
            found += 1;
            present += u32::from(matches!(devices.read(), Reading::Present { .. }));
        }
        assert_eq!(devices.read_at(&missing, b"missing"), Reading::Gone);
        assert!(subsystems.contains(b"mem") && !subsystems.contains(b"missing"));
        assert!(devices.next_unreadable(&mut 0).is_none());
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert!(found > 100 && present > 100, "{found} found, {present} present");
    drop(vec![1]);
    assert_eq!(ALLOCATIONS.get() - before, 1, "what is allocated is counted");
}
