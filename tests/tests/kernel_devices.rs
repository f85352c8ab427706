//! Real devices made by tests: the kernel's events about each, and what sysfs shows at that time.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use nix::errno::Errno;
use nix::libc;
use sureplug_core::uevent::Uevent;
use sureplug_tests::kernel::devices::{LoopDevice, NetDevice, delete, remove_loop};
use sureplug_tests::kernel::{Listener, own_sysfs};

/// Loop devices that no machine has by itself, for one test each.
const OWN_LOOP: u32 = 100;
const FIRST_LOOP: u32 = 110;

/// An event's action, devpath, subsystem, and its number of a net device or of a disk's contents.
#[derive(Debug, PartialEq, Eq)]
struct Delivered(String, String, String, Option<u64>);

impl Delivered {
    fn of(datagram: &[u8]) -> Self {
        let uevent = Uevent::parse(datagram).expect("a well-formed event");
        let text = |bytes: &[u8]| String::from_utf8(bytes.into()).expect("names in ASCII");
        let number = uevent.ifindex().map(u64::from).or(uevent.diskseq());
        let subsystem = uevent.subsystem().map(text).unwrap_or_default();
        Self(text(uevent.action().as_bytes()), text(uevent.devpath()), subsystem, number)
    }
}

fn listener() -> Listener {
    Listener::with_rcvbuf(212_992, 1)
}

/// Everything that came: the calls that make and delete devices return when it was sent.
fn delivered(listener: &Listener) -> Vec<Delivered> {
    let mut delivered = Vec::new();
    loop {
        match listener.receive() {
            Ok(datagram) => delivered.push(Delivered::of(&datagram)),
            Err(Errno::EAGAIN) => return delivered,
            Err(errno) => panic!("{errno}"),
        }
    }
}

/// The net devices among them, as `action name`; what is below them is left out.
fn delivered_of_net(listener: &Listener) -> Vec<String> {
    let delivered = delivered(listener).into_iter().filter(|delivered| delivered.2 == "net");
    delivered
        .map(|delivered| format!("{} {}", delivered.0, delivered.1.rsplit('/').next().expect("a name")))
        .collect()
}

fn listed(directory: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn net() -> BTreeSet<String> {
    let mut names = listed("/sys/class/net");
    assert!(names.remove("lo"));
    names
}

fn inode(name: &str) -> u64 {
    fs::metadata(format!("/sys/class/net/{name}")).expect("a device").ino()
}

fn errno<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

#[test]
fn a_thread_has_a_sysfs_of_its_own_and_hands_it_on() {
    let (ask, asked) = channel();
    let before = thread::spawn(move || {
        asked.recv().expect("a question");
        listed("/sys/class/net")
    });
    let others = listed("/sys/class/net");
    let Some(_turn) = own_sysfs("a sysfs of its own") else { return };
    assert_eq!(net(), [].into());
    let _device = NetDevice::bridge("own").unwrap();
    assert_eq!(net(), ["own".into()].into());
    assert_eq!(thread::spawn(net).join().unwrap(), net());
    let output = Command::new("ls").arg("/sys/class/net").output().expect("ls");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "lo\nown\n");
    ask.send(()).unwrap();
    assert_eq!(before.join().unwrap(), others, "what was there before sees what it saw");
}

#[test]
fn net_devices_come_and_go_with_what_is_below_them() {
    let Some(_turn) = own_sysfs("net devices") else { return };
    let listener = listener();
    for kind in [NetDevice::tap, NetDevice::bridge, |name: &str| NetDevice::veth(name, "peer")] {
        let device = kind("it").unwrap();
        let mut added = delivered(&listener);
        assert!(net().contains("it"));
        let index = u64::try_from(device.index().unwrap()).unwrap();
        let path = "/devices/virtual/net/it";
        let at = |added: &[Delivered], path| {
            added.iter().position(|delivered| delivered.1 == path).expect("an event")
        };
        let event = added.remove(at(&added, path));
        assert_eq!(event, Delivered("add".into(), path.into(), "net".into(), Some(index)));
        assert!(at(&added, "/devices/virtual/net/it/queues/rx-0") < added.len());

        device.destroy().unwrap();
        assert_eq!(net(), [].into());
        let removed = delivered(&listener);
        assert!(removed.iter().all(|delivered| delivered.0 == "remove"), "{removed:?}");
        assert!(at(&removed, "/devices/virtual/net/it/queues/rx-0") < at(&removed, path), "children first");
        assert_eq!(removed[at(&removed, path)].3, Some(index));
    }
}

