//! Omits the unwinder from the program: the feature `small`.
//!
//! The standard library's panic message can walk the stack and look each frame up in the program's
//! debug information. An image's program is stripped and has none, yet the code that reads it takes
//! 200 kB of flash. Only the stack walk calls it (`_Unwind_Backtrace`): if the walk ends at once,
//! and the optimiser can see this, nothing needs that code. A panic still prints its place and its
//! message, and aborts.
//!
//! As panics abort, nothing calls the rest of the unwinder either (the [Itanium C++ ABI]'s
//! exception handling, level 1). The standard library, which is prebuilt, still refers to it. With
//! these names defined, an image needs no `libgcc_s.so`, and a static program contains no unwinder.
//! ARM has a different unwinder, which stays.
//!
//! [Itanium C++ ABI]: https://itanium-cxx-abi.github.io/cxx-abi/abi-eh.html

use std::ffi::{c_int, c_void};

/// `_URC_END_OF_STACK`.
const END_OF_STACK: c_int = 5;

// SAFETY: it stands for the unwinder's function of that name, with its arguments and result (`unwind.h`), on a stack
// without frames.
#[cfg_attr(not(test), unsafe(export_name = "_Unwind_Backtrace"))]
extern "C" fn walk(_visit: *const c_void, _argument: *mut c_void) -> c_int {
    END_OF_STACK
}

/// Functions that only an unwinder, or a function called by one, calls.
#[cfg(not(any(test, target_arch = "arm")))]
macro_rules! never_called {
    ($($name:ident)*) => {
        $(
            // SAFETY: it stands for the unwinder's function of that name, and ends any caller.
            #[unsafe(no_mangle)]
            extern "C" fn $name() -> ! {
                std::process::abort()
            }
        )*
    };
}

#[cfg(not(any(test, target_arch = "arm")))]
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

#[cfg(test)]
mod tests {
    use std::ffi::{c_int, c_void};
    use std::ptr::null_mut;

    use super::{END_OF_STACK, walk};

    extern "C" fn visit(_frame: *const c_void, _argument: *mut c_void) -> c_int {
        std::process::abort()
    }

    #[test]
    fn walk_visits_no_frame() {
        assert_eq!(walk(visit as *const c_void, null_mut()), END_OF_STACK);
    }
}
