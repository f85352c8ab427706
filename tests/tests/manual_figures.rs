//! The manual's samples have the figures that the program computes for the board in them.

use std::path::Path;

use serde_json::Value;
use sureplug_tests::daemon::{number, run, sureplug};

fn manual() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../board/README.md");
    std::fs::read_to_string(path).expect("the manual")
}

/// The board of the samples: four ports with storage.
fn size() -> Value {
    run(sureplug("size --json --ports 4")).object()
}

/// What the board's budget comes to, whatever `net.core.rmem_default` is here.
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
    assert!(sample.contains(&format!("this board's budget wants {wanted} B\n")), "{sample}");
    let row = sample.lines().find(|line| line.contains(" sureplug ")).expect("the daemon's row");
    assert_eq!(row.split_whitespace().nth(5), Some(&*wanted.to_string()), "{row}");
}
