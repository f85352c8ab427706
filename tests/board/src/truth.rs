use std::collections::BTreeMap;

use sureplug_tests::fold::Fold;

use crate::shell::Shell;

/// What the guest's sysfs shows: each device of a class or a bus, by devpath.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth(pub BTreeMap<String, Device>);

/// A device in sysfs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Its class or bus.
    pub subsystem: String,
    /// Its file `uevent`.
    pub properties: BTreeMap<String, String>,
}

/// Where sysfs lists devices. One process each: a board starts some hundred a second.
const LINKS: &str = "ls -l /sys/class/* /sys/bus/*/devices 2>/dev/null";
const UEVENTS: &str = "grep -s . /sys/class/*/*/uevent /sys/bus/*/devices/*/uevent";

/// The properties that must be equal in sysfs and in the reports, if a device has them.
const IDENTITY: [&str; 8] =
    ["MAJOR", "MINOR", "DEVNAME", "BUSNUM", "DEVNUM", "DISKSEQ", "IFINDEX", "PRODUCT"];

impl Truth {
    /// Reads it, twice if devices came or went meanwhile.
    pub(crate) fn read(shell: &mut Shell) -> Self {
        loop {
            // They fail where a device goes meanwhile.
            let (_, before) = shell.try_run(LINKS);
            let (_, uevents) = shell.try_run(UEVENTS);
            if shell.try_run(LINKS).1 == before {
                return Self::parse(&before, &uevents);
            }
        }
    }

    fn parse(links: &str, uevents: &str) -> Self {
        let mut truth = Self::default();
        let mut by_link = BTreeMap::new();
        let mut directory = "";
        for line in links.lines() {
            if let Some(path) = line.strip_suffix(':') {
                directory = path;
            } else if let Some((listed, target)) = line.split_once(" -> ") {
                let name = listed.rsplit(' ').next().unwrap_or_default();
                let devpath = target.trim_start_matches("../");
                if devpath.starts_with("devices/") {
                    let mut places = directory.split('/').skip(3);
                    let subsystem = places.next().unwrap_or_default().to_owned();
                    let device = Device { subsystem, properties: BTreeMap::new() };
                    truth.0.insert(format!("/{devpath}"), device);
                    by_link.insert(format!("{directory}/{name}/uevent"), format!("/{devpath}"));
                }
            }
        }
        for line in uevents.lines() {
            let Some((path, property)) = line.split_once(':') else { continue };
            let device = by_link.get(path).and_then(|devpath| truth.0.get_mut(devpath));
            if let (Some(device), Some((key, value))) = (device, property.split_once('=')) {
                device.properties.insert(key.to_owned(), value.to_owned());
            }
        }
        truth
    }

    /// The devices in a port and below it: `2`, or `2.1` for a port of a hub.
    pub fn at_port<'t>(&'t self, port: &str) -> impl Iterator<Item = (&'t String, &'t Device)> {
        self.0.iter().filter(move |(devpath, _)| is_at_port(devpath, port))
    }

    /// In what a fold is not what sysfs shows.
    #[must_use]
    pub fn difference(&self, fold: &Fold) -> Vec<String> {
        let mut difference = Vec::new();
        for (devpath, device) in &self.0 {
            let Some(told) = fold.present.get(devpath) else {
                difference.push(format!("{devpath} was not told"));
                continue;
            };
            for key in IDENTITY {
                let (is, told) = (device.properties.get(key), told.properties.get(key));
                if is.is_some() && is != told {
                    difference.push(format!("{devpath}: {key} is {is:?}, and {told:?} was told"));
                }
            }
        }
        let phantoms = fold.present.keys().filter(|devpath| !self.0.contains_key(*devpath));
        difference.extend(phantoms.map(|devpath| format!("{devpath} is gone")));
        difference
    }

    /// How many devices of a subsystem are in a port and below it.
    #[must_use]
    pub fn count(&self, port: &str, subsystem: &str) -> usize {
        self.at_port(port).filter(|(_, device)| device.subsystem == subsystem).count()
    }
}

/// Returns `true` if the path leads through a USB device in that port, on any bus.
pub(crate) fn is_at_port(devpath: &str, port: &str) -> bool {
    devpath.split('/').any(|name| {
        let Some((bus, path)) = name.split_once('-') else { return false };
        let below = path.strip_prefix(port);
        bus.bytes().all(|byte| byte.is_ascii_digit())
            && !bus.is_empty()
            && below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':']))
    })
}

#[cfg(test)]
mod tests {
    use super::{Truth, is_at_port};

    #[test]
    fn ports_are_found_in_devpaths() {
        for (devpath, port, is) in [
            ("/devices/x/usb1/1-2", "2", true),
            ("/devices/x/usb1/1-2/1-2:1.0", "2", true),
            ("/devices/x/usb1/1-2/1-2.1/1-2.1:1.0/host0", "2", true),
            ("/devices/x/usb1/1-2/1-2.1/1-2.1:1.0/host0", "2.1", true),
            ("/devices/x/usb1/1-2/1-2.1", "2.2", false),
            ("/devices/x/usb1/1-12", "2", false),
            ("/devices/x/usb1/1-21", "2", false),
            ("/devices/x/usb1", "2", false),
            ("/devices/x/usb1/1-0:1.0/usb1-port2", "2", false),
        ] {
            assert_eq!(is_at_port(devpath, port), is, "{devpath} {port}");
        }
    }

    #[test]
    fn sysfs_is_parsed_from_the_output_of_ls_and_grep() {
        let links = "/sys/class/net:\n\
                     lrwxrwxrwx    1 root     0     0 Jan  1 00:00 lo -> ../../devices/virtual/net/lo\n\n\
                     /sys/bus/usb/devices:\n\
                     lrwxrwxrwx    1 root     0     0 Jan  1 00:00 1-2 -> ../../../devices/x/usb1/1-2\n";
        let uevents = "/sys/class/net/lo/uevent:IFINDEX=1\n/sys/bus/usb/devices/1-2/uevent:DEVNUM=007\n";
        let truth = Truth::parse(links, uevents);
        assert_eq!(truth.0["/devices/virtual/net/lo"].subsystem, "net");
        assert_eq!(truth.0["/devices/virtual/net/lo"].properties["IFINDEX"], "1");
        assert_eq!(truth.0["/devices/x/usb1/1-2"].properties["DEVNUM"], "007");
        assert_eq!((truth.count("2", "usb"), truth.count("2", "net")), (1, 0));
    }
}
