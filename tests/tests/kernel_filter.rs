//! The filter in the running kernel: other subsystems' events are refused before they are charged.

use std::fs;
use std::io::Write;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;
use serde_json::Value;
use sureplug_board::sys;
use sureplug_core::filter::{Filter, SMALLEST_OPTMEM_MAX};
use sureplug_core::rcvbuf::SkbAbi;
use sureplug_core::selection::Selection;
use sureplug_tests::daemon::{Daemon, Queue, json, number, sureplug};
use sureplug_tests::filter_oracle::datagram;
use sureplug_tests::kernel::{Injector, Listener, own_sysfs};

const OPTMEM_MAX: &str = "/proc/sys/net/core/optmem_max";

const STORM: u32 = 100_000;

/// A limit in this thread's network namespace alone: since 6.8 each has its own (`net/core/sock.c`). Before, there is
/// one for all, and it is what it was when this goes out of scope.
struct OptmemMax(String);

impl OptmemMax {
    fn set(bytes: u32) -> Self {
        let before = fs::read_to_string(OPTMEM_MAX).expect("a sysctl");
        fs::write(OPTMEM_MAX, bytes.to_string()).expect("root may");
        Self(before)
    }
}

impl Drop for OptmemMax {
    fn drop(&mut self) {
        let _ = fs::write(OPTMEM_MAX, &self.0);
    }
}

fn event(action: &str, path: &str, subsystem: &str) -> Vec<u8> {
    datagram(action.as_bytes(), path.as_bytes(), subsystem.as_bytes(), b"")
}

fn foreign(number: u32) -> Vec<u8> {
    match number % 2 {
        0 => event("change", &format!("/devices/virtual/net/fake{}", number % 64), "net"),
        _ => event("change", &format!("/devices/virtual/mem/fake{}", number % 64), "mem"),
    }
}

fn wanted(number: u32) -> Vec<u8> {
    event("add", &format!("/devices/platform/usb1/1-{number}"), "usb")
}

/// The first line, once the daemon has it.
fn start(command: std::process::Command) -> (Daemon, Value) {
    let daemon = Daemon::start(command);
    let line = json(&daemon.wait_for_line(|line| json(line)["kind"] == "start"));
    daemon.wait_until_scanned();
    (daemon, line)
}

#[test]
fn i2_i8_a_storm_of_other_subsystems_is_no_load_and_no_loss() {
    let Some(_turn) = own_sysfs("a storm of other subsystems") else { return };
    for optmem_max in [131_072, 20_480, SMALLEST_OPTMEM_MAX] {
        let _limit = OptmemMax::set(optmem_max);
        let (mut daemon, line) = start(sureplug("--json --subsystem usb --subsystem usbmisc"));
        assert_eq!((&line["filter"], &line["subsystems"]), (&"kernel".into(), &"usb usbmisc".into()));
        assert_eq!(
            (number(&line, "optmem_max_bytes"), number(&line, "other_subsystems_bytes")),
            (optmem_max.into(), 0)
        );
        let unfiltered =
            Listener::with_rcvbuf(usize::try_from(number(&line, "effective_bytes")).unwrap() / 2, 1);
        let injector = Injector::new();

        // Neither thread wakes up.
        daemon.wait_until_asleep("intake");
        let before = daemon.context_switches();
        (0..STORM / 10).for_each(|number| injector.send(&foreign(number)));
        assert_eq!(daemon.context_switches(), before, "it was woken up");

        daemon.stop();
        (0..STORM).for_each(|number| injector.send(&foreign(number)));
        assert_eq!(daemon.queue(), Some(Queue { bytes: 0, drops: 0 }));
        // It does not where net.core.rmem_default is larger than the storm.
        let info = unfiltered.mem_info();
        let is_small = u64::from(info.effective) < u64::from(STORM) * 640;
        assert!(!is_small || info.drops > 0, "a socket of that size without the filter overruns");
        let mut sent = 0;
        for number in 0..STORM {
            injector.send(&foreign(number));
            if number % 1_000 == 0 {
                injector.send(&wanted(sent));
                sent += 1;
            }
        }
        let queue = daemon.queue().expect("a socket");
        let charge = |number| SkbAbi::BOUND_64.truesize(u32::try_from(wanted(number).len()).unwrap() + 32);
        assert!(queue.bytes > 0 && queue.bytes <= (0..sent).map(|n| u64::from(charge(n))).sum(), "{queue:?}");
        assert_eq!(queue.drops, 0);
        daemon.signal(Signal::SIGCONT);
        let last = format!("/devices/platform/usb1/1-{}", sent - 1);
        daemon.wait_for_line(|line| json(line)["devpath"] == *last);
        let output = daemon.finish();
        output.assert_fine();
        let delivered: Vec<String> = output
            .objects("event")
            .iter()
            .filter(|event| event["properties"]["SUREPLUG_ORIGIN"] == "kernel")
            .map(|event| event["devpath"].as_str().unwrap_or_default().to_owned())
            .collect();
        let all: Vec<String> = (0..sent).map(|number| format!("/devices/platform/usb1/1-{number}")).collect();
        assert_eq!(delivered, all);
        let totals = output.totals();
        let counted =
            ["received", "lost", "malformed", "foreign", "unselected"].map(|key| number(&totals, key));
        assert_eq!(counted, [sent.into(), 0, 0, 0, 0]);
        assert!(output.objects("overrun").is_empty() && output.objects("damaged").is_empty());
    }
}