#[test]
fn a_pair_is_two_devices_and_goes_with_either() {
    let Some(_turn) = own_sysfs("a pair") else { return };
    let listener = listener();
    for of_it in ["a", "b"] {
        let device = NetDevice::veth("a", "b").unwrap();
        assert_eq!((net(), device.name()), (["a".into(), "b".into()].into(), "a"));
        assert_eq!(delivered_of_net(&listener), ["add b", "add a"]);
        delete(of_it).unwrap();
        let mut gone = delivered_of_net(&listener);
        gone.sort();
        assert_eq!(gone, ["remove a", "remove b"]);
        assert_eq!(errno(device.destroy()), Some(libc::ENODEV));
    }
}

#[test]
fn rename_keeps_the_device_and_delivers_nothing_below_it() {
    let Some(_turn) = own_sysfs("renames") else { return };
    let mut device = NetDevice::tap("old").unwrap();
    let before = (inode("old"), device.index().unwrap());
    let listener = listener();
    device.rename("new").unwrap();
    let datagram = listener.receive().unwrap();
    let event = Uevent::parse(&datagram).unwrap();
    assert_eq!(
        (event.action().as_bytes(), event.devpath()),
        (&b"move"[..], &b"/devices/virtual/net/new"[..])
    );
    assert_eq!(event.devpath_old(), Some(&b"/devices/virtual/net/old"[..]));
    assert_eq!(delivered(&listener), []);
    assert_eq!((inode("new"), device.index().unwrap()), before);
    assert_eq!((net(), device.name()), (["new".into()].into(), "new"));

    let _other = NetDevice::bridge("other").unwrap();
    assert_eq!(errno(device.rename("other")), Some(libc::EEXIST));
    assert_eq!(device.name(), "new");
}

#[test]
fn a_replaced_device_has_another_number_and_another_inode() {
    let Some(_turn) = own_sysfs("replaced devices") else { return };
    let look = |device: NetDevice| (inode("same"), device.index().unwrap());
    let looks: Vec<_> = (0..20).map(|_| look(NetDevice::tap("same").unwrap())).collect();
    let inodes: BTreeSet<_> = looks.iter().map(|look| look.0).collect();
    let indices: BTreeSet<_> = looks.iter().map(|look| look.1).collect();
    assert_eq!((inodes.len(), indices.len()), (20, 20), "{looks:?}");
}

#[test]
fn loop_devices_come_change_and_go() {
    let Some(_turn) = own_sysfs("loop devices") else { return };
    let listener = listener();
    let path = format!("/devices/virtual/block/loop{OWN_LOOP}");
    let steps = |delivered: Vec<Delivered>| -> Vec<String> {
        let ours = delivered.into_iter().filter(|delivered| delivered.1.ends_with(&format!("{OWN_LOOP}")));
        ours.map(|delivered| format!("{} {}", delivered.0, delivered.2)).collect()
    };
    let number = || -> u64 {
        let text = fs::read_to_string(format!("/sys{path}/diskseq")).expect("a disk");
        text.trim_end().parse().expect("a number")
    };
    let device = LoopDevice::create(OWN_LOOP).unwrap();
    assert_eq!(steps(delivered(&listener)), ["add bdi", "add block"]);
    assert!(listed("/sys/class/block").contains(&device.name()));
    assert_eq!(errno(LoopDevice::create(OWN_LOOP)), Some(libc::EEXIST));

    let file = tempfile::tempfile().unwrap();
    file.set_len(1 << 20).unwrap();
    let before = number();
    device.attach(&file).unwrap();
    let change = delivered(&listener).into_iter().find(|delivered| delivered.1 == path).expect("a change");
    assert_eq!(change, Delivered("change".into(), path.clone(), "block".into(), Some(number())));
    assert!(number() > before);
    assert_eq!(errno(remove_loop(OWN_LOOP)), Some(libc::EBUSY));
    device.detach().unwrap();
    assert!(steps(delivered(&listener)).iter().all(|step| step == "change block"));

    device.destroy().unwrap();
    assert_eq!(steps(delivered(&listener)), ["remove bdi", "remove block"]);
    let device = LoopDevice::create(OWN_LOOP).unwrap();
    device.attach(&file).unwrap();
    drop(device);
    assert_eq!(errno(remove_loop(OWN_LOOP)), Some(libc::ENODEV), "with a file, too");
}

