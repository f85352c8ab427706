use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What the boards need, where it is no part of the kernel itself.
const WANTED: &[&str] = &[
    // The port of the agent.
    "virtio_pci",
    "virtio_console",
    // USB.
    "xhci-pci",
    "ehci-pci",
    "usb-storage",
    "uas",
    "sd_mod",
    "sr_mod",
    "sg",
    "usbhid",
    "hid-generic",
    "evdev",
    "ftdi_sio",
    "cdc_ether",
    "rndis_host",
    "snd-usb-audio",
    // For the list of other listeners.
    "netlink_diag",
];

/// The wanted modules and their dependencies, each after those that it needs, with their contents.
pub(crate) fn in_order(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut order = Order { directory, seen: BTreeSet::new(), modules: Vec::new() };
    for name in WANTED {
        order.add(name);
    }
    order.modules
}

struct Order<'d> {
    directory: &'d Path,
    seen: BTreeSet<String>,
    modules: Vec<(String, Vec<u8>)>,
}

impl Order<'_> {
    fn add(&mut self, name: &str) {
        // A file name may have `-` where the kernel has `_`.
        if !self.seen.insert(name.replace('-', "_")) {
            return;
        }
        let spellings = [name.to_owned(), name.replace('_', "-"), name.replace('-', "_")];
        let found = spellings.iter().find_map(|name| {
            let bytes = fs::read(self.directory.join(format!("{name}.ko"))).ok()?;
            Some((name.clone(), bytes))
        });
        // Else it is a part of the kernel.
        let Some((name, bytes)) = found else { return };
        for needed in depends(&bytes) {
            self.add(&needed);
            assert!(self.has(&needed), "{name} needs {needed}, which tests/board/fetch does not unpack");
        }
        self.modules.push((name, bytes));
    }

    fn has(&self, name: &str) -> bool {
        self.modules.iter().any(|(module, _)| module.replace('-', "_") == name.replace('-', "_"))
    }
}

/// Returns a module's dependencies: `depends=usbcore,scsi_mod`, between NULs.
fn depends(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(start) = module.windows(KEY.len()).position(|bytes| bytes == KEY) else { return Vec::new() };
    let value = module[start + KEY.len()..].split(|&byte| byte == 0).next().unwrap_or_default();
    let names = String::from_utf8_lossy(value);
    names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::depends;

    #[test]
    fn module_dependencies_are_found_in_the_module() {
        let module = b"\x7fELF..\0license=GPL\0depends=usbcore,scsi_mod\0name=uas\0";
        assert_eq!(depends(module), ["usbcore", "scsi_mod"]);
        assert_eq!(depends(b"\0depends=\0name=usbcore\0"), [""; 0]);
        assert_eq!(depends(b"\x7fELF"), [""; 0]);
    }
}
