use std::thread;
use std::time::{Duration, Instant};

use super::{Board, PATIENCE};
use crate::log::Log;
use crate::truth::Truth;

/// What must be the same in sysfs and in what was told, if a device has it.
const IDENTITY: [&str; 8] =
    ["MAJOR", "MINOR", "DEVNAME", "BUSNUM", "DEVNUM", "DISKSEQ", "IFINDEX", "PRODUCT"];

impl Board {
    /// What the guest's sysfs shows now.
    pub fn truth(&mut self) -> Truth {
        Truth::read(&mut self.shell)
    }

    /// Whether all that was plugged in has come, and all else has gone, in sysfs.
    #[must_use]
    pub fn shows_what_is_plugged(&self, truth: &Truth) -> bool {
        let has_come = self.plugged.iter().all(|(port, usb)| usb.is_complete(truth, port));
        let mut present = truth.0.values().filter_map(|device| {
            let devname = device.properties.get("DEVNAME")?;
            (device.subsystem == "usb" && devname.starts_with("bus/usb/")).then_some(())
        });
        // The two root hubs are always there.
        has_come && present.by_ref().count() == self.plugged.len() + 2
    }

    /// Waits until sysfs shows what is plugged in.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub fn wait_for_sysfs(&mut self) -> Truth {
        let end = Instant::now() + PATIENCE;
        loop {
            let truth = self.truth();
            if self.shows_what_is_plugged(&truth) {
                return truth;
            }
            assert!(Instant::now() < end, "sysfs does not show what is plugged in: {:?}", self.plugged);
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until sysfs shows what is plugged in, and the daemon has told exactly that, as far as it tells of it.
    ///
    /// # Panics
    ///
    /// If it does not, or broke a rule of its stream.
    pub fn settle(&mut self) -> Truth {
        let end = Instant::now() + PATIENCE;
        loop {
            let mut truth = self.wait_for_sysfs();
            self.listen();
            truth.0.retain(|_, device| self.log.tells_of(&device.subsystem));
            let difference = difference(&truth, &self.log);
            if difference.is_empty() {
                return truth;
            }
            assert!(Instant::now() < end, "told and true differ: {difference:?}");
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// In what the fold is not what sysfs shows.
fn difference(truth: &Truth, log: &Log) -> Vec<String> {
    let mut difference = Vec::new();
    for (devpath, device) in &truth.0 {
        let Some(told) = log.fold.present.get(devpath) else {
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
    let phantoms = log.fold.present.keys().filter(|devpath| !truth.0.contains_key(*devpath));
    difference.extend(phantoms.map(|devpath| format!("{devpath} is gone")));
    difference
}
