//! I6: once started, the daemon allocates nothing in any storm, overrun or resync. The program
//! itself runs with all its services: calls of its allocator are counted, and strace sees `brk` and
//! `mmap`.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, pipe};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;
use sureplug_tests::application::{Application, Delivered};
use sureplug_tests::daemon::{Daemon, json, number};
use sureplug_tests::kernel::devices::{NetDevice, delete_together};
use sureplug_tests::kernel::{Injector, own_sysfs};
use sureplug_tests::receive::receive;

/// The program with its allocations counted.
const PROGRAM: &str = env!("CARGO_BIN_EXE_counted");

/// The program's options: every service that runs after the start.
const OPTIONS: &str = "run --json --verbose --ports 1 --port-device mouse --subsystem all --hook /bin/true \
    --hook-timeout-ms 5000 --led status --log syslog --metrics-interval-s 1 --socket-group 0 --lock-memory \
    --intake-priority 1 --oom-score-adj 500";

/// Replaces a directory in this mount namespace with a writable one that has the same contents.
fn make_writable(path: &Path) {
    let nothing = None::<&str>;
    // Nowhere in a directory that is removed with its content when a test ends.
    let held = File::open(path).expect("a directory");
    mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::empty(), nothing).expect("an empty one");
    let other = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
    for entry in fs::read_dir(&other).expect("a directory").flatten() {
        let (from, to) = (other.join(entry.file_name()), path.join(entry.file_name()));
        if let Ok(target) = fs::read_link(&from) {
            symlink(target, to).expect("a link");
            continue;
        }
        if from.is_dir() { fs::create_dir(&to) } else { File::create(&to).map(drop) }.expect("its place");
        mount(Some(&from), &to, nothing, MsFlags::MS_BIND | MsFlags::MS_REC, nothing).expect("what it has");
    }
}

/// An LED of files in place of the kernel's.
fn make_led() {
    let led = Path::new("/sys/class/leds/status");
    fs::create_dir_all(led).expect("a directory");
    for (file, text) in [("brightness", "0"), ("max_brightness", "255"), ("trigger", "none")] {
        fs::write(led.join(file), text).expect("a file");
    }
}

/// Real devices come and go, with many more events than the buffer holds.
fn storm(rounds: usize) {
    let injector = Injector::new();
    for round in 0..rounds {
        let names: Vec<String> = (0..20).map(|number| format!("memory{number}")).collect();
        let taps: Vec<_> = names.iter().map(|name| NetDevice::tap(name).expect("a tap")).collect();
        for tap in taps {
            tap.leave().expect("it stays");
        }
        for number in 0..500 {
            let path = format!("/devices/virtual/net/fake{}", number % 50);
            let action = ["add", "change", "remove"][(number + round) % 3];
            let text = format!(
                "{action}@{path}\0ACTION={action}\0DEVPATH={path}\0SUBSYSTEM=net\0IFINDEX={number}\0"
            );
            injector.send(text.as_bytes());
        }
        delete_together(&names).expect("they are gone");
    }
}

/// Applications come and go meanwhile: some read all, one is slow, some ask how it is, and some for what is wrong.
fn come_and_go(path: &Path, until: &AtomicBool) -> u64 {
    let mut slow = Application::connect(path, "SUBSYSTEM=net").expect("somebody listens");
    let mut answers = 0;
    while !until.load(Ordering::Relaxed) {
        for request in ["SUBSYSTEM=net", "STATUS", "LIST\nSUBSYSTEM=mem", "NONSENSE", "SNAPSHOT=no"] {
            let Ok(mut application) = Application::connect(path, request) else { continue };
            let is_last = |delivered: &Delivered| matches!(delivered.action.as_str(), "end" | "error");
            while application.receive().is_some_and(|delivered| !is_last(&delivered)) {}
            answers += 1;
        }
        let _ = slow.take();
        thread::sleep(Duration::from_millis(5));
    }
    answers
}

/// Takes datagrams until that is so, and returns how many.
fn take(socket: &UnixDatagram, until: impl Fn(&[u8]) -> bool) -> u64 {
    let mut datagram = [0; 4_096];
    for number in 1.. {
        let length = receive(socket, &mut datagram).expect("a datagram");
        if until(&datagram[..length]) {
            return number;
        }
    }
    unreachable!("there are always more")
}

fn bind(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    socket
}

/// Returns the lines of a trace with calls that map memory, each after a process id.
fn mappings(trace: &str) -> impl Iterator<Item = &str> {
    trace.lines().filter(|line| ["brk(", "mmap(", "mremap("].iter().any(|call| line.contains(call)))
}

