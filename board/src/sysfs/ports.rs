use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::file;

/// The USB ports that the board itself has, as sysfs shows them.
///
/// Counted are the ports of root hubs and of hubs that are part of the board: `removable` says `fixed`,
/// and so for every hub above. A hub that a user plugged in has no part in it, nor has one that is
/// built into something that was plugged in. The two sides of one connector, USB 2 and USB 3, are
/// each other's `peer` and count once; a port that feeds a hub of the board is none to plug into. Nor is
/// an empty one that the firmware calls `not used` (`connect_type`), nor one that is `hardwired` to a
/// device of the board. A port of an EHCI controller is also one of its companion, which takes over slower
/// devices, and counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoardPorts {
    /// Ports that a device can be plugged into.
    pub ports: u32,
    /// Ports that a device of the board is wired to.
    pub hardwired: u32,
    /// USB buses: root hubs.
    pub buses: u32,
    /// Bytes of the longest devpath that a device in one of the ports can have.
    pub longest_devpath: u32,
}

impl BoardPorts {
    /// Counts them below `sysfs`, which is `/sys` on a board. Without USB there, all is zero.
    #[must_use]
    pub fn count(sysfs: &Path) -> Self {
        let hubs = hubs_of_the_board(&sysfs.join("bus/usb/devices"));
        let ports: Vec<Port> = hubs.iter().flat_map(|hub| (1..=hub.ports).map(|n| hub.port(n))).collect();
        let feeds_a_hub = |port: &Port| hubs.iter().any(|hub| hub.name == port.child);
        let mut board = Self::default();
        for hub in &hubs {
            board.buses += u32::from(is_root(&hub.name));
            board.longest_devpath = board.longest_devpath.max(hub.longest_devpath());
        }
        let mut connectors = Vec::new();
        for port in &ports {
            let peer = port.peer.as_ref().and_then(|peer| ports.iter().find(|other| other.name == *peer));
            // Of the two sides of a connector the one whose name comes first stands for both.
            let counts = peer.is_none_or(|peer| port.name < peer.name && !feeds_a_hub(peer));
            if !counts || feeds_a_hub(port) {
                continue;
            }
            match port.wiring.max(peer.map_or(Wiring::Unused, |peer| peer.wiring)) {
                Wiring::Unused => {}
                Wiring::Connector => connectors.push(port),
                Wiring::Hardwired => board.hardwired += 1,
            }
        }
        let count = u32::try_from(connectors.len()).unwrap_or(u32::MAX);
        board.ports = count - companion_ports(&hubs, &ports, &connectors);
        board
    }
}

/// A hub of the board: `usb1` is a root hub, `1-4` the device in its port 4, `1-4.2` the one in port 2
/// of that.
struct Hub {
    name: String,
    directory: PathBuf,
    ports: u32,
}

/// A port of such a hub.
struct Port {
    name: String,
    /// The name of a device in it.
    child: String,
    /// The port on the other side of the connector.
    peer: Option<String>,
    wiring: Wiring,
}

/// What a port leads to, as the firmware describes it (`connect_type_show` in `drivers/usb/core/port.c`). Where it
/// describes the two sides of a connector differently, the later one here is believed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wiring {
    Unused,
    Connector,
    Hardwired,
}

impl Port {
    fn is_of(&self, hub: &Hub) -> bool {
        self.name.strip_prefix(&hub.name).is_some_and(|rest| rest.starts_with("-port"))
    }
}

fn hubs_of_the_board(devices: &Path) -> Vec<Hub> {
    let mut candidates = Vec::new();
    for entry in fs::read_dir(devices).into_iter().flatten().flatten() {
        let directory = entry.path();
        // One byte in the hub's descriptor.
        let ports: u8 = read(&directory, "maxchild").parse().unwrap_or(0);
        if let (1.., Ok(name)) = (ports, entry.file_name().into_string()) {
            // In a port that the firmware calls unused everything is `fixed`, what a user plugged in too
            // (`set_usb_port_removable` in `drivers/usb/core/hub.c`).
            let fixed = read(&directory, "removable") == "fixed"
                && read(&directory, "port/connect_type") != "not used";
            if is_root(&name) || fixed {
                candidates.push(Hub { name, directory, ports: ports.into() });
            }
        }
    }
    // A fixed hub is part of the board only if the one above it is.
    let mut hubs: Vec<Hub> = Vec::new();
    while let Some(next) = candidates.iter().position(|hub| {
        is_root(&hub.name) || hubs.iter().any(|above| parent(&hub.name).as_ref() == Some(&above.name))
    }) {
        hubs.push(candidates.swap_remove(next));
    }
    hubs
}

