use serde_json::{Value, json};

use super::Board;
use crate::storage::write_disk;
use crate::usb::Usb;

impl Board {
    /// Plugs a device into a port: `2`, or `2.1` of a hub.
    ///
    /// # Panics
    ///
    /// If QEMU refuses.
    pub fn plug(&mut self, port: &str, usb: Usb) {
        self.plug_with(port, usb, &json!({}));
    }

    /// The same, with more properties of QEMU's device.
    ///
    /// # Panics
    ///
    /// If QEMU refuses.
    pub fn plug_with(&mut self, port: &str, usb: Usb, properties: &Value) {
        self.count += 1;
        let (id, node) = (id_of(port), format!("n{}", self.count));
        let mut device = json!({"driver": usb.driver(), "id": id, "bus": "xhci.0", "port": port});
        match usb {
            Usb::Keyboard | Usb::Mouse | Usb::Hub => {}
            Usb::Stick(partitions) => {
                self.add_disk(&node, partitions);
                device["drive"] = node.into();
            }
            Usb::Uas(partitions) | Usb::CardReader(partitions) => {
                // It comes once all its disks are in it.
                device["attached"] = false.into();
                self.qmp.execute("device_add", &device);
                for lun in 0..usb.disks() {
                    let node = format!("{node}-{lun}");
                    self.add_disk(&node, partitions);
                    let disk =
                        json!({"driver": "scsi-hd", "bus": format!("{id}.0"), "drive": node, "lun": lun});
                    self.qmp.execute("device_add", &disk);
                }
                let path = format!("/machine/peripheral/{id}");
                let attach = json!({"path": path, "property": "attached", "value": true});
                self.qmp.execute("qom-set", &attach);
                self.plugged.insert(port.into(), usb);
                return;
            }
            Usb::Serial => {
                let given = properties.get("chardev").is_some();
                if !given {
                    let backend = json!({"id": node, "backend": {"type": "null", "data": {}}});
                    self.qmp.execute("chardev-add", &backend);
                    device["chardev"] = node.into();
                }
                device["always-plugged"] = true.into();
            }
            Usb::Audio => device["audiodev"] = "snd0".into(),
            Usb::Ethernet => {
                self.qmp.execute("netdev_add", &json!({"type": "hubport", "hubid": self.count, "id": node}));
                device["netdev"] = node.into();
            }
        }
        for (key, value) in properties.as_object().into_iter().flatten() {
            device[key] = value.clone();
        }
        self.qmp.execute("device_add", &device);
        self.plugged.insert(port.into(), usb);
    }

    /// Plugs in many at once: the board sees none before all are there.
    ///
    /// # Panics
    ///
    /// If QEMU refuses.
    pub fn plug_at_once(&mut self, devices: &[(&str, Usb)]) {
        self.at_once(|board| devices.iter().for_each(|&(port, usb)| board.plug(port, usb)));
    }

    /// Does something while the board's processor stands still.
    ///
    /// # Panics
    ///
    /// If QEMU refuses.
    pub fn at_once(&mut self, act: impl FnOnce(&mut Self)) {
        self.qmp.execute("stop", &json!({}));
        act(self);
        self.qmp.execute("cont", &json!({}));
    }

    /// Unplugs what is in a port, and with a hub all below it.
    ///
    /// # Panics
    ///
    /// If nothing is plugged in there.
    pub fn unplug(&mut self, port: &str) {
        self.qmp.execute("device_del", &json!({"id": id_of(port)}));
        let below = format!("{port}.");
        self.plugged.retain(|at, _| at != port && !at.starts_with(&below));
    }

    /// Unplugs everything.
    ///
    /// # Panics
    ///
    /// If QEMU refuses.
    pub fn unplug_all(&mut self) {
        let ports: Vec<String> = self.plugged.keys().filter(|port| !port.contains('.')).cloned().collect();
        self.at_once(|board| ports.iter().for_each(|port| board.unplug(port)));
    }

    fn add_disk(&mut self, node: &str, partitions: u8) {
        let path = self.directory.path().join(format!("{node}.img"));
        write_disk(&path, partitions);
        let file = json!({"driver": "file", "filename": path.to_string_lossy(), "locking": "off"});
        self.qmp.execute("blockdev-add", &json!({"driver": "raw", "node-name": node, "file": file}));
    }
}

/// QEMU's name of the device in a port.
fn id_of(port: &str) -> String {
    format!("p{}", port.replace('.', "_"))
}
