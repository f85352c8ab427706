//! `sureplug size`: figures that add up, and the same ones in both forms.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sureplug_board::socket::sysctl;
use sureplug_core::rcvbuf::{Requested, SkbAbi};
use sureplug_tests::daemon::{Output, number, run, sureplug, unprivileged};
use sureplug_tests::usb_tree::{CONTROLLER, UsbTree};

/// Small and large boards, long and short stalls, and each kind of device.
const PROFILES: [&str; 10] = [
    "",
    "--ports 1",
    "--ports 1 --port-device mouse --max-stall-ms 1",
    "--ports 4 --port-device storage --max-stall-ms 2399",
    "--ports 4 --port-device storage --max-stall-ms 2400",
    "--ports 14 --port-device hub8",
    "--ports 2 --devices-per-port 21",
    "--ports 127 --max-stall-ms 60000 --port-device keyboard",
    "--ports 7 --devpath-max 300 --port-device uas",
    "--ports 3 --port-device custom:12x180+4x420@900 --max-stall-ms 3000",
];

#[test]
fn the_figures_add_up() {
    for profile in PROFILES {
        let output = run(sureplug(&format!("size --json {profile}")));
        let size = output.object();
        let [ports, cycles, per_port, other, budget, wanted] =
            ["ports", "cycles", "per_port_bytes", "other_subsystems_bytes", "budget_bytes", "wanted_bytes"]
                .map(|key| number(&size, key));
        assert_eq!(size["kind"], "size");
        assert_eq!(per_port, number(&size, "plug_bytes") + number(&size, "unplug_bytes"), "{profile}");
        assert_eq!(
            cycles,
            1 + number(&size, "max_stall_ms") / number(&size, "shortest_cycle_ms"),
            "{profile}"
        );
        assert_eq!(number(&size, "ports_bytes"), ports * per_port * cycles, "{profile}");
        assert_eq!(budget, ports * per_port * cycles + other, "{profile}");
        let largest = budget.max(number(&size, "hub8_bytes")).max(number(&size, "rmem_default_bytes"));
        assert_eq!(wanted, largest.next_multiple_of(4096), "{profile}");
        assert_eq!(2 * number(&size, "request_bytes"), wanted, "{profile}");
        assert_eq!(number(&size, "rmem_default_bytes"), sysctl::rmem_default().map_or(212_992, u64::from));
        assert_eq!(size["rmem_max_bytes"].as_u64(), sysctl::rmem_max().map(u64::from));
        assert_verdict(&output, &size, profile);
    }
}

/// It fits, if and only if the kernel gives enough and the board has no more than is stated.
fn assert_verdict(output: &Output, size: &Value, profile: &str) {
    let findings = size["findings"].as_array().expect("findings");
    let enough = number(size, "granted_bytes") >= number(size, "wanted_bytes");
    assert_eq!(size["fits"], json!(findings.is_empty()), "{profile}");
    assert_eq!(
        enough,
        !findings.iter().any(|text| text.as_str().is_some_and(|text| text.contains("buffer")))
    );
    assert_eq!(output.code, Some(i32::from(!findings.is_empty())), "{profile}");
    assert_eq!(output.stderr, [""; 0], "{profile}");
}

#[test]
fn size_shows_the_stated_profile() {
    let output =
        run(sureplug("size --json --ports 3 --port-device custom:12x180+4x420@900 --max-stall-ms 250"));
    let size = output.object();
    for (key, wanted) in [
        ("ports_stated", json!(true)),
        ("port_device", json!("custom:12x180+4x420@900")),
        ("ports", json!(3)),
        ("max_stall_ms", json!(250)),
        ("shortest_cycle_ms", json!(900)),
        ("plug_events", json!(16)),
    ] {
        assert_eq!(size[key], wanted, "{key}");
    }
    assert_eq!(run(sureplug("size --json")).object()["ports_stated"], json!(false));
}