impl Hub {
    fn port(&self, number: u32) -> Port {
        // As the kernel names a port (`usb_hub_create_port_device` in `drivers/usb/core/port.c`) and a
        // device (`usb_alloc_dev` in `drivers/usb/core/usb.c`).
        let name = format!("{}-port{number}", self.name);
        let child = match self.name.strip_prefix("usb") {
            Some(bus) => format!("{bus}-{number}"),
            None => format!("{}.{number}", self.name),
        };
        let directory = self.port_directory(&name);
        let peer = directory.as_ref().and_then(|port| fs::read_link(port.join("peer")).ok());
        let peer = peer.and_then(|link| link.file_name()?.to_str().map(str::to_owned));
        let connect_type = directory.map(|port| read(&port, "connect_type")).unwrap_or_default();
        let wiring = match &connect_type[..] {
            "hardwired" => Wiring::Hardwired,
            // Firmware is wrong about a port that has a device.
            "not used" if !self.directory.join(&child).exists() => Wiring::Unused,
            _ => Wiring::Connector,
        };
        Port { name, child, peer, wiring }
    }

    /// The ports are below the hub's interface.
    fn port_directory(&self, port: &str) -> Option<PathBuf> {
        let inside = fs::read_dir(&self.directory).ok()?.flatten();
        inside.map(|entry| entry.path().join(port)).find(|directory| directory.is_dir())
    }

    /// Where the hub is in sysfs, such as `devices/pci0000:00/0000:00:14.0/usb1`; empty if that is not known.
    fn devpath(&self) -> String {
        // A link such as `../../../devices/pci0000:00/0000:00:14.0/usb1`.
        let link =
            fs::read_link(&self.directory).ok().and_then(|link| link.into_os_string().into_string().ok());
        link.unwrap_or_default().trim_start_matches("../").to_owned()
    }

    /// Bytes of the devpath that a device in the last port has, which is the longest there.
    fn longest_devpath(&self) -> u32 {
        let hub = self.devpath();
        if hub.is_empty() {
            return 0;
        }
        // Both the hub's devpath and the device's name in it begin with a `/`.
        u32::try_from(1 + hub.len() + 1 + self.port(self.ports).child.len()).unwrap_or(u32::MAX)
    }
}

/// Returns how many of the connectors are a second port of one that an EHCI root hub has. EHCI hands a device that is not
/// fast enough to a companion beside it, an OHCI or UHCI controller with a root hub of its own.
fn companion_ports(hubs: &[Hub], ports: &[Port], connectors: &[&Port]) -> u32 {
    // The ports of xHCI have peers.
    let has_peers = |hub: &Hub| ports.iter().any(|port| port.peer.is_some() && port.is_of(hub));
    let fast = root_hubs_by_place(hubs, |hub| is_driven(hub, "480", &["EHCI"]) && !has_peers(hub));
    let slow = root_hubs_by_place(hubs, |hub| is_driven(hub, "12", &["OHCI", "UHCI"]));
    let connectors_of = |hub: &Hub| connectors.iter().map(|port| u32::from(port.is_of(hub))).sum::<u32>();
    let ports_of_pairs = |(place, fast): (&String, &Vec<&Hub>)| {
        let Some(slow) = slow.get(place) else { return 0 };
        if fast.len() == slow.len() {
            // As their addresses are in order, the first belongs to the first.
            return fast.iter().zip(slow).map(|(fast, slow)| connectors_of(slow).min(fast.ports)).sum();
        }
        // Several companions share the ports of one.
        let slow: u32 = slow.iter().map(|hub| connectors_of(hub)).sum();
        slow.min(fast.iter().map(|hub| hub.ports).sum())
    };
    fast.iter().map(ports_of_pairs).sum()
}

/// Returns the root hubs that are wanted, by what companions have in common, in the order of their controllers.
fn root_hubs_by_place(hubs: &[Hub], is_wanted: impl Fn(&Hub) -> bool) -> BTreeMap<String, Vec<&Hub>> {
    let mut found: BTreeMap<String, Vec<&Hub>> = BTreeMap::new();
    for hub in hubs.iter().filter(|hub| is_root(&hub.name) && is_wanted(hub)) {
        found.entry(place(hub)).or_default().push(hub);
    }
    for beside in found.values_mut() {
        // A shorter address is a smaller one.
        beside.sort_by_key(|hub| {
            let devpath = hub.devpath();
            let controller = devpath.rsplit_once('/').map_or("", |(controller, _)| controller).to_owned();
            (controller.len(), controller)
        });
    }
    found
}

/// Whether a root hub has that speed in Mbit/s, and is one of these controllers as far as its name says.
fn is_driven(hub: &Hub, speed: &str, controllers: &[&str]) -> bool {
    let product = read(&hub.directory, "product");
    read(&hub.directory, "speed") == speed
        && (product.is_empty() || controllers.iter().any(|name| product.contains(name)))
}

/// What companions have in common: functions of a PCI device its slot (`for_each_companion` in
/// `drivers/usb/core/hcd-pci.c`), others the device that they are part of.
fn place(hub: &Hub) -> String {
    let devpath = hub.devpath();
    let controller = devpath.rsplit_once('/').map_or("", |(controller, _)| controller);
    let parent = controller.rsplit_once('/').map_or("", |(parent, _)| parent);
    match controller.rsplit_once('.') {
        Some((slot, function)) if function.len() == 1 && slot.contains(':') => slot.to_owned(),
        _ => parent.to_owned(),
    }
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

/// An attribute's text; empty if it is not there.
fn read(directory: &Path, attribute: &str) -> String {
    file::read_text(&directory.join(attribute)).unwrap_or_default().trim().to_owned()
}