/// Removes what `make_devices` left, also if the test fails.
struct Cleaning;

impl Drop for Cleaning {
    fn drop(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_make_devices"));
        // The test looks at what it does, if it comes that far.
        let _ = command.args(["clean", "s", &FIRST_LOOP.to_string()]).status();
    }
}

fn make_devices(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_make_devices")).args(arguments).output().expect("a process");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn storm_of_several_processes_folds_to_sysfs() {
    let Some(_turn) = own_sysfs("a storm of devices") else { return };
    let cleaning = Cleaning;
    let loops = FIRST_LOOP.to_string();
    let once = make_devices(&["17", "20", "s"]);
    let has = |name: &String, file| fs::exists(format!("/sys/class/net/{name}/{file}")).unwrap();
    let [bridges, taps] = ["bridge", "tun_flags"].map(|file| net().iter().filter(|n| has(n, file)).count());
    let pairs = net().len() - bridges - taps;
    assert!(bridges > 0 && taps > 0 && pairs > 0, "{once}");
    assert!(once.ends_with(&format!("left: {bridges} bridge, 0 loop, {taps} tap, {pairs} veth\n")), "{once}");

    let listener = listener();
    let mut all = Vec::new();
    thread::scope(|scope| {
        let loops = &loops;
        let start = |seed| scope.spawn(move || print!("{}", make_devices(&[seed, "100", "s", loops])));
        let processes = ["2", "3", "4"].map(start);
        while !processes.iter().all(thread::ScopedJoinHandle::is_finished) {
            all.extend(delivered(&listener));
            thread::sleep(Duration::from_millis(1));
        }
    });
    all.extend(delivered(&listener));
    for what in [("add", "net"), ("move", "net"), ("remove", "net"), ("add", "block"), ("remove", "block")] {
        assert!(
            all.iter().any(|delivered| (delivered.0.as_str(), delivered.2.as_str()) == what),
            "no {what:?}"
        );
    }
    drop(cleaning);
    assert_eq!(net(), [].into());
    assert!((FIRST_LOOP..).take(2).all(|number| !listed("/sys/block").contains(&format!("loop{number}"))));
}

#[test]
fn sysfs_lists_a_device_when_its_add_comes_and_not_when_its_remove_comes() {
    const ROUNDS: usize = 500;
    let Some(_turn) = own_sysfs("sysfs at the time of an event") else { return };
    let listener = listener();
    let (next, steps) = channel();
    let maker = thread::spawn(move || {
        for step in steps {
            if step == "add" {
                NetDevice::veth("a", "b").unwrap().leave().unwrap();
            } else {
                delete("a").unwrap();
            }
        }
    });
    let (mut missing, mut listed, mut directories) = (0, 0, 0);
    for action in ["add", "remove"].repeat(ROUNDS) {
        next.send(action).unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        let mut seen = 0;
        // Without sleeping, to be as close to the event as possible; the next step comes only after
        // both were seen.
        while seen < 2 {
            let Ok(datagram) = listener.receive() else {
                assert!(Instant::now() < end, "no {action}");
                continue;
            };
            let delivered = Delivered::of(&datagram);
            if delivered.2 != "net" {
                continue;
            }
            let directory = fs::symlink_metadata(format!("/sys{}", delivered.1)).is_ok();
            let link = delivered.1.replace("/devices/virtual/net/", "/sys/class/net/");
            let link = fs::symlink_metadata(link).is_ok();
            assert_eq!(delivered.0, action);
            missing += usize::from(action == "add" && !(link && directory));
            listed += usize::from(action == "remove" && link);
            directories += usize::from(action == "remove" && directory);
            seen += 1;
        }
    }
    drop(next);
    maker.join().unwrap();
    println!("of {} removals, {directories} had a directory when they were told", 2 * ROUNDS);
    assert_eq!((missing, listed), (0, 0), "missing at add, listed at remove");
}
