//! What any firmware must bring: a panic handler, and for `defmt` a logger and a clock. None does anything.

use core::hint::black_box;
use core::panic::PanicInfo;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

#[defmt::global_logger]
struct Logger;

// SAFETY: there is one thread, no interrupt is on, and nothing is shared.
unsafe impl defmt::Logger for Logger {
    fn acquire() {}

    unsafe fn flush() {}

    unsafe fn release() {}

    unsafe fn write(bytes: &[u8]) {
        black_box(bytes);
    }
}

defmt::timestamp!("{=u32}", 0);
