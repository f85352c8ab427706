//! `sureplug-core` as firmware of a microcontroller: it parses uevents that were captured on a board, and logs them
//! with `defmt`.
//!
//! Built for `thumbv7em-none-eabihf` and run by QEMU as an `mps2-an386`; see the script `check`.

#![no_std]
#![no_main]

use core::panic::PanicInfo;

use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use defmt_semihosting as _;
use sureplug_core::rcvbuf::SkbAbi;
use sureplug_core::uevent::Uevent;

/// For each event a length (`u32`, little endian), and the datagram.
const CAPTURES: [&[u8]; 4] = [
    include_bytes!("../../vectors/6.1-armhf/kbd_plug.bin"),
    include_bytes!("../../vectors/6.1-armhf/kbd_unplug.bin"),
    include_bytes!("../../vectors/6.1-armhf/storage_ss_mbr4_plug.bin"),
    include_bytes!("../../vectors/6.1-armhf/storage_ss_mbr4_unplug.bin"),
];

#[entry]
fn main() -> ! {
    let mut charge = 0;
    for capture in CAPTURES {
        let mut rest = capture;
        while let Some((length, after)) = rest.split_first_chunk() {
            let (datagram, after) = after.split_at(u32::from_le_bytes(*length) as usize);
            rest = after;
            charge += SkbAbi::ARM_6_1.truesize(u32::from_le_bytes(*length));
            match Uevent::parse(datagram) {
                Ok(uevent) => defmt::println!("{}", uevent),
                Err(error) => defmt::println!("refused: {}", error),
            }
        }
    }
    // One that is cut short.
    let Err(error) = Uevent::parse(b"add@/devices/x\0ACTION=ad") else { exit_with(false) };
    defmt::println!("refused: {}", error);
    defmt::println!("charge: {=u32} B", charge);
    exit_with(true)
}

/// Ends QEMU.
fn exit_with(success: bool) -> ! {
    debug::exit(if success { EXIT_SUCCESS } else { EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit_with(false)
}

defmt::timestamp!("{=u32}", 0);
