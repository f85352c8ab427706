use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};

use sureplug_core::stream::Stream;

/// Allocates an empty stream in memory that the system has zeroed: nothing is copied, and only the
/// parts in use cost memory.
#[must_use]
pub fn new_stream<const SLOTS: usize, const BYTES: usize, const RING: usize, const CONSUMERS: usize>()
-> Box<Stream<SLOTS, BYTES, RING, CONSUMERS>> {
    let layout = Layout::new::<Stream<SLOTS, BYTES, RING, CONSUMERS>>();
    const { assert!(size_of::<Stream<SLOTS, BYTES, RING, CONSUMERS>>() > 0) };
    // SAFETY: the layout is not of zero bytes.
    let memory = unsafe { alloc_zeroed(layout) };
    if memory.is_null() {
        handle_alloc_error(layout);
    }
    // SAFETY: the global allocator gave this memory for the layout of that type, and zeros are an empty stream
    // (`Stream::new`; the test below looks at each byte).
    unsafe { Box::from_raw(memory.cast()) }
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use sureplug_core::selection::Selection;
    use sureplug_core::stream::{Lag, Stream};

    use super::new_stream;

    type Small = Stream<4, 512, 512, 2>;

    #[test]
    fn an_empty_stream_is_all_zeros() {
        let mut memory = MaybeUninit::<Small>::zeroed();
        memory.write(Small::new());
        // SAFETY: all bytes were initialised before, and there is no padding in the few that `write` may leave alone.
        let bytes = unsafe { std::slice::from_raw_parts(memory.as_ptr().cast::<u8>(), size_of::<Small>()) };
        assert!(bytes.iter().all(|&byte| byte == 0));
    }

    #[test]
    fn a_stream_on_the_heap_takes_consumers() {
        let mut stream = new_stream::<4, 512, 512, 2>();
        assert_eq!((stream.devices(), stream.steps()), (0, 0));
        assert!(stream.join(Selection::ALL, Lag::Hold).is_some());
    }
}
