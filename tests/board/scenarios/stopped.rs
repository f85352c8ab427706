//! The daemon is stopped while devices come and go: with its budget nothing is lost, and with a
//! smaller buffer a resync follows the loss.

use serde_json::Value;
use sureplug_board_tests::{Board, Scenario, Usb, kernels_charge};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "stopped::stick_is_replaced",
        run: |board| replaced(board, Usb::Stick(4), Usb::Stick(4)),
    },
    Scenario {
        name: "stopped::stick_by_a_smaller",
        run: |board| replaced(board, Usb::Stick(4), Usb::Stick(2)),
    },
    Scenario {
        name: "stopped::keyboard_is_replaced",
        run: |board| replaced(board, Usb::Keyboard, Usb::Keyboard),
    },
    Scenario { name: "stopped::replaced_and_lost", run: replaced_and_lost },
    Scenario { name: "stopped::i1_sticks_in_every_port", run: sticks_in_every_port },
    Scenario { name: "stopped::i3_a_smaller_buffer_overruns", run: smaller_buffer },
    Scenario { name: "stopped::small_reader_beside", run: small_reader_beside },
];

/// Ports of the emulated controller.
const PORTS: usize = 15;

/// Another device comes into the same port: all of the first go, and all of the second come.
fn replaced(board: &mut Board, first: Usb, second: Usb) {
    replace(board, first, second);
    board.log.assert_lost_nothing(board.log.objects.len());
    board.unplug("2");
    board.settle();
}

/// The same with a buffer that is too small: sysfs shows the result.
fn replaced_and_lost(board: &mut Board) {
    start_with_small_buffer(board);
    let start = replace(board, Usb::Stick(4), Usb::Stick(4));
    assert_overrun(board, start);
    board.unplug("2");
    board.settle();
    end_small_buffer(board);
}

/// The loss is reported with its size, after the events of the resync.
fn assert_overrun(board: &mut Board, start: usize) {
    if board.log.of_kind(start, "overrun").count() == 0 {
        board.wait_for_kind("overrun");
    }
    let overrun = board.log.of_kind(start, "overrun").next().expect("an overrun");
    assert!(overrun["repaired"] == true && overrun["dropped"].as_u64() > Some(0), "{overrun}");
    assert_eq!(board.log.of_kind(start, "unreported").count(), 0, "the counter shows it");
}

/// Returns the number of the first object after the first device had come.
fn replace(board: &mut Board, first: Usb, second: Usb) -> usize {
    board.settle();
    board.plug("2", first);
    let before = board.settle();
    let start = board.listen();
    board.signal_daemon("STOP");
    board.unplug("2");
    board.wait_for_sysfs();
    board.plug("2", second);
    board.wait_for_sysfs();
    board.signal_daemon("CONT");
    let after = board.settle();
    let told = |action: &str, devpath: &str| {
        board.log.at_port(start, "2").any(|event| event["action"] == action && event["devpath"] == devpath)
    };
    for (devpath, _) in before.at_port("2") {
        assert!(told("remove", devpath), "{devpath} was not removed");
    }
    for (devpath, _) in after.at_port("2") {
        assert!(told("add", devpath), "{devpath} was not added");
    }
    start
}

