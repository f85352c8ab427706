//! The manual's samples have the figures that the program computes for the board in them.

use std::path::Path;

use serde_json::Value;
use sureplug_core::rcvbuf::{DEVPATH_MAX_BYTES, DeviceClass, MAX_STALL_MS, USB_PORTS};
use sureplug_tests::daemon::{number, run, sureplug};

fn text(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).expect(file)
}

fn manual() -> String {
    text("board/MANUAL.md")
}

/// The board of the samples: four ports with storage.
fn size() -> Value {
    run(sureplug("size --json --ports 4")).object()
}

/// Returns the board's budget, independently of `net.core.rmem_default`.
fn wanted(size: &Value) -> u64 {
    number(size, "budget_bytes").max(number(size, "hub8_bytes")).next_multiple_of(4096)
}

#[test]
fn budget_of_the_start() {
    let size = size();
    let [budget, ports, per_port, cycles, other, hub8] =
        ["budget_bytes", "ports", "per_port_bytes", "cycles", "other_subsystems_bytes", "hub8_bytes"]
            .map(|key| number(&size, key));
    let wanted = wanted(&size);
    let manual = manual();
    for line in [
        format!(
            "sureplug: budget: {budget} B = {ports} ports x {per_port} B a plug and unplug x {cycles} cycles + {other} B of \
             other subsystems; at least {hub8} B (hub with 8 sticks) and "
        ),
        format!("sureplug: receive buffer: {wanted} B effective, {wanted} B wanted\n"),
    ] {
        assert!(manual.contains(&line), "the manual has no line with `{line}`");
    }
}

#[test]
fn budget_of_the_audit() {
    let wanted = wanted(&size());
    let manual = manual();
    let sample = manual
        .split("uevent sockets, ")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("the sample");
    assert!(sample.contains(&format!("this board needs {wanted} B\n")), "{sample}");
    let row = sample.lines().find(|line| line.contains(" sureplug ")).expect("the daemon's row");
    assert_eq!(row.split_whitespace().nth(5), Some(&*wanted.to_string()), "{row}");
}

#[test]
fn boards_of_up_to_eight_storage_ports_need_the_size_that_the_front_pages_name() {
    let first = wanted(&run(sureplug("size --json --ports 1")).object());
    for ports in 2..=9 {
        let size = run(sureplug(&format!("size --json --ports {ports}"))).object();
        assert_eq!(wanted(&size) == first, ports <= 8, "{ports} ports: {size}");
    }
    let figure = format!("{},{:03}", first / 1_000, first % 1_000);
    for file in ["board/README.md", "board/MANUAL.md"] {
        let text = text(file);
        let sentence = text.find("up to 8 storage ports needs a receive buffer of ").map(|at| &text[at..]);
        assert!(sentence.is_some_and(|rest| rest[..80].contains(&figure)), "{file} does not name {figure}");
    }
}

/// A text as it is read: its lines joined, and neither backquotes nor commas within numbers.
fn joined(file: &str) -> String {
    let lines: Vec<_> = text(file).lines().map(|line| line.trim_start().replace('`', "")).collect();
    lines.join("\n").replace("\\\n", "").replace(",000", "000")
}

#[test]
fn texts_name_every_device_class_and_each_range() {
    let names: Vec<_> = DeviceClass::ALL.iter().map(|class| class.name()).collect();
    let ranges =
        [USB_PORTS, MAX_STALL_MS, DEVPATH_MAX_BYTES].map(|r| format!("{} to {}", r.start(), r.end()));
    for file in [
        "board/MANUAL.md",
        "board/src/cli/options.rs",
        "board/src/profile.rs",
        "core/src/rcvbuf/error.rs",
        "yocto/meta-sureplug/README.md",
    ] {
        let text = joined(file);
        assert!(text.contains(&names.join(", ")), "{file} names other classes");
        for range in &ranges {
            assert!(text.contains(range), "{file} does not name the range {range}");
        }
    }
    let menu = text("buildroot/package/sureplug/Config.in");
    for name in names {
        assert!(menu.contains(&format!("default \"{name}\"")), "the menu has no {name}");
    }
}
