//! A stand-in for the part of `/sys` that USB devices are in, laid out as the kernel does.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Where the host controller is, below the tree's root.
pub const CONTROLLER: &str = "devices/pci0000:00/0000:00:14.0";

/// A tree in a temporary directory, which is removed with it.
pub struct UsbTree(TempDir);

impl UsbTree {
    /// Of a kernel with USB, but without any bus.
    ///
    /// # Panics
    ///
    /// If no temporary directory can be made.
    #[must_use]
    pub fn new() -> Self {
        let tree = Self::without_usb();
        make_dir(&tree.links());
        tree
    }

    /// Of a kernel without USB.
    ///
    /// # Panics
    ///
    /// If no temporary directory can be made.
    #[must_use]
    pub fn without_usb() -> Self {
        let tree = Self(TempDir::new().expect("a temporary directory"));
        make_dir(&tree.path().join("bus"));
        tree
    }

    /// A root hub, two for a controller with USB 2 and USB 3. The kernel does not know of any root hub
    /// whether it is removable.
    #[must_use]
    pub fn root_hub(self, name: &str, ports: u32) -> Self {
        self.hub(name, ports, "unknown")
    }

    /// A root hub of one speed, of a controller of its own: `devices/platform/soc/1c1a000.usb` as an example.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn root_hub_of(self, controller: &str, name: &str, ports: u32, speed: &str) -> Self {
        let directory = Path::new(controller).join(name);
        for number in 1..=ports {
            make_dir(
                &self.path().join(&directory).join(interface(name)).join(format!("{name}-port{number}")),
            );
        }
        symlink(Path::new("../../..").join(&directory), self.links().join(name)).expect("a link");
        for (attribute, text) in
            [("maxchild", &*ports.to_string()), ("speed", speed), ("removable", "unknown")]
        {
            fs::write(self.path().join(&directory).join(attribute), format!("{text}\n"))
                .expect("an attribute");
        }
        self
    }

    /// Describes a controller in the device tree, with these properties.
    ///
    /// # Panics
    ///
    /// If there is no such controller.
    #[must_use]
    pub fn of_node(self, controller: &str, properties: &[(&str, &[u8])]) -> Self {
        let node = Path::new("firmware/devicetree/base").join(controller);
        make_dir(&self.path().join(&node));
        for (property, value) in properties {
            fs::write(self.path().join(&node).join(property), value).expect("a property");
        }
        let up: PathBuf = Path::new(controller).components().map(|_| "..").collect();
        symlink(up.join(node), self.path().join(controller).join("of_node")).expect("a link");
        self
    }

    /// Sets an attribute of a port or a device, whose directory is given.
    ///
    /// # Panics
    ///
    /// If there is no such directory.
    #[must_use]
    pub fn set(self, directory: &str, attribute: &str, text: &str) -> Self {
        fs::write(self.path().join(directory).join(attribute), format!("{text}\n")).expect("an attribute");
        self
    }

    /// A hub in a port: `1-4` is in port 4 of `usb1`, `1-4.2` in port 2 of `1-4`.
    #[must_use]
    pub fn hub(self, name: &str, ports: u32, removable: &str) -> Self {
        let tree = self.any_device(name, ports, removable);
        for number in 1..=ports {
            make_dir(&tree.path().join(port(&format!("{name}-port{number}"))));
        }
        tree
    }

    /// A device that is no hub.
    #[must_use]
    pub fn device(self, name: &str, removable: &str) -> Self {
        self.any_device(name, 0, removable)
    }

    fn any_device(self, name: &str, ports: u32, removable: &str) -> Self {
        let interface = device(name).join(interface(name));
        make_dir(&self.path().join(&interface));
        for directory in [device(name), interface] {
            let link = self.links().join(directory.file_name().expect("a name"));
            symlink(Path::new("../../..").join(&directory), link).expect("a link");
        }
        self.attribute(name, "maxchild", &format!("{ports}")).attribute(name, "removable", removable)
    }

    /// Sets an attribute of a device; the kernel ends its text with a newline.
    ///
    /// # Panics
    ///
    /// If there is no such device.
    #[must_use]
    pub fn attribute(self, name: &str, attribute: &str, text: &str) -> Self {
        let path = self.path().join(device(name)).join(attribute);
        fs::write(path, format!("{text}\n")).expect("an attribute");
        self
    }

    /// Removes an attribute.
    ///
    /// # Panics
    ///
    /// Panics if it does not exist.
    #[must_use]
    pub fn without_attribute(self, name: &str, attribute: &str) -> Self {
        fs::remove_file(self.path().join(device(name)).join(attribute)).expect("an attribute");
        self
    }

    /// Makes two ports, such as `usb1-port1` and `usb2-port1`, the two sides of one connector.
    ///
    /// # Panics
    ///
    /// If there are no such ports.
    #[must_use]
    pub fn peers(self, one: &str, other: &str) -> Self {
        for (from, to) in [(port(one), port(other)), (port(other), port(one))] {
            let up: PathBuf = from.components().map(|_| "..").collect();
            symlink(up.join(to), self.path().join(from).join("peer")).expect("a link");
        }
        self
    }

    /// Sets the firmware's description of the port that a device is in: `hotplug`, `hardwired`,
    /// `not used`.
    ///
    /// # Panics
    ///
    /// Panics if the device is in no port of the tree.
    #[must_use]
    pub fn connect_type(self, name: &str, text: &str) -> Self {
        let (hub, number) = match (name.rsplit_once('.'), name.split_once('-')) {
            (Some((hub, number)), _) => (hub.to_owned(), number),
            (None, Some((bus, number))) => (format!("usb{bus}"), number),
            (None, None) => panic!("{name} is a root hub"),
        };
        let port = port(&format!("{hub}-port{number}"));
        fs::write(self.path().join(&port).join("connect_type"), format!("{text}\n")).expect("an attribute");
        let up: PathBuf = device(name).components().map(|_| "..").collect();
        symlink(up.join(port), self.path().join(device(name)).join("port")).expect("a link");
        self
    }

    /// What stands for `/sys`.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    fn links(&self) -> PathBuf {
        self.path().join("bus/usb/devices")
    }
}

impl Default for UsbTree {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a device is below the tree's root.
fn device(name: &str) -> PathBuf {
    let above = match (name.rsplit_once('.'), name.split_once('-')) {
        (Some((hub, _)), _) => device(hub),
        (None, Some((bus, _))) => device(&format!("usb{bus}")),
        (None, None) => PathBuf::from(CONTROLLER),
    };
    above.join(name)
}

fn interface(device: &str) -> String {
    match device.strip_prefix("usb") {
        Some(bus) => format!("{bus}-0:1.0"),
        None => format!("{device}:1.0"),
    }
}

/// Where a port is below the tree's root.
fn port(name: &str) -> PathBuf {
    let (hub, _) = name.rsplit_once("-port").expect("a port's name");
    device(hub).join(interface(hub)).join(name)
}

fn make_dir(path: &Path) {
    fs::create_dir_all(path).expect("a directory");
}
