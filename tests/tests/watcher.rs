//! A watcher inside a program of one's own: what it yields is held against sysfs, with a buffer that overruns.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use serde_json::{Map, Value, json};
use sureplug_board::socket::UeventSocket;
use sureplug_board::{Item, WatchError, Watcher};
use sureplug_core::stream::{DeviceEvent, Origin};
use sureplug_tests::fold::Fold;
use sureplug_tests::kernel::devices::{NetDevice, delete_together};
use sureplug_tests::kernel::{Listener, own_sysfs};
use sureplug_tests::sysfs_truth::assert_true;

thread_local! {
    /// Allocations of this thread, where the engine of its watcher runs.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    // A thread that ends has no counter any more.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: all is the system's allocator's; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An event as a line of `--json`, which a fold takes.
fn line(event: &DeviceEvent<'_>) -> Value {
    let properties: Map<String, Value> = event
        .uevent
        .properties()
        .chain(event.added_properties())
        .map(|property| (text(property.key), text(property.value).into()))
        .collect();
    json!({
        "kind": "event", "action": event.uevent.action().to_string(), "devpath": text(event.uevent.devpath()),
        "subsystem": event.uevent.subsystem().map(text), "properties": properties,
    })
}

/// What a watcher has yielded so far.
#[derive(Default)]
struct Yielded {
    fold: Fold,
    lost: u64,
    missed: u64,
    snapshots: u64,
    /// Whether a loss waits for what its resync delivers.
    awaits_resync: bool,
    allocations: u64,
}

impl Yielded {
    fn take(&mut self, item: &Item<'_>) {
        match item {
            Item::Event(event) => {
                self.fold.take(&line(event)).expect("add and remove alternate");
                self.awaits_resync &= event.origin != Origin::Resync;
            }
            Item::Lost { events } => {
                assert!(*events > 0);
                (self.lost, self.awaits_resync) = (self.lost + events, true);
            }
            Item::Missed { events } => self.missed += events,
            Item::SnapshotEnd => self.snapshots += 1,
            other => panic!("{other:?}"),
        }
    }

    /// Reads all that is there.
    fn read(&mut self, watcher: &mut Watcher) {
        loop {
            let before = ALLOCATIONS.get();
            let item = watcher.try_next().expect("a watcher");
            self.allocations += ALLOCATIONS.get() - before;
            match item {
                Some(item) => self.take(&item),
                None => return,
            }
        }
    }

    /// Reads until nothing has come for longer than a settle scan needs.
    fn settle(&mut self, watcher: &mut Watcher) {
        while let Some(item) = watcher.next_within(Duration::from_millis(2_500)).expect("a watcher") {
            self.take(&item);
        }
    }

    fn knows(&self, device: &str) -> bool {
        self.fold.names("net").contains(device)
    }
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn is_readable(watcher: &Watcher, timeout: Duration) -> bool {
    let timeout = PollTimeout::try_from(timeout).expect("a timeout");
    poll(&mut [PollFd::new(watcher.as_fd(), PollFlags::POLLIN)], timeout).expect("poll") == 1
}

/// The threads that read sockets, and whether they take no signal.
fn intakes() -> Vec<bool> {
    let tasks = fs::read_dir("/proc/self/task").expect("threads").flatten();
    let of = |file: &Path| fs::read_to_string(file).unwrap_or_default();
    let intakes = tasks.map(|task| task.path()).filter(|task| of(&task.join("comm")).trim() == "intake");
    let blocked = intakes.map(|task| {
        let status = of(&task.join("status"));
        let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap_or_default();
        let mask = u64::from_str_radix(mask.trim(), 16).unwrap_or_default();
        // SIGINT and SIGTERM.
        mask & (1 << 1) != 0 && mask & (1 << 14) != 0
    });
    blocked.collect()
}

#[test]
fn i3_i4_i6_a_storm_in_a_tiny_buffer_ends_with_what_sysfs_shows() {
    let Some(_turn) = own_sysfs("a watcher in a storm") else { return };
    let stays = NetDevice::tap("stays0").expect("a device");
    let socket = UeventSocket::adopt(Listener::with_rcvbuf(1_024, 1).into_fd()).expect("a uevent socket");
    let mut watcher = Watcher::builder().all_subsystems().open_on(socket).expect("a watcher");
    let mut yielded = Yielded::default();
    yielded.read(&mut watcher);
    assert!(yielded.snapshots == 1 && yielded.knows("stays0"));
    assert_true(&yielded.fold, Path::new("/sys"), "the snapshot");
    for round in 0..60 {
        let names: Vec<String> = (0..20).map(|number| format!("storm{number}")).collect();
        for name in &names {
            NetDevice::tap(name).expect("a device").leave().expect("it stays");
        }
        if round % 7 == 6 {
            yielded.read(&mut watcher);
        }
        if round < 59 {
            delete_together(&names).expect("they are gone");
        }
    }
    stays.destroy().expect("it is gone");
    yielded.settle(&mut watcher);
    println!("{} lost, {} missed, {} snapshots", yielded.lost, yielded.missed, yielded.snapshots);
    assert!(yielded.lost > 100, "the buffer was not overrun");
    assert!(!yielded.awaits_resync, "no difference follows the last loss");
    assert!(watcher.is_steady() && yielded.knows("storm0") && !yielded.knows("stays0"));
    assert_true(&yielded.fold, Path::new("/sys"), "after the storm");
    assert_eq!(yielded.allocations, 0);
}

#[test]
fn two_watchers_work_at_once_and_their_threads_end_with_them() {
    let Some(_turn) = own_sysfs("two watchers") else { return };
    let mut watchers = [(); 2].map(|()| {
        let watcher = Watcher::builder().ports(4).subsystem("net").open().expect("a watcher");
        assert!(watcher.effective_bytes() >= 421_888, "{watcher:?}");
        (watcher, Yielded::default())
    });
    // A thread names itself.
    wait_until("both threads read", || intakes() == [true, true]);
    for (watcher, yielded) in &mut watchers {
        yielded.read(watcher);
        assert!(yielded.knows("lo") && yielded.fold.present.values().all(|device| device.subsystem == "net"));
    }
    let device = NetDevice::tap("both0").expect("a device");
    for (watcher, yielded) in &mut watchers {
        while !yielded.knows("both0") {
            yielded.take(&watcher.next().expect("an event"));
        }
    }
    let [first, (mut second, mut yielded)] = watchers;
    drop(first);
    assert_eq!(intakes(), [true]);
    device.destroy().expect("it is gone");
    while yielded.knows("both0") {
        yielded.take(&second.next().expect("an event"));
    }
    // A thread that waits for room in its ring ends as well.
    for _ in 0..40 {
        let names: Vec<String> = (0..10).map(|number| format!("full{number}")).collect();
        for name in &names {
            NetDevice::tap(name).expect("a device").leave().expect("it stays");
        }
        delete_together(&names).expect("they are gone");
    }
    drop(second);
    assert_eq!(intakes(), [true; 0]);
}

#[test]
fn the_descriptor_becomes_readable_for_events_and_for_scans_alone() {
    let Some(_turn) = own_sysfs("a watcher in an event loop") else { return };
    let mut watcher = Watcher::builder().subsystem("net").open().expect("a watcher");
    let mut yielded = Yielded::default();
    assert!(is_readable(&watcher, Duration::ZERO), "the first scan is due");
    yielded.read(&mut watcher);
    // An event loop that reports edges, as mio and tokio have it.
    let edges = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("an epoll");
    edges
        .add(watcher.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 7))
        .expect("an edge");
    for round in 0..20 {
        let device = NetDevice::tap("edge0").expect("a device");
        while !yielded.knows("edge0") {
            let mut events = [EpollEvent::empty()];
            let count = edges.wait(&mut events, PollTimeout::from(10_000_u16)).expect("a wait");
            assert_eq!(count, 1, "no edge in round {round}");
            yielded.read(&mut watcher);
        }
        device.destroy().expect("it is gone");
        while yielded.knows("edge0") {
            assert!(is_readable(&watcher, Duration::from_secs(10)), "not readable in round {round}");
            yielded.read(&mut watcher);
        }
    }
    // The settle scan, and then nothing.
    let begun = Instant::now();
    let mut wake_ups = 0;
    while is_readable(&watcher, Duration::from_secs(3)) {
        yielded.read(&mut watcher);
        wake_ups += 1;
        assert!(begun.elapsed() < Duration::from_secs(60), "{wake_ups} wake-ups and no end");
    }
    assert!(wake_ups >= 1 && watcher.is_steady());
    assert_eq!((yielded.lost, yielded.missed, yielded.snapshots), (0, 0, 1));
}

#[test]
fn impossible_statements_are_refused() {
    let builder = Watcher::builder;
    let error = |builder: sureplug_board::WatcherBuilder| builder.open().expect_err("an error");
    let too_many = error(builder().ports(127));
    assert!(matches!(too_many, WatchError::TooManyPorts { stated: 127, max: 4 }), "{too_many:?}");
    assert!(too_many.to_string().contains("SUREPLUG_USB_PORTS=127"), "{too_many}");
    assert!(matches!(error(builder().subsystem("a/b")), WatchError::Subsystem(_)));
    assert!(matches!(error(builder().subsystem("")), WatchError::Subsystem(_)));
    assert!(matches!(error(builder().max_stall(Duration::ZERO)), WatchError::Sizing(_)));
    assert!(matches!(error(builder().max_stall(Duration::MAX)), WatchError::Sizing(_)));
    assert!(matches!(error(builder().ports(0)), WatchError::Sizing(_)));
}
