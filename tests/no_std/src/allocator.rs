//! An allocator after all, that the check must find.

extern crate alloc;

use alloc::boxed::Box;
use core::alloc::{GlobalAlloc, Layout};
use core::hint::black_box;
use core::ptr::null_mut;

#[global_allocator]
static ALLOCATOR: Empty = Empty;

struct Empty;

// SAFETY: it never hands out memory; null means failure.
unsafe impl GlobalAlloc for Empty {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

/// Allocates.
pub(crate) fn allocate() {
    black_box(Box::new(black_box(1)));
}