#[test]
fn undecided_events_are_filtered_in_user_space() {
    let Some(_turn) = own_sysfs("headers that are too long") else { return };
    let (daemon, line) = start(sureplug("--json --subsystem usb"));
    let injector = Injector::new();
    let reach = usize::try_from(number(&line, "filter_reach_bytes")).unwrap();
    let long = "/x".repeat(reach);
    for (path, subsystem) in [(&long[..], "net"), (&long, "usb"), ("/short", "net"), ("/short", "usb")] {
        injector.send(&event("change", path, subsystem));
    }
    daemon.wait_for_line(|line| json(line)["devpath"] == "/short");
    let output = daemon.finish();
    let delivered: Vec<_> = output.objects("event").iter().map(|event| event["devpath"].clone()).collect();
    assert_eq!(delivered, [long.as_str(), "/short"]);
    assert!(output.objects("event").iter().all(|event| event["subsystem"] == "usb"));
    assert_eq!(["received", "unselected"].map(|key| number(&output.totals(), key)), [3, 1]);
}

/// A limit that fits no program, and the kernel's own limit while the daemon was given another.
#[test]
fn a_kernel_that_refuses_is_named_with_its_figure_and_the_buffer_is_larger() {
    let Some(_turn) = own_sysfs("a filter that is refused") else { return };
    let (daemon, filtered) = start(sureplug("--json --subsystem usb"));
    daemon.finish().assert_fine();
    let _limit = OptmemMax::set(2_000);
    let mut delivered_else = tempfile::NamedTempFile::new().expect("a file");
    writeln!(delivered_else, "131072").expect("it is written");
    for is_told in [false, true] {
        if is_told {
            // For this thread's mount namespace alone.
            let nothing = None::<&str>;
            mount(Some(delivered_else.path()), Path::new(OPTMEM_MAX), nothing, MsFlags::MS_BIND, nothing)
                .expect("a mount");
        }
        let (daemon, line) = start(sureplug("--json --subsystem usb"));
        assert_eq!(line["filter"], "process");
        let refusal = line["filter_refusal"].as_str().expect("a sentence");
        let figure = if is_told {
            "(net.core.optmem_max = 131072): Cannot allocate memory"
        } else {
            "net.core.optmem_max is 2000"
        };
        assert!(refusal.starts_with("the kernel does not filter: ") && refusal.contains(figure), "{refusal}");
        assert!(number(&line, "other_subsystems_bytes") > 500_000, "{line}");
        let larger = |key| number(&line, key) > number(&filtered, key);
        // The buffer is at least the default, which may be larger than either budget.
        assert!(
            larger("budget_bytes")
                && (larger("effective_bytes")
                    || number(&line, "effective_bytes") > number(&line, "budget_bytes"))
        );
        let injector = Injector::new();
        (0..100).for_each(|number| injector.send(&foreign(number)));
        injector.send(&wanted(0));
        daemon.wait_for_line(|line| json(line)["subsystem"] == "usb");
        let output = daemon.finish();
        output.assert_fine();
        assert_eq!(output.objects("event").len(), 1);
        assert_eq!(
            ["received", "unselected", "lost"].map(|key| number(&output.totals(), key)),
            [101, 100, 0]
        );

        let text = Daemon::start(sureplug("--subsystem usb"));
        text.wait_for_line(|line| line.starts_with("sureplug: warning: the kernel does not filter: "));
        text.finish().assert_fine();
    }
}

#[test]
fn everything_comes_where_all_is_wanted() {
    let Some(_turn) = own_sysfs("all subsystems") else { return };
    let (daemon, line) = start(sureplug("--json --subsystem all"));
    assert_eq!((&line["filter"], &line["subsystems"]), (&"none".into(), &"all".into()));
    assert!(number(&line, "other_subsystems_bytes") > 500_000, "{line}");
    let injector = Injector::new();
    (0..2).for_each(|number| injector.send(&foreign(number)));
    daemon.wait_for_line(|line| json(line)["subsystem"] == "mem");
    assert_eq!(number(&daemon.finish().totals(), "received"), 2);
}

/// The charge that is computed is the kernel's, with less than a hundred bytes to spare for the header of its own.
#[test]
fn a_filter_is_charged_as_computed() {
    let Some(_turn) = own_sysfs("the charge of a filter") else { return };
    let sets = [
        Selection::USB,
        Selection::of(&[b"usb"]).unwrap(),
        Selection::of(&[b"a", b"ab", b"abc", b"abcd"]).unwrap(),
    ];
    for set in sets {
        for made_for in [SMALLEST_OPTMEM_MAX, 16_384, 131_072] {
            let filter = Filter::new(&set, made_for).unwrap();
            let program = filter.program();
            let takes = |optmem_max| {
                let _limit = OptmemMax::set(optmem_max);
                sys::attach_filter(socket(), program).is_ok()
            };
            assert!(filter.charge_bytes() < made_for);
            assert!(takes(filter.charge_bytes() + 1), "{} B for {set} and {made_for}", filter.charge_bytes());
            assert!(
                !takes(filter.charge_bytes() - 100),
                "{} B for {set} and {made_for}",
                filter.charge_bytes()
            );
        }
    }
}

fn socket() -> std::os::fd::OwnedFd {
    Listener::unbound().into_fd()
}
