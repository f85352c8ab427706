//! I6: once it has started, the daemon allocates nothing, through whatever storm, overrun and resync. Its
//! allocator is counted in this process, and its calls of `brk` and `mmap` in another.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write, pipe, stderr};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, dup2_stdout};
use sureplug_board::daemon::Daemon;
use sureplug_board::report::{Style, Totals};
use sureplug_board::service::broker::Broker;
use sureplug_board::service::hook::{DEFAULT_TIMEOUT_MS, Hook, Wants};
use sureplug_board::service::led::StatusLed;
use sureplug_board::service::log::{Console, LogKind, SystemLog};
use sureplug_board::service::metrics::Metrics;
use sureplug_board::socket::UeventSocket;
use sureplug_core::selection::Selection;
use sureplug_tests::application::{Application, Told};
use sureplug_tests::kernel::devices::{NetDevice, delete_together};
use sureplug_tests::kernel::{Injector, Listener, own_sysfs};

thread_local! {
    /// Whether this thread is the test's and not the daemon's.
    static IS_OURS: Cell<bool> = const { Cell::new(false) };
}

static COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// Counts what the daemon's threads allocate or give back.
struct Counting;

fn count() {
    if COUNTING.load(Ordering::Relaxed) && !IS_OURS.get() {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
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

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A program under strace. Both end with the test, whatever happens.
struct Traced(Child);

impl Drop for Traced {
    fn drop(&mut self) {
        // strace leaves alone what it traced.
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.0.id()));
        for child in children.unwrap_or_default().split_whitespace().filter_map(|pid| pid.parse().ok()) {
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
        }
        let _ = self.0.wait();
    }
}

