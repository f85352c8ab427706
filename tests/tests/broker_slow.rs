//! Clients that are slow, stopped or dying: neither the reading of the socket nor another client notices.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use sureplug_tests::daemon::{Daemon, json, number, raise_number, run, sureplug};
use sureplug_tests::kernel::devices::{NetDevice, delete_together};
use sureplug_tests::kernel::{mark, own_sysfs, raise};
use sureplug_tests::served::{LARGE, Served};
use sureplug_tests::sysfs_truth::assert_true;

/// For how long a client is stopped.
const STOPPED: Duration = Duration::from_secs(60);

/// Events a second of the storm meanwhile: as many as 15 readers that check every packet take on two processors.
const STORM_RATE: u32 = 200;

/// An application in a process of its own.
fn application(served: &Served, request: &str) -> Daemon {
    let mut command = Command::new(env!("CARGO_BIN_EXE_application"));
    command.arg(served.path()).arg(request);
    Daemon::start(command)
}

fn learned(application: &Daemon, from: usize, holds: impl Fn(&Value) -> bool) -> (usize, Value) {
    let (line, text) = application.wait_for_line_from(from, |line| holds(&json(line)));
    (line, json(&text))
}

/// Returns the application's state once it printed ten lines of its own without an event, after at
/// least this many events.
fn settled(application: &Daemon, events: u64) -> Value {
    let (mut line, mut known) = learned(application, 0, |line| number(line, "events") >= events);
    let mut same = 0;
    while same < 10 {
        let (next, now) = learned(application, line + 1, |_| true);
        same = if now == known { same + 1 } else { 0 };
        (line, known) = (next, now);
    }
    known
}

/// More than its socket and the journal hold.
#[test]
fn i3_a_lagging_client_gets_change_for_devices_whose_events_it_missed() {
    const EVENTS: u64 = 2_000;
    let Some(_turn) = own_sysfs("what a client missed of devices that stay") else { return };
    let tap = NetDevice::tap("silent").expect("a tap");
    let served = Served::start(LARGE);
    let mut lags = served.connect("SNAPSHOT=yes\n");
    lags.receive_until_marker("end");
    let mark = mark();
    (0..EVENTS).for_each(|number| raise_number(number, &mark));
    fs::write("/sys/class/mem/zero/uevent", "online").expect("an event of another device");
    let (null, zero) = ("/devices/virtual/mem/null", "/devices/virtual/mem/zero");
    lags.receive_until_marker("missed");
    let delta = lags.receive_until_marker("end");
    let changes: Vec<_> = delta.iter().filter(|delivered| delivered.action == "change").collect();
    let at = |devpath: &str| changes.iter().filter(|delivered| delivered.devpath == devpath).count();
    assert_eq!((at(null), at(tap_path(&tap).as_str())), (1, 0), "{delta:?}");
    let null = changes.iter().find(|delivered| delivered.devpath == null).expect("a change");
    assert_eq!(
        (null.get("SUREPLUG_ORIGIN"), null.get("SYNTH_UUID"), null.get("DEVNAME")),
        ("repair", "", "null")
    );
    // The last one was missed as well, or comes as it is.
    if at(zero) == 0 {
        lags.receive_until(|delivered| delivered.devpath == zero);
    }
    served.finish().assert_fine();
}

fn tap_path(tap: &NetDevice) -> String {
    format!("/devices/virtual/net/{}", tap.name())
}

#[test]
fn i5_stopped_client_delays_no_other_and_converges_when_it_continues() {
    let Some(_turn) = own_sysfs("a client that is stopped in a storm") else { return };
    let served = Served::start(LARGE);
    let others: Vec<_> = (0..15).map(|_| application(&served, "SNAPSHOT=yes")).collect();
    let stopped = application(&served, "SNAPSHOT=yes");
    for client in others.iter().chain([&stopped]) {
        learned(client, 0, |line| line["current"] == true);
    }
    stopped.stop();
    let mark = mark();
    let begun = Instant::now();
    let mut raised = 0u32;
    let mut taps = Vec::new();
    while begun.elapsed() < STOPPED {
        if raised.is_multiple_of(500) {
            taps.push(NetDevice::tap(&format!("slow{}", raised / 500)).expect("a tap"));
        }
        if raised % 1_000 == 999 {
            taps.remove(0).destroy().expect("it goes");
        }
        raise("change", &mark, "");
        raised += 1;
        let ahead = (Duration::from_secs(1) * raised / STORM_RATE).saturating_sub(begun.elapsed());
        thread::sleep(ahead);
    }
    // All of it, in order, and nothing missed; the packets themselves were checked by each.
    let truth = settled(&others[0], u64::from(raised));
    for client in &others[1..] {
        let last =
            learned(client, 0, |line| line["hash"] == truth["hash"] && line["events"] == truth["events"]).1;
        assert_eq!(number(&last, "missed"), 0, "{last}");
    }
    assert_eq!(number(&truth, "missed"), 0, "{truth}");
    stopped.signal(Signal::SIGCONT);
    let last = learned(&stopped, 0, |line| line["hash"] == truth["hash"] && line["current"] == true).1;
    println!("{raised} events; the stopped one missed {}", number(&last, "missed"));
    assert!(number(&last, "missed") > 0, "{last}");
    assert_eq!(number(&last, "devices"), number(&truth, "devices"));
    // One that dies in the midst of it all.
    stopped.signal(Signal::SIGKILL);
    assert_eq!(stopped.wait().signal, Some(Signal::SIGKILL as i32));
    raise("change", &mark, "");
    let mut fresh = served.connect("SNAPSHOT=yes");
    fresh.receive_until_marker("end");
    assert_true(&fresh.fold, "/sys".as_ref(), "afterwards");
    served.finish().assert_fine();
}

