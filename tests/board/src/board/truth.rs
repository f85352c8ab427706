use std::thread;
use std::time::{Duration, Instant};

use super::{Board, PATIENCE};
use crate::truth::Truth;

impl Board {
    /// Waits until a command of the guest's shell succeeds.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn wait_until(&mut self, command: &str) {
        let end = Instant::now() + PATIENCE;
        while self.shell.try_run(command).0 != 0 {
            assert!(Instant::now() < end, "waited in vain for: {command}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until a process of the guest has a uevent socket, by its port, which is the process's number.
    ///
    /// # Panics
    ///
    /// If it gets none.
    pub fn wait_until_it_listens(&mut self, pid: u64) {
        self.wait_until(&format!(
            "awk '$2 == 15 && $3 == {pid} {{ found = 1 }} END {{ exit !found }}' /proc/net/netlink"
        ));
    }

    /// What the guest's sysfs shows now.
    pub fn truth(&mut self) -> Truth {
        Truth::read(&mut self.shell)
    }

    /// Returns `true` if sysfs shows exactly the devices that are plugged in.
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

    /// Waits until sysfs shows the plugged-in devices, and the daemon has reported exactly these,
    /// as far as it selects them.
    ///
    /// # Panics
    ///
    /// Panics if this does not happen, or if the daemon breaks a rule of its stream.
    pub fn settle(&mut self) -> Truth {
        let end = Instant::now() + PATIENCE;
        loop {
            let mut truth = self.wait_for_sysfs();
            self.listen();
            truth.0.retain(|_, device| self.log.selects(&device.subsystem));
            let difference = truth.difference(&self.log.fold);
            if difference.is_empty() {
                return truth;
            }
            assert!(Instant::now() < end, "reports and sysfs differ: {difference:?}");
            thread::sleep(Duration::from_millis(100));
        }
    }
}
