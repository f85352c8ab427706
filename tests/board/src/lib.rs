//! Emulated ARM boards with real USB hot-plug: Debian's kernels on QEMU's `virt` machine, with
//! `sureplug` started by an init script and its log on the serial console.
//!
//! A [`Board`] is booted once and runs many scenarios. A scenario is a short function: it plugs
//! [`Usb`] devices, and compares the daemon's output on the serial line with the guest's sysfs.

mod architecture;
mod board;
mod charge;
mod initramfs;
mod lines;
mod log;
mod modules;
mod qemu;
mod qmp;
mod scenario;
mod shell;
mod storage;
mod truth;
mod usb;

pub use architecture::Architecture;
pub use board::{Board, PATIENCE, Source};
pub use charge::kernels_charge;
pub use lines::Lines;
pub use log::Log;
pub use qemu::Extra;
pub use scenario::{Group, Scenario, run_all};
pub use shell::Shell;
pub use truth::{Device, Truth};
pub use usb::Usb;

#[cfg(test)]
mod tests {
    #[test]
    fn the_manual_has_the_script_that_the_boards_run() {
        let manual = include_str!("../../../board/MANUAL.md");
        assert!(manual.contains(include_str!("../guest/S30sureplug")), "board/MANUAL.md has another script");
    }
}