/// Real devices come and go, and many more events at a rate that two of them overrun the buffer.
fn storm() {
    let injector = Injector::new();
    for round in 0..50 {
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

/// Applications come and go meanwhile: some read all, some nothing, some ask how it is, and some for what is wrong.
fn come_and_go(path: &Path, until: &AtomicBool) -> u64 {
    let deaf = Application::connect(path, "SNAPSHOT=yes").expect("somebody listens");
    let mut answers = 0;
    while !until.load(Ordering::Relaxed) {
        for request in ["SUBSYSTEM=net", "STATUS", "LIST\nSUBSYSTEM=mem", "NONSENSE", "SNAPSHOT=no"] {
            let Ok(mut application) = Application::connect(path, request) else { continue };
            let is_last = |told: &Told| matches!(told.action.as_str(), "end" | "error");
            while application.receive().is_some_and(|told| !is_last(&told)) {}
            answers += 1;
        }
        thread::sleep(Duration::from_millis(5));
    }
    drop(deaf);
    answers
}

/// What the stream has shown so far.
#[derive(Default)]
struct Seen {
    scanned: AtomicBool,
    overruns: AtomicU64,
    unreported: AtomicBool,
}

impl Seen {
    fn read(&self, output: File) {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let is = |kind: &str| line.starts_with(&format!("{{\"kind\":\"{kind}\","));
            self.scanned.fetch_or(is("scanned"), Ordering::Relaxed);
            self.overruns.fetch_add(is("overrun").into(), Ordering::Relaxed);
            self.unreported.fetch_or(is("unreported"), Ordering::Relaxed);
        }
    }
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("waited in vain until {what}");
}

/// An LED of files in place of the kernel's.
fn led(sysfs: &Path) -> StatusLed {
    let led = sysfs.join("class/leds/status");
    fs::create_dir_all(&led).expect("a directory");
    fs::write(led.join("brightness"), "0").expect("a file");
    StatusLed::of_sysfs(sysfs, "status").expect("an LED")
}

fn nothing_is_allocated_through_storm_overrun_and_resync() {
    // In all threads: else one of ours would take the hook's ends.
    SigSet::from_iter([Signal::SIGCHLD]).thread_block().expect("a signal that can be blocked");
    let signals = Daemon::take_signals().expect("a signalfd");
    let listener = Listener::with_rcvbuf(1_024, 1);
    let socket = UeventSocket::adopt(listener.into_fd()).expect("a uevent socket");
    let (reader, writer) = pipe().expect("a pipe");
    dup2_stdout(&writer).expect("the daemon's output");
    drop(writer);

    let seen = Arc::new(Seen::default());
    let reading = {
        let seen = Arc::clone(&seen);
        thread::spawn(move || {
            IS_OURS.set(true);
            seen.read(File::from(OwnedFd::from(reader)));
        })
    };
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("events");
    let broker = Broker::open(&path, None).expect("a broker");
    let hook = Hook::open(Path::new("/bin/true"), DEFAULT_TIMEOUT_MS, Wants::EVERYTHING).expect("a program");
    let feeding = thread::spawn(move || {
        IS_OURS.set(true);
        wait_until("it has started", || seen.scanned.load(Ordering::Relaxed));
        let is_over = AtomicBool::new(false);
        let (ready, is_ready) = mpsc::channel();
        let answers = thread::scope(|scope| {
            let clients = scope.spawn(|| {
                IS_OURS.set(true);
                // To start a thread takes memory of ours.
                ready.send(()).expect("somebody waits");
                come_and_go(&path, &is_over)
            });
            is_ready.recv().expect("it started");
            COUNTING.store(true, Ordering::Relaxed);
            storm();
            wait_until("it has resynced", || seen.overruns.load(Ordering::Relaxed) > 0);
            // The scan behind the burst as well.
            thread::sleep(Duration::from_millis(2_500));
            COUNTING.store(false, Ordering::Relaxed);
            is_over.store(true, Ordering::Relaxed);
            clients.join().expect("they were served")
        });
        kill(Pid::this(), Signal::SIGTERM).expect("it ends");
        (seen.overruns.load(Ordering::Relaxed), answers)
    });
    // As the program itself does it, in its first thread.
    let console = Console::start(Style::Json).expect("a thread");
    let mut daemon = Daemon::new(signals, socket, Path::new("/sys"), Selection::ALL);
    daemon.attach(Some(console));
    daemon.attach(Some(SystemLog::open(LogKind::Syslog).expect("a socket")));
    daemon.attach(Some(hook));
    daemon.attach(Some(broker));
    let begun = std::time::SystemTime::now();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("sureplug.prom");
    let metrics = Metrics::start(&file, Duration::from_secs(1), 0, daemon.totals()).expect("a thread");
    daemon.attach(Some(metrics));
    daemon.attach(Some(led(directory.path())));
    let totals = daemon.build().expect("an engine").run().expect("an end by the signal");
    let (overruns, answers) = feeding.join().expect("it was fed");
    dup2_stdout(stderr()).expect("an output");
    reading.join().expect("it was read");
    let allocations = ALLOCATIONS.load(Ordering::Relaxed);
    let written = fs::metadata(&file).expect("the metrics").modified().expect("a time");
    assert!(begun + Duration::from_secs(1) < written, "the metrics were not written again");
    let Totals { received, lost, resyncs, .. } = totals;
    println!(
        "{received} events, {lost} lost, {overruns} overruns, {resyncs} resyncs, {answers} clients: {allocations} \
         allocations"
    );
    assert!(answers > 50, "few clients came");
    assert!(received > 100 && lost > 100 && resyncs > 0, "nothing to speak of happened");
    assert_eq!(allocations, 0);
}

fn nothing_is_mapped_through_storm_overrun_and_resync() {
    let trace = tempfile::NamedTempFile::new().expect("a file");
    let mut command = Command::new("strace");
    command
        .args(["-f", "-e", "trace=brk,mmap,mremap,write,exit_group,execve", "-s", "5000", "-o"])
        .arg(trace.path());
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("events");
    command.args([
        env!("CARGO_BIN_EXE_small_buffer"),
        "1024",
        "--hook",
        "/bin/true",
        "--log",
        "syslog",
        "--socket",
    ]);
    command.arg(&path).arg("--metrics").arg(directory.path().join("sureplug.prom"));
    command.stdout(Stdio::piped());
    let mut child = command.spawn().expect("strace, of the package of that name");
    let output = File::from(OwnedFd::from(child.stdout.take().expect("it was piped")));
    let child = Traced(child);
    let seen = Seen::default();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let child = child;
        scope.spawn(|| seen.read(output));
        wait_until("it has started", || seen.scanned.load(Ordering::Relaxed));
        let clients = scope.spawn(|| come_and_go(&path, &is_over));
        storm();
        wait_until("it has resynced", || seen.overruns.load(Ordering::Relaxed) > 0);
        is_over.store(true, Ordering::Relaxed);
        assert!(clients.join().expect("they were served") > 10);
        drop(child);
    });
    let trace = fs::read_to_string(trace.path()).expect("what strace saw");
    let is_call = |line: &&str| ["brk(", "mmap(", "mremap("].iter().any(|call| line.contains(call));
    let start = trace.find("\\\"scanned\\\"").expect("the first scan");
    let (before, behind) = trace.split_at(start);
    let count = |text: &str| text.lines().filter(is_call).count();
    // What a hook's program does is its own.
    let pid = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let hooks: HashSet<_> =
        trace.lines().skip(1).filter(|line| line.contains("execve(")).filter_map(pid).collect();
    assert!(hooks.len() > 10, "no program was run");
    let is_daemons = |line: &&str| pid(line).is_some_and(|pid| !hooks.contains(&pid));
    let calls: Vec<_> = behind.lines().filter(is_call).filter(is_daemons).collect();
    let overruns = seen.overruns.load(Ordering::Relaxed);
    println!("{} calls at the start, {} behind it, {overruns} overruns", count(before), calls.len());
    assert!(count(before) > 10, "strace saw nothing");
    assert!(calls.is_empty(), "{calls:#?}");
}

fn main() {
    IS_OURS.set(true);
    let Some(_turn) = own_sysfs("the daemon's memory in a storm") else { return };
    nothing_is_mapped_through_storm_overrun_and_resync();
    println!("nothing_is_mapped_through_storm_overrun_and_resync ... ok");
    let _ = std::io::stdout().flush();
    IS_OURS.set(false);
    nothing_is_allocated_through_storm_overrun_and_resync();
    eprintln!("nothing_is_allocated_through_storm_overrun_and_resync ... ok");
}
