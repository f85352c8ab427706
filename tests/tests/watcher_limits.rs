//! A watcher at the limits: small stacks, other threads, no sysfs, and event loops that take one item a turn.

use std::os::fd::AsFd;
use std::path::Path;
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};
use sureplug_board::client::Client;
use sureplug_board::socket::{Batch, Datagram, UeventSocket};
use sureplug_board::{Item, WatchError, Watcher};
use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::uevent::Action;
use sureplug_tests::kernel::devices::{NetDevice, delete_together};
use sureplug_tests::kernel::{Listener, own_sysfs};

fn watcher() -> Watcher {
    Watcher::builder().subsystem("net").open().expect("a watcher")
}

fn is_readable(watcher: &Watcher, timeout: Duration) -> bool {
    let timeout = PollTimeout::try_from(timeout).expect("a timeout");
    poll(&mut [PollFd::new(watcher.as_fd(), PollFlags::POLLIN)], timeout).expect("poll") == 1
}

/// Returns `true` for this action of that device.
fn is(item: &Item<'_>, wanted: Action<'_>, name: &str) -> bool {
    matches!(item, Item::Event(event)
        if event.uevent.action() == wanted && event.uevent.devpath().ends_with(name.as_bytes()))
}

#[test]
fn what_an_application_holds_can_move_to_another_thread() {
    const fn is_send<T: Send>() {}
    is_send::<Watcher>();
    is_send::<WatchError>();
    is_send::<Client>();
    is_send::<UeventSocket>();
    is_send::<Batch>();
    let Some(_turn) = own_sysfs("a watcher on another thread") else { return };
    let mut watcher = watcher();
    let socket = UeventSocket::adopt(Listener::with_rcvbuf(212_992, 1).into_fd()).expect("a uevent socket");
    let mut batch = Batch::new(MAX_DATAGRAM_BYTES);
    socket.receive(&mut batch, 8, |_| {}).expect("a read");
    let device = NetDevice::tap("moved0").expect("a device");
    let watching = thread::spawn(move || {
        let mut names = 0;
        socket
            .receive(&mut batch, 8, |message| names += usize::from(matches!(message, Datagram::Event(_))))
            .expect("a read");
        assert!(names > 0);
        while !is(&watcher.next().expect("an item"), Action::Add, "/moved0") {}
    });
    watching.join().expect("a thread");
    device.destroy().expect("it is gone");
}

#[test]
fn an_event_loop_may_take_one_item_a_turn() {
    fn turn(watcher: &mut Watcher, what: &str, mut is_wanted: impl FnMut(&Item<'_>) -> bool) {
        loop {
            assert!(is_readable(watcher, Duration::from_secs(1)), "not readable: {what}");
            if watcher.try_next().expect("a watcher").is_some_and(|item| is_wanted(&item)) {
                return;
            }
        }
    }
    let Some(_turn) = own_sysfs("a watcher read item by item") else { return };
    let mut watcher = watcher();
    turn(&mut watcher, "the snapshot", |item| matches!(item, Item::SnapshotEnd));
    let names: Vec<String> = (0..5).map(|number| format!("turn{number}")).collect();
    for round in 0..10 {
        // The descriptor waits for events, or for a settle scan that comes too late.
        while watcher.try_next().expect("a watcher").is_some() {}
        for name in &names {
            NetDevice::tap(name).expect("a device").leave().expect("it stays");
        }
        for name in &names {
            let name = format!("/{name}");
            turn(&mut watcher, &format!("round {round}"), |item| is(item, Action::Add, &name));
        }
        delete_together(&names).expect("they are gone");
        let mut left = names.len();
        turn(&mut watcher, &format!("round {round}"), |item| {
            left -= usize::from(names.iter().any(|name| is(item, Action::Remove, &format!("/{name}"))));
            left == 0
        });
    }
}

#[test]
fn a_watcher_opens_on_a_stack_of_160_kib_and_works_on_one_of_48() {
    const KIB: usize = 1024;
    let Some(_turn) = own_sysfs("a watcher on a small stack") else { return };
    let device = NetDevice::tap("small0").expect("a device");
    let open = Builder::new().stack_size(160 * KIB).spawn(watcher).expect("a thread");
    let mut watcher = open.join().expect("it opens");
    let read = move || {
        while !matches!(watcher.next().expect("an item"), Item::SnapshotEnd) {}
        device.destroy().expect("it is gone");
        while !is(&watcher.next().expect("an item"), Action::Remove, "/small0") {}
    };
    Builder::new().stack_size(48 * KIB).spawn(read).expect("a thread").join().expect("it reads");
}

#[test]
fn an_unread_watcher_reports_what_it_lost() {
    let Some(_turn) = own_sysfs("an unread watcher") else { return };
    let mut watcher = watcher();
    while !matches!(watcher.next().expect("an item"), Item::SnapshotEnd) {}
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        let names: Vec<String> = (0..20).map(|number| format!("unread{number}")).collect();
        for name in &names {
            NetDevice::tap(name).expect("a device").leave().expect("it stays");
        }
        delete_together(&names).expect("they are gone");
    }
    let device = NetDevice::tap("last0").expect("a device");
    let (mut lost, mut found) = (false, false);
    while let Some(item) = watcher.next_within(Duration::from_secs(3)).expect("a watcher") {
        lost |= matches!(item, Item::Lost { .. });
        found |= is(&item, Action::Add, "/last0");
    }
    assert!(lost && found && watcher.is_steady());
    device.destroy().expect("it is gone");
}

#[test]
fn waits_of_any_length_end_and_an_idle_watcher_takes_no_time() {
    let Some(_turn) = own_sysfs("an idle watcher") else { return };
    let mut watcher = watcher();
    while watcher.next_within(Duration::from_secs(3)).expect("a watcher").is_some() {}
    assert!(watcher.next_within(Duration::ZERO).expect("a watcher").is_none());
    let before = Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock"));
    assert!(watcher.next_within(Duration::from_secs(3)).expect("a watcher").is_none());
    let after = Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock"));
    assert!(after < before + Duration::from_millis(20), "{before:?} {after:?}");
    let device = NetDevice::tap("long0").expect("a device");
    assert!(watcher.next_within(Duration::MAX).expect("a watcher").is_some());
    device.destroy().expect("it is gone");
}

#[test]
fn a_watcher_waits_for_sysfs() {
    let Some(_turn) = own_sysfs("a watcher without sysfs") else { return };
    let nothing = None::<&str>;
    while umount2("/sys", MntFlags::MNT_DETACH).is_ok() {}
    mount(Some("tmpfs"), "/sys", Some("tmpfs"), MsFlags::empty(), nothing).expect("an empty /sys");
    let mut watcher = watcher();
    let device = NetDevice::tap("early0").expect("a device");
    assert!(watcher.next_within(Duration::from_secs(1)).expect("a watcher").is_none());
    assert!(!watcher.is_steady());
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), nothing).expect("a sysfs");
    assert!(Path::new("/sys/class").exists());
    while !is(&watcher.next().expect("an item"), Action::Add, "/early0") {}
    device.destroy().expect("it is gone");
}