/// Packets sent to a client, and events that wait for it.
fn sent_and_lag(served: &Served, client: &Daemon) -> (u64, u64) {
    let answer = served.connect("STATUS").receive_all();
    let pid = client.pid().to_string();
    let part = answer
        .iter()
        .find(|delivered| delivered.devpath == "/sureplug/client" && delivered.get("PID") == pid);
    let part = part.expect("a client");
    (part.number("SENT_PACKETS"), part.number("LAG_EVENTS"))
}

#[test]
fn the_status_states_what_waits_for_each_client() {
    let Some(_turn) = own_sysfs("the lag of a stopped client") else { return };
    let served = Served::start(LARGE);
    let (reads, stopped) = (application(&served, "SNAPSHOT=no"), application(&served, "SNAPSHOT=no"));
    for client in [&reads, &stopped] {
        learned(client, 0, |line| line["current"] == true);
        assert_eq!(sent_and_lag(&served, client), (2, 0), "`begin` and `end`");
    }
    stopped.stop();
    let mark = mark();
    // More than its socket and the journal hold together.
    let raised = 3_000;
    for count in 1..=raised {
        raise("change", &mark, "");
        if count % 100 == 0 {
            learned(&reads, 0, |line| number(line, "events") >= count);
        }
    }
    assert_eq!(sent_and_lag(&served, &reads), (2 + raised, 0));
    let (sent, lag) = sent_and_lag(&served, &stopped);
    assert!(lag > 0 && sent > 2, "{sent} sent, {lag} wait");
    assert_eq!(sent - 2 + lag, raised);
    let status = |arguments: &str| {
        let mut command = sureplug(arguments);
        command.arg("--socket").arg(served.path());
        run(command)
    };
    let parts = status("status --json").objects("status");
    let lags = |client: &Daemon| {
        let of_client = |part: &&Value| part["part"] == "client" && part["pid"] == client.pid();
        parts.iter().find(of_client).map(|part| number(part, "lag_events"))
    };
    assert_eq!((lags(&reads), lags(&stopped)), (Some(0), Some(lag)), "{parts:#?}");
    let text = status("status").stdout;
    assert!(text.contains(&format!("  {:<24} {lag}", "lag_events")), "{text:#?}");
    stopped.signal(Signal::SIGCONT);
    let begun = Instant::now();
    while sent_and_lag(&served, &stopped).1 > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not catch up");
        thread::sleep(Duration::from_millis(20));
    }
    served.finish().assert_fine();
}

#[test]
fn slow_client_gets_a_snapshot_of_512_devices_during_events() {
    let Some(_turn) = own_sysfs("a slow snapshot") else { return };
    let names: Vec<String> = (0..512).map(|number| format!("many{number}")).collect();
    for name in &names {
        NetDevice::tap(name).expect("a tap").leave().expect("it stays");
    }
    let served = Served::start("--ports 127 --max-stall-ms 60000 --port-device keyboard --json");
    let mut slow = served.connect("SUBSYSTEM=net\nSUBSYSTEM=mem");
    let mark = mark();
    let done = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                raise("change", &mark, "");
                thread::sleep(Duration::from_micros(500));
            }
        });
        // A packet in 10 ms stands for one in a second: no clock runs for a client. What comes meanwhile is more than
        // the journal keeps.
        let mut seen = 0;
        while slow.fold.names("net").len() <= names.len() || !slow.is_current {
            let delivered = slow.receive().expect("it is served");
            seen += usize::from(delivered.get("SUBSYSTEM") == "net");
            if seen == 40 {
                done.store(true, Ordering::Relaxed);
            }
            thread::sleep(Duration::from_millis(10));
            assert!(slow.seq < 20_000, "no end");
        }
        done.store(true, Ordering::Relaxed);
        seen
    });
    println!("{seen} packets of net devices, {} events missed", slow.missed);
    let mut fresh = served.connect("LIST\nSUBSYSTEM=net");
    fresh.receive_all();
    assert_eq!(slow.fold.names("net"), fresh.fold.names("net"));
    delete_together(&names).expect("they are gone");
    served.finish().assert_fine();
}

#[test]
fn unread_answer_occupies_a_place_for_a_minute_at_most() {
    // It waits for long: beside those that have their turn.
    let served = Served::start(LARGE);
    let _clients: Vec<_> = (0..16).map(|_| served.connect("SNAPSHOT=no")).collect();
    // More than their sockets hold.
    let _unread = [served.connect("LIST"), served.connect("LIST")];
    let begun = Instant::now();
    let status = || {
        let mut command = sureplug("status --socket");
        command.arg(served.path());
        run(command)
    };
    let refused = status();
    assert_eq!(refused.code, Some(3));
    assert!(refused.stderr[0].contains("16 clients are connected, the limit: close one"), "{refused:?}");
    while status().code != Some(0) {
        assert!(begun.elapsed() < Duration::from_secs(90), "they keep their places");
        thread::sleep(Duration::from_secs(1));
    }
    assert!(begun.elapsed() > Duration::from_secs(50), "after {:?}", begun.elapsed());
    served.finish().assert_fine();
}
