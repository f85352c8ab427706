use std::fs;
use std::path::{Path, PathBuf};

use crate::file;

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
        for port in &ports {
            let peer = port.peer.as_ref().and_then(|peer| ports.iter().find(|other| other.name == *peer));
            // Of the two sides of a connector the one whose name comes first stands for both.
            let counts = peer.is_none_or(|peer| port.name < peer.name && !feeds_a_hub(peer));
            board.ports += u32::from(counts && !feeds_a_hub(port));
        }
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
        let peer = self.peer(&name);
        Port { name, child, peer }
    }

    /// The ports are below the hub's interface.
    fn peer(&self, port: &str) -> Option<String> {
        let mut inside = fs::read_dir(&self.directory).ok()?.flatten();
        let link = inside.find_map(|entry| fs::read_link(entry.path().join(port).join("peer")).ok())?;
        link.file_name()?.to_str().map(str::to_owned)
    }

    /// Bytes of the devpath that a device in the last port has, which is the longest there.
    fn longest_devpath(&self) -> u32 {
        // A link such as `../../../devices/pci0000:00/0000:00:14.0/usb1`.
        let Ok(link) = fs::read_link(&self.directory) else {
            return 0;
        };
        let mut hub = link.to_str().unwrap_or_default();
        while let Some(below) = hub.strip_prefix("../") {
            hub = below;
        }
        // Both the hub's devpath and the device's name in it begin with a `/`.
        u32::try_from(1 + hub.len() + 1 + self.port(self.ports).child.len()).unwrap_or(u32::MAX)
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
