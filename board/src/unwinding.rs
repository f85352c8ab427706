//! What the program does without: to unwind its stack.
//!
//! The standard library's panic message can walk the stack, and look each frame up in the program's debug
//! information. An image's program is stripped and has none, and yet the code that would read it is 200 kB of flash.
//! Only the walk calls it (`_Unwind_Backtrace`): a walk that ends at once, and that the optimizer sees to do so,
//! leaves nothing that needs it. A panic still says where it was and what went wrong, and aborts.
//!
//! As panics abort, nothing calls the rest of the unwinder either (the [Itanium C++ ABI]'s exception handling, level 1).
//! The standard library, which is built once for all, still refers to it: with the names here, no `libgcc_s.so` has to be
//! in the image, and no unwinder in a static program. ARM has an unwinder of its own, which stays.
//!
//! Only the program has this, and only as released: the library leaves an application's panics alone.
//!
//! [Itanium C++ ABI]: https://itanium-cxx-abi.github.io/cxx-abi/abi-eh.html

use std::ffi::{c_int, c_void};

/// `_URC_END_OF_STACK`.
const END_OF_STACK: c_int = 5;

// SAFETY: it stands for the unwinder's function of that name, with its arguments and result (`unwind.h`), on a stack
// without frames.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_visit: *const c_void, _argument: *mut c_void) -> c_int {
    END_OF_STACK
}

/// Functions of the unwinder that only an unwinder calls, or who was called by one.
#[cfg(not(target_arch = "arm"))]
macro_rules! never_called {
    ($($name:ident)*) => {
        $(
            // SAFETY: it stands for the unwinder's function of that name; whoever calls it after all is ended.
            #[unsafe(no_mangle)]
            extern "C" fn $name() -> ! {
                std::process::abort()
            }
        )*
    };
}

#[cfg(not(target_arch = "arm"))]
never_called! {
    _Unwind_GetDataRelBase
    _Unwind_GetIPInfo
    _Unwind_GetLanguageSpecificData
    _Unwind_GetRegionStart
    _Unwind_GetTextRelBase
    _Unwind_Resume
    _Unwind_SetGR
    _Unwind_SetIP
}