/// What a hook's program does is its own.
fn assert_nothing_mapped(trace: &str) {
    let (before, behind) = trace.split_once("READY=1").expect("the report of the start");
    // At the end memory is given back.
    let (behind, _) = behind.split_once("STOPPING=1").expect("the report of the end");
    let pid = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let hooks: HashSet<_> =
        trace.lines().skip(1).filter(|line| line.contains("execve(")).filter_map(pid).collect();
    assert!(hooks.len() > 10, "no program was run");
    let is_daemons = |line: &&str| pid(line).is_some_and(|pid| !hooks.contains(&pid));
    let calls: Vec<_> = mappings(behind).filter(is_daemons).collect();
    println!("{} calls of brk and mmap at the start, {} behind it", mappings(before).count(), calls.len());
    assert!(mappings(before).count() > 10, "strace saw nothing");
    assert!(calls.is_empty(), "{calls:#?}");
}

fn main() {
    let Some(_turn) = own_sysfs("the daemon's memory in a storm") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let within = |name: &str| directory.path().join(name);
    make_writable("/sys/class".as_ref());
    make_writable("/dev".as_ref());
    make_led();
    fs::write(within("number"), [0; 8]).expect("a file");
    let allocations =
        || u64::from_ne_bytes(fs::read(within("number")).expect("a file")[..8].try_into().expect("8"));
    let control = Command::new(PROGRAM).arg(within("number")).arg("control").status().expect("a program");
    assert_eq!(control.code(), Some(1), "what the C library allocates is not counted");

    let (log, supervisor) = (bind("/dev/log".as_ref()), bind(&within("notify")));
    let (ready, writer) = pipe().expect("a pipe");
    fcntl(&writer, FcntlArg::F_SETFD(FdFlag::empty())).expect("it is inherited");
    let mut command = Command::new("strace");
    command
        .args(["-D", "-f", "-qq", "-e", "trace=brk,mmap,mremap,write,sendto,sendmsg,execve", "-o"])
        .arg(within("trace"));
    command.arg(PROGRAM).arg(within("number")).args(OPTIONS.split_whitespace());
    command.arg("--ready-fd").arg(writer.as_raw_fd().to_string());
    command.arg("--socket").arg(within("events")).arg("--metrics").arg(within("sureplug.prom"));
    command.env("NOTIFY_SOCKET", within("notify")).env("WATCHDOG_USEC", "200000");
    let daemon = Daemon::start(command);
    drop(writer);
    take(&supervisor, |report| report == b"READY=1");
    let (at_start, begun) = (allocations(), SystemTime::now());
    let mut line = String::new();
    // Not to its end: strace has the descriptor as well.
    BufReader::new(ready).read_line(&mut line).expect("a line");
    daemon.wait_until_scanned();

    let (is_over, beats, logged) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let (answers, behind) = thread::scope(|scope| {
        let clients = scope.spawn(|| come_and_go(&within("events"), &is_over));
        scope
            .spawn(|| beats.store(take(&supervisor, |_| is_over.load(Ordering::Relaxed)), Ordering::Relaxed));
        scope.spawn(|| logged.store(take(&log, |_| is_over.load(Ordering::Relaxed)), Ordering::Relaxed));
        storm(5);
        // Not for long: applications wait for it.
        daemon.stop();
        storm(2);
        daemon.signal(Signal::SIGCONT);
        daemon.wait_for_line(|line| json(line)["kind"] == "overrun");
        daemon.signal(Signal::SIGUSR1);
        storm(5);
        // Includes the scan after the burst.
        thread::sleep(Duration::from_millis(3_500));
        let behind = allocations();
        is_over.store(true, Ordering::Relaxed);
        let answers = clients.join().expect("they were served");
        // The last datagrams: that of the end, and a loss that it does not report.
        let _ = UnixDatagram::unbound().and_then(|socket| socket.send_to(b"over", "/dev/log"));
        let _ = UnixDatagram::unbound().and_then(|socket| socket.send_to(b"over", within("notify")));
        (answers, behind)
    });
    let written =
        fs::metadata(within("sureplug.prom")).and_then(|file| file.modified()).expect("the metrics");
    let output = daemon.finish();
    output.assert_fine();
    let totals = output.totals();
    let [lost, resyncs, runs, missed] =
        ["lost", "repairs", "hook_runs", "clients_missed_events"].map(|key| number(&totals, key));
    let (beats, logged) = (beats.into_inner(), logged.into_inner());
    println!(
        "{at_start} calls of the allocator at the start, {} behind it: {lost} lost, {resyncs} resyncs, {answers} clients, \
         {missed} missed, {runs} runs of the hook, {beats} reports, {logged} lines",
        behind - at_start
    );
    assert_eq!(line, "\n");
    assert!(at_start > 100, "the start was not counted");
    assert!(lost > 100 && resyncs > 0 && missed > 0, "nothing to speak of happened: {totals}");
    assert!(answers > 20 && runs > 10 && beats > 10 && logged > 2, "not everything was served");
    assert!(begun + Duration::from_secs(1) < written, "the metrics were not written again");
    assert_ne!(
        fs::read("/sys/class/leds/status/brightness").expect("the LED"),
        b"0",
        "the LED was not switched"
    );
    assert_eq!(behind - at_start, 0, "calls of the allocator");
    assert_nothing_mapped(&fs::read_to_string(within("trace")).expect("what strace saw"));
    println!("i6_nothing_is_allocated_or_mapped_after_the_start ... ok");
}
