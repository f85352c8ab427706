use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::file;

/// The board's own USB ports according to sysfs.
///
/// These are the ports of root hubs, and of hubs that are part of the board: `removable` is `fixed`
/// for them and for every hub above. A hub that a user plugged in does not count, nor one built
/// into a plugged device. The two sides of one connector, USB 2 and USB 3, are each other's `peer`
/// and count once. A port that feeds a hub of the board cannot be plugged into, and does not count;
/// neither does an empty one that the firmware calls `not used` (`connect_type`), nor one that is
/// `hardwired` to a device of the board. A port of an EHCI controller that is shared with its
/// companion, an OHCI or UHCI controller for slower devices, counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoardPorts {
    /// Ports that a device can be plugged into.
    pub ports: u32,
    /// Ports to which a device of the board is wired.
    pub hardwired: u32,
    /// USB buses: root hubs.
    pub buses: u32,
    /// The longest devpath in bytes that a device in one of the ports can have.
    pub longest_devpath: u32,
}

impl BoardPorts {
    /// Counts the ports below `sysfs`, which is `/sys` on a board. Without USB there, all figures
    /// are zero.
    #[must_use]
    pub fn count(sysfs: &Path) -> Self {
        let root_hubs = root_hubs(&sysfs.join("bus/usb/devices"));
        let companions = companion_ports(&root_hubs);
        let mut board = Self::default();
        let mut ports = Vec::new();
        for hub in &root_hubs {
            board.buses += 1;
            hub.add_ports(&mut ports);
        }
        for port in &ports {
            let devpath_len = u32::try_from(port.devpath.len()).unwrap_or(u32::MAX);
            board.longest_devpath = board.longest_devpath.max(devpath_len);
            let peer = port.peer.as_ref().or_else(|| companions.get(&port.name));
            let peer = peer.and_then(|peer| ports.iter().find(|other| other.name == *peer));
            // Of the two sides of a connector the first by name stands for both.
            if peer.is_some_and(|peer| peer.name < port.name) {
                continue;
            }
            match port.leads_to.max(peer.map_or(LeadsTo::Nothing, |peer| peer.leads_to)) {
                LeadsTo::Connector => board.ports += 1,
                LeadsTo::Device => board.hardwired += 1,
                LeadsTo::Nothing | LeadsTo::Hub => {}
            }
        }
        board
    }
}

/// A hub of the board: `usb1` is a root hub, `1-4` the device in its port 4, and `1-4.2` the device
/// in port 2 of that.
struct Hub {
    name: String,
    directory: PathBuf,
    /// Its path in sysfs, such as `/devices/pci0000:00/0000:00:14.0/usb1`.
    devpath: String,
    ports: u8,
}

/// A port of such a hub.
struct Port {
    name: String,
    /// The devpath of a device in it.
    devpath: String,
    /// The port on the other side of the connector.
    peer: Option<String>,
    leads_to: LeadsTo,
    hub: Option<Hub>,
}

/// What a port leads to according to the firmware (`connect_type_show` in
/// `drivers/usb/core/port.c`). If the firmware describes the two sides of a connector differently,
/// the later variant applies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LeadsTo {
    Nothing,
    Connector,
    /// A device of the board.
    Device,
    /// A hub of the board, whose ports count instead.
    Hub,
}

impl Hub {
    fn open(directory: PathBuf, devpath: String) -> Option<Self> {
        let name = directory.file_name()?.to_str()?.to_owned();
        // One byte in the hub's descriptor.
        let ports = read(&directory, "maxchild").parse().ok().filter(|&ports| ports > 0)?;
        Some(Self { name, directory, devpath, ports })
    }

    fn ports(&self) -> impl Iterator<Item = Port> {
        (1..=self.ports).map(|number| self.port(number))
    }

    /// Adds the hub's ports, and those of the board's hubs in them.
    fn add_ports(&self, all: &mut Vec<Port>) {
        for port in self.ports() {
            port.hub.iter().for_each(|hub| hub.add_ports(all));
            all.push(port);
        }
    }

    fn port(&self, number: u8) -> Port {
        // The names that the kernel gives to a port (`usb_hub_create_port_device` in
        // `drivers/usb/core/port.c`) and to a device (`usb_alloc_dev` in `drivers/usb/core/usb.c`).
        let name = format!("{}-port{number}", self.name);
        let child = match self.name.strip_prefix("usb") {
            Some(bus) => format!("{bus}-{number}"),
            None => format!("{}.{number}", self.name),
        };
        let devpath = format!("{}/{child}", self.devpath);
        let device = self.directory.with_file_name(child);
        // The ports are below the hub's interface.
        let inside = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let directory = inside.map(|entry| entry.path().join(&name)).find(|port| port.is_dir());
        let peer = directory.as_ref().and_then(|port| fs::read_link(port.join("peer")).ok());
        let peer = peer.and_then(|link| link.file_name()?.to_str().map(str::to_owned));
        let connect_type = directory.map(|port| read(&port, "connect_type")).unwrap_or_default();
        // In a port that the firmware calls unused, every device is `fixed`, even one that a user
        // plugged in (`set_usb_port_removable` in `drivers/usb/core/hub.c`).
        let is_fixed = connect_type != "not used" && read(&device, "removable") == "fixed";
        let hub = Self::open(device.clone(), devpath.clone()).filter(|_| is_fixed);
        let leads_to = match &connect_type[..] {
            _ if hub.is_some() => LeadsTo::Hub,
            "hardwired" => LeadsTo::Device,
            // The firmware is wrong about a port that has a device.
            "not used" if !device.exists() => LeadsTo::Nothing,
            _ => LeadsTo::Connector,
        };
        Port { name, devpath, peer, leads_to, hub }
    }

