//! The real thing as a hook: `busybox mdev`, beside `mdev -d` on the same devices of this kernel. Each has a `/dev` of
//! its own, in a mount namespace.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sureplug_tests::daemon::{Daemon, root, watching_all};
use sureplug_tests::kernel::devices::LoopDevice;
use sureplug_tests::kernel::own_sysfs;
use tempfile::TempDir;

/// Moves some nodes, links them, and gives them to a group.
const CONF: &str = "loop17[0-9] 0:6 0640 >disks/\nloop18[0-9] 3:4 0600 =hidden/\nloop19[0-9] 0:0 0660 !\nnull 0:0 0666\n.* 0:0 0660\n";

/// Events that are sent at once until the buffers of both are full, however large this machine's limits let them be.
const BURST: usize = 1_000;

/// What a directory holds: of each name what it is, and whose.
type Nodes = BTreeMap<String, String>;

fn nodes(directory: &Path) -> Nodes {
    let mut nodes = Nodes::new();
    let mut left = vec![PathBuf::new()];
    while let Some(below) = left.pop() {
        for entry in fs::read_dir(directory.join(&below)).into_iter().flatten().flatten() {
            let name = below.join(entry.file_name());
            let Ok(file) = fs::symlink_metadata(directory.join(&name)) else { continue };
            let kind = file.file_type();
            if kind.is_dir() {
                left.push(name);
                continue;
            }
            let what = if kind.is_symlink() {
                // It may be removed meanwhile.
                let Ok(target) = fs::read_link(directory.join(&name)) else { continue };
                target.display().to_string()
            } else {
                let kind = if kind.is_block_device() { "block" } else { "char" };
                format!("{kind} {:x} {:o} {}:{}", file.rdev(), file.mode() & 0o7777, file.uid(), file.gid())
            };
            nodes.insert(name.display().to_string(), what);
        }
    }
    // `mdev -d` and `mdev -s` make a link to the root's disk, which the hook's contract does not know.
    nodes.remove("root");
    nodes
}

/// A program in a mount namespace with a `/dev` and an `/etc` of its own.
fn beside(directory: &TempDir, program: &Command) -> Command {
    fs::write(directory.path().join("mdev.conf"), CONF).expect("a file");
    let script =
        "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && cp /etc/passwd /etc/group \"$0\" &&
        mount -t tmpfs none /etc && cp \"$0\"/mdev.conf \"$0\"/passwd \"$0\"/group /etc && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script]).arg(directory.path());
    command.arg(program.get_program()).args(program.get_args());
    command
}

fn dev(daemon: &Daemon) -> PathBuf {
    Path::new("/proc").join(daemon.pid().to_string()).join("root").join("dev")
}

