use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The USB ports that the board itself has, as sysfs shows them.
///
/// Counted are the ports of root hubs and of hubs that are part of the board: `removable` says `fixed`,
/// and so for every hub above. A hub that a user plugged in has no part in it, nor has one that is
/// built into something that was plugged in. The two sides of one connector, USB 2 and USB 3, are
/// each other's `peer` and count once; a port that feeds a hub of the board is none to plug into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoardPorts {
    /// Ports that a device can be plugged into.
    pub ports: u32,
    /// USB buses: root hubs.
    pub buses: u32,
    /// Bytes of the longest devpath that a device in one of the ports can have.
    pub longest_devpath: u32,
}

/// A hub of the board.
struct Hub {
    directory: PathBuf,
    ports: u32,
}

impl BoardPorts {
    /// Counts them below `sysfs`, which is `/sys` on a board. Without USB there, all is zero.
    #[must_use]
    pub fn count(sysfs: &Path) -> Self {
        let hubs = hubs_of_the_board(&sysfs.join("bus/usb/devices"));
        let mut connectors = BTreeSet::new();
        let mut feeding = BTreeSet::new();
        let mut longest_devpath = 0;
        for (name, hub) in &hubs {
            for number in 1..=hub.ports {
                let port = port_name(name, number);
                let connector = match peer(hub, &port) {
                    Some(peer) if peer < port => peer,
                    _ => port,
                };
                if hubs.contains_key(&child_name(name, number)) {
                    feeding.insert(connector.clone());
                }
                connectors.insert(connector);
            }
            longest_devpath = longest_devpath.max(devpath_of_child(sysfs, name, hub));
        }
        let buses = hubs.keys().filter(|name| is_root(name)).count();
        Self {
            ports: saturating_u32(connectors.difference(&feeding).count()),
            buses: saturating_u32(buses),
            longest_devpath,
        }
    }
}

/// By name: `usb1` is a root hub, `1-4` the device in its port 4, `1-4.2` the one in port 2 of that.
fn hubs_of_the_board(devices: &Path) -> BTreeMap<String, Hub> {
    let mut candidates: Vec<(String, Hub)> = fs::read_dir(devices)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let directory = entry.path();
            let ports = read(&directory.join("maxchild"))?.parse().ok()?;
            (ports > 0).then_some((name, Hub { directory, ports }))
        })
        .collect();
    // A hub comes behind the one that it is plugged into.
    candidates.sort_by_cached_key(|(name, _)| (!is_root(name), name.matches('.').count()));
    let mut hubs = BTreeMap::new();
    for (name, hub) in candidates {
        let fixed = || read(&hub.directory.join("removable")).is_some_and(|text| text == "fixed");
        if is_root(&name) || parent(&name).is_some_and(|above| hubs.contains_key(&above)) && fixed() {
            hubs.insert(name, hub);
        }
    }
    hubs
}

fn is_root(name: &str) -> bool {
    name.starts_with("usb")
}

fn parent(name: &str) -> Option<String> {
    match name.rsplit_once('.') {
        Some((above, _)) => Some(above.to_owned()),
        None => name.split_once('-').map(|(bus, _)| format!("usb{bus}")),
    }
}

/// As the kernel names the device in a port (`usb_alloc_dev` in `drivers/usb/core/usb.c`).
fn child_name(hub: &str, port: u32) -> String {
    match hub.strip_prefix("usb") {
        Some(bus) => format!("{bus}-{port}"),
        None => format!("{hub}.{port}"),
    }
}

/// As the kernel names a port (`usb_hub_create_port_device` in `drivers/usb/core/port.c`).
fn port_name(hub: &str, port: u32) -> String {
    format!("{hub}-port{port}")
}

/// The name of the port on the other side of the connector. The ports are below the hub's interface.
fn peer(hub: &Hub, port: &str) -> Option<String> {
    let interfaces = fs::read_dir(&hub.directory).ok()?.flatten();
    let link = interfaces
        .filter(|entry| entry.file_name().to_string_lossy().contains(':'))
        .find_map(|interface| fs::read_link(interface.path().join(port).join("peer")).ok())?;
    link.file_name()?.to_str().map(str::to_owned)
}

/// Bytes of the devpath that a device in the hub's last port has, which is the longest there.
fn devpath_of_child(sysfs: &Path, name: &str, hub: &Hub) -> u32 {
    let within = || {
        let root = sysfs.canonicalize().ok()?;
        let directory = hub.directory.canonicalize().ok()?;
        Some(directory.strip_prefix(root).ok()?.as_os_str().len())
    };
    // Both the devpath and the child's name begin with a `/` of their own.
    within().map_or(0, |below| {
        saturating_u32(1 + below + 1 + child_name(name, hub.ports).len())
    })
}

fn read(path: &Path) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn saturating_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
