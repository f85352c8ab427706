//! Applications on the broker's socket, one of them stopped, and `busybox mdev` as the hook, while a hub with eight
//! devices comes and goes.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use sureplug_board_tests::{Board, PATIENCE, Scenario, Source, Truth};
use sureplug_tests::fold::Fold;

use crate::nodes;
use crate::plug::HUB_WITH_8;

pub(crate) const SCENARIOS: &[Scenario] =
    &[Scenario { name: "applications::a_hub_comes_and_goes", run: hub_comes_and_goes }];

/// The disks and partitions of [`HUB_WITH_8`].
const LINKS: usize = 5 + 5 + 3;

/// The daemon with a `/dev` of its own, which only the hook fills: the board's is the kernel's.
const START: &str = "\
    mount -t tmpfs none /dev || exit\n\
    mknod -m 666 /dev/null c 1 3 || exit\n\
    exec sureplug run --json --hook /sbin/mdev \"$@\"\n";

fn hub_comes_and_goes(board: &mut Board) {
    board.stop_daemon();
    start_with_mdev(board);
    let before = board.settle();
    assert_nodes(board, &before);
    let [first, second, third] = ["first", "second", "third"].map(|name| Application::start(board, name));
    let mut applications = [first, second, third];
    assert_all_true(board, &mut applications, &before);
    let starts = applications.each_ref().map(|application| application.objects.len());

    // The third is stopped for longer than what waits for it is kept.
    let stopped = applications[2].pid;
    board.shell.run(&format!("kill -STOP {stopped}"));
    for _ in 0..2 {
        board.plug_at_once(&HUB_WITH_8);
        board.settle();
        board.unplug_all();
        assert_eq!(board.settle(), before);
    }
    board.plug_at_once(&HUB_WITH_8);
    let with = board.settle();
    let [readers @ .., third] = &mut applications;
    assert_all_true(board, readers, &with);
    assert_nodes(board, &with);
    assert_eq!(nodes::links(&with), LINKS);
    third.read(board);
    assert!(!with.difference(&third.fold).is_empty(), "it reads although it is stopped");
    board.shell.run(&format!("kill -CONT {stopped}"));
    assert_all_true(board, &mut applications, &with);

    // Each is notified of exactly as many events as it missed. On a slow board the two that read
    // may miss some as well.
    let live = |index: usize| {
        let application: &Application = &applications[index];
        let since = &application.objects[starts[index]..];
        let from_kernel = since.iter().filter(|object| object["properties"]["SUREPLUG_ORIGIN"] == "kernel");
        let missed = since.iter().filter(|object| object["kind"] == "missed");
        let missed = missed.map(|object| object["events"].as_u64().expect("a number"));
        (from_kernel.count() as u64, missed.sum::<u64>())
    };
    let [first, second, third] = [0, 1, 2].map(live);
    println!(
        "{}: {} events to two applications, {} to the stopped one, which missed {}; {} nodes for {} devices",
        board.architecture.name(),
        first.0,
        third.0,
        third.1,
        nodes::wanted(&with).len(),
        with.0.len(),
    );
    let all = [first, second, third].map(|(told, missed)| told + missed);
    assert!(third.1 > 0 && all[1] == all[0] && all[2] == all[0], "{first:?} {second:?} {third:?}");

    // All go, and leave nothing.
    board.unplug_all();
    assert_eq!(board.settle(), before);
    assert_all_true(board, &mut applications, &before);
    assert_nodes(board, &before);
    let totals = end(board, &applications);
    for key in ["lost", "malformed", "truncated", "repairs"] {
        assert_eq!(totals[key], 0, "{totals}");
    }
    assert_eq!(board.log.of_kind(0, "hook").next(), None);
    board.start_daemon("");
}

fn start_with_mdev(board: &mut Board) {
    board.read_log_of(Source::Console);
    board.shell.run(&format!(
        "ln -sf /bin/busybox /sbin/mdev\ncat >/etc/mdev.conf <<'EOF'\n{}EOF\ncat >/tmp/start <<'EOF'\n{START}EOF\n\
         start-stop-daemon -S -b -m -p /run/sureplug.pid -x /bin/sh -- \
         -c 'exec unshare -m sh /tmp/start {} </dev/null >/dev/console 2>&1'",
        nodes::MDEV_CONF,
        board.usual
    ));
    board.wait_for_kind("scanned");
}

/// The daemon's last line.
fn end(board: &mut Board, applications: &[Application]) -> Value {
    for application in applications {
        board.shell.run(&format!("kill -KILL {}; rm {}", application.pid, application.path));
    }
    let totals = board.stop_daemon();
    board.shell.run("rm /sbin/mdev /etc/mdev.conf /tmp/start");
    totals
}

/// Waits until the nodes are those that the rules make of what sysfs shows, and the links, and no others.
fn assert_nodes(board: &mut Board, truth: &Truth) {
    let end = Instant::now() + PATIENCE;
    let mut wanted = nodes::wanted(truth);
    // Made for the hook to start with.
    wanted.insert("null".into(), "character 1:3 666 0:0".into());
    loop {
        let seen = nodes::seen(board);
        if seen == wanted {
            return;
        }
        let missing: Vec<_> = wanted.iter().filter(|(name, is)| seen.get(*name) != Some(*is)).collect();
        let stale: Vec<_> = seen.iter().filter(|(name, is)| wanted.get(*name) != Some(*is)).collect();
        assert!(Instant::now() < end, "missing: {missing:?}; stale: {stale:?}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until each has received exactly the devices that sysfs shows.
fn assert_all_true(board: &mut Board, applications: &mut [Application], truth: &Truth) {
    let end = Instant::now() + PATIENCE;
    for application in applications {
        loop {
            application.read(board);
            let difference = truth.difference(&application.fold);
            if difference.is_empty() && application.is_current() {
                break;
            }
            assert!(Instant::now() < end, "{}: reports and sysfs differ: {difference:?}", application.path);
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A program on the board that reads the stream.
struct Application {
    pid: u64,
    /// What it prints.
    path: String,
    /// What it has printed, as far as it was read.
    objects: Vec<Value>,
    /// The present devices, as received.
    fold: Fold,
}

impl Application {
    fn start(board: &mut Board, name: &str) -> Self {
        let path = format!("/tmp/{name}");
        let pid = board.shell.number(&format!(": >{path}; sureplug monitor --json >>{path} 2>&1 & echo $!"));
        Self { pid, path, objects: Vec::new(), fold: Fold::default() }
    }

    /// Takes the whole lines that it has printed since.
    fn read(&mut self, board: &mut Board) {
        let (seen, path) = (self.objects.len() as u64, &self.path);
        let new = board.shell.number(&format!("wc -l <{path}")) - seen;
        let printed = board.shell.run(&format!("tail -n +{} {path} | head -n {new}", seen + 1));
        for line in printed.lines() {
            let object = serde_json::from_str(line).unwrap_or_else(|error| panic!("{path}: {error}: {line}"));
            self.fold.take(&object).unwrap_or_else(|error| panic!("{path}: {error}"));
            self.objects.push(object);
        }
    }

    /// Whether the received devices are complete, and not in the middle of a delta.
    fn is_current(&self) -> bool {
        let mut markers = self
            .objects
            .iter()
            .rev()
            .filter(|object| object["kind"] != "event")
            .map(|object| &object["kind"]);
        markers.next().is_some_and(|kind| kind == "current")
    }
}
