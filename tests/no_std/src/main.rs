//! Firmware that uses all that `sureplug-core` offers, with all its features. It links only if nothing
//! wants the standard library or an allocator, since it brings neither.
//!
//! Built for `thumbv7em-none-eabihf`; see the script `check`.

#![no_std]
#![no_main]

use core::convert::Infallible;
use core::hint::black_box;

use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::netlink::DropCounter;
use sureplug_core::netlink::{KernelUids, Sender};
use sureplug_core::rcvbuf::{DeviceClass, SizingError, SkbAbi, parse_u32};
use sureplug_core::uevent::{EncodeError, Encoder, ParseError, Uevent, UeventBuf};

mod stubs;

#[cfg(feature = "allocator")]
mod allocator;

const TRUESIZE: u32 = SkbAbi::ARM64_6_1.truesize(293);

#[derive(defmt::Format)]
enum Failure {
    Parse(ParseError),
    Encode(EncodeError),
    Size(SizingError),
}

/// Where the firmware begins.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    let datagram = black_box(b"add@/devices/usb2/2-1\0SUBSYSTEM=usb\0BUSNUM=002\0SEQNUM=966\0");
    let Err(failure) = run(datagram);
    defmt::println!("{}", failure);
    #[cfg(feature = "allocator")]
    allocator::allocate();
    loop {
        core::hint::spin_loop();
    }
}

fn run(datagram: &[u8]) -> Result<Infallible, Failure> {
    let mut drops = DropCounter::starting_at(0);
    loop {
        let uevent = Uevent::parse(datagram).map_err(Failure::Parse)?;
        let kept = UeventBuf::<MAX_DATAGRAM_BYTES>::copy_of(&uevent).map_err(Failure::Encode)?;
        let mut buffer = [0; 256];
        kept.as_uevent().encode(&mut buffer).map_err(Failure::Encode)?;
        let mut encoder =
            Encoder::new(&mut buffer, uevent.action(), uevent.devpath()).map_err(Failure::Encode)?;
        encoder.property(b"SUREPLUG_TRACKED", b"no").map_err(Failure::Encode)?;
        black_box(encoder.finish());
        defmt::println!("{} {} {}", uevent, kept, uevent.product());

        let ports = parse_u32(black_box("4"), &(1..=127)).map_err(Failure::Size)?;
        defmt::println!("{=u32} {=u32}", ports, TRUESIZE);
        black_box(DeviceClass::Keyboard.profile().devices);
        let sender = Sender { port: 0, groups: 1, uid: Some(0) };
        defmt::println!("{} {}", drops.observe(black_box(1)), KernelUids::INITIAL.believe(black_box(sender)));
    }
}