#[test]
fn without_a_stated_number_the_ports_are_those_of_sysfs_and_at_least_four() {
    for (ports, wanted) in [(0, 4), (2, 4), (5, 5), (20, 20)] {
        let tree = UsbTree::new().root_hub("usb1", ports);
        let size = run(sureplug(&format!("size --json --sysfs {}", tree.path().display()))).object();
        assert_eq!((number(&size, "ports"), number(&size, "ports_in_sysfs")), (wanted, ports.into()));
    }
}

#[test]
fn hardwired_ports_are_shown_beside_the_ports() {
    let tree = UsbTree::new().root_hub("usb1", 6);
    let port = format!("{CONTROLLER}/usb1/1-0:1.0/usb1-port2");
    let tree = tree.set(&port, "connect_type", "hardwired");
    let size = run(sureplug(&format!("size --json --sysfs {}", tree.path().display()))).object();
    assert_eq!((number(&size, "ports"), number(&size, "hardwired_ports")), (5, 1));
}

#[test]
fn the_table_shows_the_same_figures() {
    for profile in PROFILES {
        let size = run(sureplug(&format!("size --json {profile}"))).object();
        let table = run(sureplug(&format!("size {profile}"))).stdout;
        let mut shown = rows(&table);
        for (row, keys) in [
            ("USB ports", &["ports"][..]),
            ("hardwired ports", &["hardwired_ports"]),
            ("devices per port", &["devices_per_port"]),
            ("longest devpath, bytes", &["devpath_max_bytes"]),
            ("longest stall, ms", &["max_stall_ms"]),
            ("shortest cycle, ms", &["shortest_cycle_ms"]),
            ("one plug, bytes", &["plug_bytes"]),
            ("one unplug, bytes", &["unplug_bytes"]),
            ("times cycles", &["cycles"]),
            ("times ports", &["ports"]),
            ("= ports, bytes", &["ports_bytes"]),
            ("+ other subsystems, bytes", &["other_subsystems_bytes"]),
            ("= budget, bytes", &["budget_bytes"]),
            ("at least, bytes", &["hub8_bytes", "rmem_default_bytes"]),
            ("wanted buffer, bytes", &["wanted_bytes"]),
            ("to request, bytes", &["request_bytes"]),
            ("net.core.rmem_max, bytes", &["rmem_max_bytes"]),
            ("granted, bytes", &["granted_bytes"]),
            ("filter, bytes", &["filter_charge_bytes"]),
            ("filtered header, bytes", &["filter_reach_bytes"]),
        ] {
            let wanted: Vec<_> = keys.iter().filter_map(|key| size[key].as_u64()).collect();
            assert_eq!(shown.remove(row).unwrap_or_default(), wanted, "{row} of {profile}");
        }
        assert!(shown.is_empty(), "rows without a field: {shown:?}");
        let verdict =
            if size["fits"] == json!(true) { "verdict: it fits" } else { "verdict: it does not fit" };
        assert!(table.iter().any(|line| line == verdict), "{table:#?}");
    }
}

/// Returns the figures of each row, which follow its name.
fn rows(table: &[String]) -> BTreeMap<&str, Vec<u64>> {
    let mut rows = BTreeMap::new();
    for line in table.iter().take_while(|line| !line.is_empty()) {
        let (name, rest) = line.split_at(28);
        let figure = rest.split_whitespace().next().and_then(|text| text.parse().ok());
        rows.entry(name.trim_end()).or_insert_with(Vec::new).push(figure.expect("a figure"));
    }
    rows
}

#[test]
fn i1_without_the_capability_the_kernel_gives_what_the_model_states() {
    for profile in PROFILES {
        let output = run(unprivileged(&format!("size --json {profile}")));
        let size = output.object();
        let request = u32::try_from(number(&size, "request_bytes")).expect("32 bits");
        let model = Requested(request).granted(sysctl::rmem_max(), SkbAbi::BOUND);
        assert_eq!(number(&size, "granted_bytes"), u64::from(model.0), "{profile}");
        assert_verdict(&output, &size, profile);
    }
}
