//! I1 on the board: a profile with fewer ports than the board has is refused, and a plugged-in hub
//! does not count.

use serde_json::Value;
use sureplug_board_tests::{Board, Scenario, Usb};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "sized::i1_too_few_ports_are_refused", run: too_few_ports },
    Scenario { name: "sized::i1_a_hub_is_no_reason", run: hub_is_no_reason },
];

/// The ports that the board itself has.
fn ports(board: &mut Board) -> u64 {
    let (_, said) = board.shell.try_run("sureplug size --json");
    let size: Value = serde_json::from_str(&said).expect("JSON");
    size["ports_in_sysfs"].as_u64().expect("a number")
}

fn too_few_ports(board: &mut Board) {
    let ports = ports(board);
    assert_eq!(ports, 15, "both sides of a connector count once");
    let fewer = ports - 1;
    let (code, said) = board.shell.try_run(&format!("sureplug run --ports {fewer}"));
    assert_eq!(code, 3, "{said}");
    let wanted = [
        format!("it states {fewer} USB ports, but sysfs shows {ports} of the board's own"),
        format!("SUREPLUG_USB_PORTS={ports}"),
        format!("--ports {ports}"),
        "refused to start".to_owned(),
    ];
    for part in wanted {
        assert!(said.contains(&part), "no `{part}` in: {said}");
    }
}

fn hub_is_no_reason(board: &mut Board) {
    let before = ports(board);
    board.plug_at_once(&[("5", Usb::Hub), ("5.1", Usb::Hub)]);
    board.settle();
    assert_eq!(ports(board), before);
    board.restart_daemon(&format!("--ports {before}"));
    board.settle();
    assert_eq!(board.log.of_kind(0, "undersized").count(), 0);
    board.unplug_all();
    board.settle();
    board.restart_daemon("");
}