/// Waits until it holds of what both have, and returns that.
fn wait_until(what: &str, of: [&Path; 2], holds: impl Fn(&Nodes, &Nodes) -> bool) -> [Nodes; 2] {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let [hook, daemon] = of.map(nodes);
        if holds(&hook, &daemon) {
            return [hook, daemon];
        }
        let [left, right] = [present(&hook), present(&daemon)];
        assert!(Instant::now() < end, "waited in vain until {what}: {left:#?} and {right:#?}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn create(numbers: std::ops::Range<u32>) -> Vec<LoopDevice> {
    numbers.map(|number| LoopDevice::create(number).expect("a loop device")).collect()
}

fn present(nodes: &Nodes) -> Vec<&str> {
    let is_ours = |name: &&str| name.split_once("loop1").is_some_and(|(_, digits)| digits.len() == 2);
    nodes.keys().map(String::as_str).filter(is_ours).collect()
}

#[test]
fn mdev_as_a_hook_makes_the_same_nodes_and_leaves_none_behind_after_an_overrun() {
    let Some(_turn) = own_sysfs("busybox mdev as a hook") else { return };
    let directories = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let mdev = directories[0].path().join("mdev");
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    symlink(busybox.expect("busybox, of the package of that name"), &mdev).expect("a link");
    let mut ours = watching_all("--json --ports 4");
    ours.arg("--hook").arg(&mdev).arg("--socket").arg(directories[0].path().join("events"));
    let ours = Daemon::start(beside(&directories[0], &ours));
    // Without this capability it gets the largest buffer that any program may have; with it, one of 128 MiB of the kernel's
    // memory, for which no test has the time.
    let mut theirs = Command::new("setpriv");
    theirs.args(["--bounding-set", "-net_admin", "busybox", "mdev", "-df"]);
    let theirs = Daemon::start(beside(&directories[1], &theirs));
    let both = [&ours, &theirs];
    let seen = both.map(dev);
    let of = [&*seen[0], &*seen[1]];
    let file_system = |path: &Path| fs::metadata(path).map_or(0, |file| file.dev());
    wait_until("each has its own", of, |_, _| {
        of.iter().all(|path| file_system(path) != file_system("/dev".as_ref()))
    });

    // What is present.
    let [before, _] = wait_until("both have all nodes", of, |hook, daemon| hook.len() > 20 && hook == daemon);
    assert!(before.contains_key("null") && before.contains_key("zero"), "{before:#?}");

    // What is in a namespace stays in sight when the program there has ended.
    let held = seen.each_ref().map(|path| File::open(path).expect("a directory"));
    let seen = held.each_ref().map(|file| PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())));
    let of = [&*seen[0], &*seen[1]];

    // What comes, under the rules of mdev.conf.
    let devices = create(170..196);
    let [after, _] = wait_until("both have the new ones", of, |hook, daemon| {
        hook == daemon && hook.contains_key("disks/loop175") && hook.contains_key("hidden/loop189")
    });
    assert_eq!(after["loop170"], "disks/loop170", "a link");
    assert!(after["disks/loop170"].ends_with(" 640 0:6"), "{}", after["disks/loop170"]);
    assert!(after["hidden/loop180"].ends_with(" 600 3:4"), "{}", after["hidden/loop180"]);
    assert!(!after.contains_key("loop190") && !after.contains_key("loop180"));
    drop(devices);
    wait_until("both have them no more", of, |hook, daemon| hook == daemon && present(hook).is_empty());

    // Neither reads for a while, and some vanish: their events are lost to both.
    let devices = create(170..180);
    wait_until("both have them", of, |hook, daemon| hook == daemon && present(hook).len() == 20);
    for daemon in both {
        daemon.stop();
    }
    let end = Instant::now() + Duration::from_secs(60);
    let overruns = |daemon: &Daemon| daemon.queue().expect("its socket").drops > 0;
    while !both.into_iter().all(overruns) {
        assert!(Instant::now() < end, "the buffers are never full");
        for _ in 0..BURST {
            fs::write("/sys/class/mem/zero/uevent", "change").expect("an event");
        }
    }
    drop(devices);
    for daemon in both {
        daemon.signal(Signal::SIGCONT);
    }
    ours.wait_for_line(|line| line.starts_with(r#"{"kind":"overrun""#));
    wait_until("the hook has heard of the removals", of, |hook, _| present(hook).is_empty());
    // One more event, so that it is past all that was queued.
    let last = LoopDevice::create(185).expect("a loop device");
    let [hook, daemon] = wait_until("the hook goes on", of, |hook, _| hook.contains_key("hidden/loop185"));
    println!("mdev as a hook: {:?}\nmdev -d: {:?}", present(&hook), present(&daemon));
    assert_eq!(present(&hook), ["hidden/loop185"]);
    // This reader ends when it overruns. Others continue and scan, and never learn what is gone.
    assert!(present(&daemon).len() >= 20, "without the hook, stale nodes stay: {daemon:#?}");
    drop(last);
    ours.end();
    theirs.end();
    assert_eq!(ours.wait().code, Some(0));
    let _ = theirs.wait();
}

/// Runs the hook that is shipped with stand-ins of `modprobe` and `busybox`: the code it ends with, and what it called.
fn shipped_hook(environment: &[(&str, &str)], modprobe_code: i32, mdev_code: i32) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("log");
    for (name, code) in [("modprobe", modprobe_code), ("busybox", mdev_code)] {
        let program = directory.path().join(name);
        let text =
            format!("#!/bin/sh\necho \"{name} $# $* $ACTION $DEVPATH\" >>'{}'\nexit {code}\n", log.display());
        fs::write(&program, text).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("its mode");
    }
    let mut hook = Command::new("/bin/sh");
    hook.arg(root().join("board/hooks/mdev")).arg("usb").env_clear().env("PATH", directory.path());
    let status = hook.envs(environment.iter().copied()).status().expect("a shell");
    (status.code(), fs::read_to_string(&log).expect("a log"))
}

#[test]
fn the_shipped_hook_loads_the_module_of_what_appears_and_then_runs_mdev() {
    let device = ("DEVPATH", "/devices/usb1/1-1");
    let alias = ("MODALIAS", "usb:v46F4p0001d0000dc00");
    let loads = "modprobe 4 -q -b -- usb:v46F4p0001d0000dc00 add /devices/usb1/1-1\n";
    // A module that is not there keeps no node away.
    for modprobe_code in [0, 1] {
        let (code, calls) = shipped_hook(&[("ACTION", "add"), device, alias], modprobe_code, 0);
        assert_eq!((code, calls), (Some(0), format!("{loads}busybox 2 mdev usb add /devices/usb1/1-1\n")));
    }
    // The kernel's `add` of a device that a scan found before.
    let (_, calls) = shipped_hook(&[("ACTION", "change"), device, alias, ("SUREPLUG_ACTION", "add")], 0, 0);
    assert_eq!(calls, format!("{loads}busybox 2 mdev usb add /devices/usb1/1-1\n"));
    // An alias is the kernel's text, and the hook's shell does not look into it.
    let odd = ("MODALIAS", "-r $(exit 9) *");
    let (_, calls) = shipped_hook(&[("ACTION", "add"), device, odd], 0, 0);
    assert!(calls.starts_with("modprobe 4 -q -b -- -r $(exit 9) * add "), "{calls}");
}

#[test]
fn the_shipped_hook_runs_mdev_alone_where_there_is_nothing_to_load() {
    let device = ("DEVPATH", "/devices/usb1/1-1");
    let alias = ("MODALIAS", "usb:v46F4p0001d0000dc00");
    let none = ("MODALIAS", "");
    for environment in [
        &[("ACTION", "add"), device][..],
        &[("ACTION", "add"), device, none],
        &[("ACTION", "change"), device, alias],
        &[("ACTION", "change"), device, alias, ("SUREPLUG_ACTION", "remove")],
        &[("ACTION", "remove"), device, alias],
    ] {
        let action = environment[0].1;
        // What mdev ends with is what the hook ends with.
        for mdev_code in [0, 3] {
            let wanted = format!("busybox 2 mdev usb {action} /devices/usb1/1-1\n");
            assert_eq!(shipped_hook(environment, 1, mdev_code), (Some(mdev_code), wanted), "{environment:?}");
        }
    }
}
