//! Collects what `defmt` encodes, for the tests. Linking this crate makes it the program's logger.

use std::cell::RefCell;

use defmt::Encoder;

struct Collector {
    encoder: Encoder,
    encoded: Vec<u8>,
}

thread_local! {
    static COLLECTOR: RefCell<Collector> =
        const { RefCell::new(Collector { encoder: Encoder::new(), encoded: Vec::new() }) };
}

fn collect(encode: impl FnOnce(&mut Encoder, &mut dyn FnMut(&[u8]))) {
    COLLECTOR.with_borrow_mut(|Collector { encoder, encoded }| {
        encode(encoder, &mut |bytes| encoded.extend_from_slice(bytes));
    });
}

#[defmt::global_logger]
struct Logger;

// SAFETY: each thread has a collector of its own, so nothing is shared; and a frame cannot begin within
// another, since nothing logs while it is formatted.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        collect(|encoder, write| encoder.start_frame(write));
    }

    unsafe fn flush() {}

    unsafe fn release() {
        collect(|encoder, write| encoder.end_frame(write));
    }

    unsafe fn write(bytes: &[u8]) {
        collect(|encoder, write| encoder.write(bytes, write));
    }
}

/// What `log` sends.
#[must_use]
pub fn sent(log: impl FnOnce()) -> Vec<u8> {
    COLLECTOR.with_borrow_mut(|collector| collector.encoded.clear());
    log();
    COLLECTOR.with_borrow_mut(|collector| std::mem::take(&mut collector.encoded))
}