    /// Returns the parent directory and the name of the controller.
    fn controller(&self) -> (&str, &str) {
        let (controller, _) = self.devpath.rsplit_once('/').unwrap_or_default();
        controller.rsplit_once('/').unwrap_or_default()
    }

    /// Reads a property of the controller in the device tree.
    fn property(&self, name: &str) -> Option<Vec<u8>> {
        file::read(&self.directory.join("../of_node").join(name)).ok().filter(|value| !value.is_empty())
    }
}

/// Returns the root hubs in the order of their controllers.
fn root_hubs(devices: &Path) -> Vec<Hub> {
    let directories = fs::read_dir(devices).into_iter().flatten().flatten().map(|entry| entry.path());
    let hubs = directories.filter_map(|directory| {
        // A link such as `../../../devices/pci0000:00/0000:00:14.0/usb1`.
        let link =
            fs::read_link(&directory).unwrap_or_else(|_| directory.file_name().unwrap_or_default().into());
        let devpath = format!("/{}", link.to_str()?.trim_start_matches("../"));
        Hub::open(directory, devpath)
    });
    let mut hubs: Vec<Hub> = hubs.filter(|hub| hub.name.starts_with("usb")).collect();
    // A shorter address is lower.
    hubs.sort_by_key(|hub| (hub.controller().1.len(), hub.controller().1.to_owned(), hub.name.clone()));
    hubs
}

/// Returns for each port of an EHCI root hub the port of a companion that shares its connector, and
/// the reverse. EHCI hands a slow device to a companion beside it, which has its own root hub.
fn companion_ports(hubs: &[Hub]) -> BTreeMap<String, String> {
    let driven_by = |speed, controllers: &[&str]| -> Vec<&Hub> {
        let is_driven = |hub: &&Hub| {
            let product = read(&hub.directory, "product");
            read(&hub.directory, "speed") == speed
                && (product.is_empty() || controllers.iter().any(|name| product.contains(name)))
                // Ports of xHCI have peers.
                && hub.ports().all(|port| port.peer.is_none())
        };
        hubs.iter().filter(is_driven).collect()
    };
    let (fast, slow) = (driven_by("480", &["EHCI"]), driven_by("12", &["OHCI", "UHCI"]));
    let mut sides = BTreeMap::new();
    for hub in &fast {
        let is_companion = |other: &&&Hub| {
            device_tree_pairs(hub, other).unwrap_or_else(|| place(hub, &fast) == place(other, &slow))
        };
        // Several companions have consecutive ports of the one (EHCI specification, `HCSPARAMS`).
        let others = slow.iter().filter(is_companion).flat_map(|other| other.ports()).map(|port| port.name);
        let others: Vec<String> = others.filter(|name| !sides.contains_key(name)).collect();
        for (port, other) in hub.ports().zip(others) {
            sides.insert(port.name.clone(), other.clone());
            sides.insert(other, port.name);
        }
    }
    sides
}

/// Returns whether the device tree describes a root hub as the companion of a fast one, if it does
/// describe them: the fast one refers to it, or both are connected to the same PHYs.
fn device_tree_pairs(fast: &Hub, slow: &Hub) -> Option<bool> {
    if let Some(companions) = fast.property("companion").or_else(|| fast.property("companions")) {
        let phandle = slow.property("phandle");
        return Some(companions.chunks(4).any(|one| phandle.as_deref() == Some(one)));
    }
    let (fast, slow) = (fast.property("phys")?, slow.property("phys")?);
    Some(fast.starts_with(&slow) || slow.starts_with(&fast))
}

/// Returns what companions have in common. Functions of a PCI device share its slot
/// (`for_each_companion` in `drivers/usb/core/hcd-pci.c`). Others share their parent device: if
/// there are equally many `of_a_kind`, the first belongs to the first.
fn place<'h>(hub: &'h Hub, of_a_kind: &[&Hub]) -> (&'h str, &'h str, usize, Option<usize>) {
    let (parent, address) = hub.controller();
    match address.split_once('.') {
        Some((slot, _)) if slot.matches(':').count() == 2 => (parent, slot, 0, None),
        _ => {
            let beside = of_a_kind.iter().filter(|other| other.controller().0 == parent);
            let before = beside.clone().position(|other| other.name == hub.name);
            (parent, "", beside.count(), before)
        }
    }
}

/// Reads an attribute; empty if it does not exist.
fn read(directory: &Path, attribute: &str) -> String {
    file::read_text(&directory.join(attribute)).unwrap_or_default().trim().to_owned()
}