/// A stick in each of the board's ports comes and goes, all while the daemon is stopped. Another
/// socket, which sees length and subsystem of each event, yields the charge for the model.
fn sticks_in_every_port(board: &mut Board) {
    board.restart_daemon(&format!("--ports {PORTS} --port-device storage"));
    board.settle();
    let reader = board.shell.number("bare_reader lengths >/tmp/lengths 2>&1 & echo $!");
    board.wait_until_it_listens(reader);
    board.signal_daemon("STOP");
    let ports: Vec<String> = (1..=PORTS).map(|port| port.to_string()).collect();
    let sticks: Vec<_> = ports.iter().map(|port| (port.as_str(), Usb::Stick(4))).collect();
    board.plug_at_once(&sticks);
    board.wait_for_sysfs();
    board.unplug_all();
    board.wait_for_sysfs();
    let lengths = board.shell.run(&format!("kill {reader}; cat /tmp/lengths"));
    board.signal_daemon("CONT");
    board.settle();
    let totals = board.stop_daemon();
    for key in ["lost", "malformed", "truncated", "repairs"] {
        assert_eq!(totals[key], 0, "{key} of {totals}");
    }
    let abi = kernels_charge(board.architecture);
    let queued = lengths.lines().filter_map(|line| {
        let (length, subsystem) = line.split_once(' ').expect("a length and a subsystem");
        board.log.selects(subsystem).then(|| u64::from(abi.truesize(length.parse().expect("a length"))))
    });
    let charge: u64 = queued.sum();
    let peak = totals["peak_queued_bytes"].as_u64().expect("a number");
    println!(
        "{}: {} events of {PORTS} sticks: peak {peak} B, by the model {charge} B, buffer {} B",
        board.architecture.name(),
        lengths.lines().count(),
        totals["effective_bytes"]
    );
    assert!(peak <= charge && peak * 10 >= charge * 9, "peak {peak}, by the model {charge}");
    board.start_daemon("");
}

/// It overruns, reports it, and resynchronises.
fn smaller_buffer(board: &mut Board) {
    start_with_small_buffer(board);
    board.settle();
    let start = board.listen();
    board.signal_daemon("STOP");
    board.plug_at_once(&[("1", Usb::Stick(4)), ("2", Usb::Stick(4)), ("4", Usb::Keyboard)]);
    board.wait_for_sysfs();
    board.unplug("1");
    board.wait_for_sysfs();
    board.signal_daemon("CONT");
    board.settle();
    assert_overrun(board, start);
    let repairs =
        board.log.of_kind(start, "event").filter(|event| event["properties"]["SUREPLUG_ORIGIN"] == "repair");
    assert!(repairs.count() > 0);
    board.unplug_all();
    board.settle();
    let totals = end_small_buffer(board);
    assert!(totals["lost"].as_u64() > Some(0), "{totals}");
}

/// The application that many boards have: the kernel gives it errno 105, and us everything. It is stopped while the stick
/// comes, as by other work, however fast the board is.
fn small_reader_beside(board: &mut Board) {
    board.settle();
    let start = board.listen();
    let reader = board.shell.number("small_reader >/tmp/small_reader 2>&1 & echo $!");
    board.wait_until_it_listens(reader);
    board.shell.run(&format!("kill -STOP {reader}"));
    board.plug("2", Usb::Stick(4));
    board.settle();
    board.shell.run(&format!("kill -CONT {reader}"));
    board.wait_until("grep -q 'errno 105' /tmp/small_reader");
    board.unplug("2");
    board.settle();
    board.shell.run(&format!("kill {reader}"));
    let said = board.shell.run("cat /tmp/small_reader");
    let (errors, events) = (said.matches("errno 105").count(), said.matches("event").count());
    assert!(errors > 0, "{said}");
    let ours = board.log.of_kind(start, "event").count() as u64 + board.log.missed(start);
    assert!((events as u64) < ours, "it received {events}, we {ours}");
    board.log.assert_lost_nothing(start);
}

/// Eight kilobytes: less than a stick's events. Without `CAP_NET_ADMIN` the kernel gives no more.
pub(crate) fn start_with_small_buffer(board: &mut Board) {
    board.stop_daemon();
    board.shell.run("echo 4096 >/proc/sys/net/core/rmem_max; echo 4096 >/proc/sys/net/core/rmem_default");
    board.start_daemon_as_nobody("--allow-undersized");
    assert_eq!(board.log.of_kind(0, "undersized").count(), 1);
}

pub(crate) fn end_small_buffer(board: &mut Board) -> Value {
    let totals = board.stop_daemon();
    board.shell.run("echo 212992 >/proc/sys/net/core/rmem_max; echo 212992 >/proc/sys/net/core/rmem_default");
    board.start_daemon("");
    totals
}
