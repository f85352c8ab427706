//! Reads sysfs in the simplest way, as the reference for a stream of events.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::fold::Fold;

/// The devpaths of all devices that a class or a bus below `sysfs` lists.
#[must_use]
pub fn devpaths(sysfs: &Path) -> BTreeSet<String> {
    let mut devpaths = BTreeSet::new();
    for (place, below) in [("class", ""), ("bus", "devices")] {
        for subsystem in names(&sysfs.join(place)) {
            let directory = sysfs.join(place).join(subsystem).join(below);
            for name in names(&directory) {
                // A file is no device.
                let Ok(target) = fs::read_link(directory.join(name)) else { continue };
                let target = target.to_string_lossy();
                let devpath = target.trim_start_matches("../");
                if devpath.starts_with("devices/") {
                    devpaths.insert(format!("/{devpath}"));
                }
            }
        }
    }
    devpaths
}

/// Index of each net device, by name.
#[must_use]
pub fn net_devices(sysfs: &Path) -> BTreeMap<String, String> {
    let directory = sysfs.join("class/net");
    let index = |name: String| {
        let index = fs::read_to_string(directory.join(&name).join("ifindex")).ok()?;
        Some((name, index.trim().to_owned()))
    };
    names(&directory).into_iter().filter_map(index).collect()
}

/// That the fold knows exactly what sysfs shows: all devices, and which net device each is.
///
/// # Panics
///
/// If it does not.
pub fn assert_true(fold: &Fold, sysfs: &Path, what: &str) {
    let delivered: BTreeSet<String> = fold.present.keys().cloned().collect();
    let truth = devpaths(sysfs);
    let missing: Vec<_> = truth.difference(&delivered).collect();
    let phantoms: Vec<_> = delivered.difference(&truth).collect();
    assert!(missing.is_empty() && phantoms.is_empty(), "{what}: missing {missing:?}, phantoms {phantoms:?}");
    let delivered = fold.present.iter().filter(|(_, device)| device.subsystem == "net");
    let delivered: BTreeMap<String, String> = delivered
        .map(|(devpath, device)| {
            let name = devpath.rsplit('/').next().unwrap_or_default();
            (name.to_owned(), device.properties["IFINDEX"].clone())
        })
        .collect();
    assert_eq!(delivered, net_devices(sysfs), "{what}");
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
