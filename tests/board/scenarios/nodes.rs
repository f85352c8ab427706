//! What `busybox mdev` makes of devices: their nodes, by the rules of an `mdev.conf`.

use std::collections::BTreeMap;

use sureplug_board_tests::{Board, Truth};

/// Its rules; [`rule`] defines the same.
pub(crate) const MDEV_CONF: &str = "\
    sd[a-z]+[0-9]* 0:6 0640 >disks/\n\
    input/(event[0-9]+) 2:4 0620 =keys/%1\n\
    ttyUSB[0-9]+ 0:20 0660\n\
    bus/usb/.* 0:46 0664\n\
    .* 0:0 0600\n";

/// What a directory holds: of each name what it is, and whose.
pub(crate) type Nodes = BTreeMap<String, String>;

/// Where the node of a device is, owner and mode, and whether a link has the device's name.
fn rule(name: &str) -> (String, &'static str, bool) {
    if name.starts_with("sd") {
        (format!("disks/{name}"), "640 0:6", true)
    } else if let Some(event) = name.strip_prefix("input/event") {
        (format!("keys/event{event}"), "620 2:4", false)
    } else if name.starts_with("ttyUSB") {
        (name.into(), "660 0:20", false)
    } else if name.starts_with("bus/usb/") {
        (name.into(), "664 0:46", false)
    } else {
        (name.into(), "600 0:0", false)
    }
}

/// The nodes and links that those devices must have, and no others.
pub(crate) fn wanted(truth: &Truth) -> Nodes {
    let mut nodes = Nodes::new();
    for device in truth.0.values() {
        let property = |key: &str| device.properties.get(key);
        let (Some(name), Some(major), Some(minor)) =
            (property("DEVNAME"), property("MAJOR"), property("MINOR"))
        else {
            continue;
        };
        let number = |text: &String| text.parse::<u32>().expect("a number");
        let kind = if device.subsystem == "block" { "block" } else { "character" };
        let (place, access, has_link) = rule(name);
        if has_link {
            nodes.insert(name.clone(), format!("link to {place}"));
        }
        nodes.insert(place, format!("{kind} {:x}:{:x} {access}", number(major), number(minor)));
    }
    nodes
}

/// How many of those are links.
pub(crate) fn links(truth: &Truth) -> usize {
    wanted(truth).values().filter(|is| is.starts_with("link to ")).count()
}

/// What the daemon's own `/dev` holds; what goes meanwhile may be missing.
pub(crate) fn seen(board: &mut Board) -> Nodes {
    let (_, said) = board.shell.try_run(
        "(cd /proc/$(cat /run/sureplug.pid)/root && cd dev && \
         find . ! -type d 2>/dev/null | xargs stat -c '%F|%t:%T %a %u:%g|%N' 2>/dev/null)",
    );
    let mut nodes = Nodes::new();
    for line in said.lines() {
        let [kind, is, name] = line.splitn(3, '|').collect::<Vec<_>>()[..] else { panic!("{said}") };
        let link = name.strip_prefix("'./").and_then(|rest| rest.strip_suffix('\'')?.split_once("' -> '"));
        match (link, kind.strip_suffix(" special file")) {
            (Some((name, place)), _) => nodes.insert(name.into(), format!("link to {place}")),
            (None, Some(kind)) => nodes.insert(name.trim_start_matches("./").into(), format!("{kind} {is}")),
            (None, None) => nodes.insert(name.into(), kind.into()),
        };
    }
    nodes
}
