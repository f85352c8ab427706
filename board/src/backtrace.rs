//! What the program does without: the names and lines of a backtrace.
//!
//! The standard library's panic message can walk the stack and look each frame up in the program's debug
//! information. An image's program is stripped and has none, and yet that code is some 200 kB of flash. It is
//! called from the walk alone (`_Unwind_Backtrace` of the [Itanium C++ ABI]'s level 1 extensions): a walk that
//! ends at once, and that the optimizer sees to do so, leaves nothing that needs it. A panic still says where it
//! was and what went wrong, and aborts.
//!
//! Only the program has this, and only as released: the library leaves an application's backtraces alone.
//!
//! [Itanium C++ ABI]: https://itanium-cxx-abi.github.io/cxx-abi/abi-eh.html

use std::ffi::{c_int, c_void};

/// `_URC_END_OF_STACK`.
const END_OF_STACK: c_int = 5;

// SAFETY: of this name there is what the unwinder brings, and this stands for it: the same arguments and result
// (`unwind.h`), for a stack without frames. Nothing unwinds under `panic = "abort"`.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_visit: *const c_void, _argument: *mut c_void) -> c_int {
    END_OF_STACK
}
