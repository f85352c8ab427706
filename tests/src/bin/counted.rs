//! The program `sureplug` with its allocations counted: `counted FILE [ARGUMENT...]`. The first eight bytes of FILE are the
//! number of calls so far that allocate or give back memory, those within the C library included: it calls these
//! functions if a program defines them (*Replacing malloc* in the glibc manual). With `control` as the only argument, the exit
//! code is the number for a function of the C library that allocates once.

use std::env;
use std::fs::OpenOptions;
use std::hint::black_box;
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use nix::libc;

/// The number in FILE; null until that is mapped.
static NUMBER: AtomicPtr<AtomicU64> = AtomicPtr::new(null_mut());

/// The number; `None` until FILE is mapped.
fn number() -> Option<&'static AtomicU64> {
    // SAFETY: it is null, or points to a mapping that stays.
    unsafe { NUMBER.load(Ordering::Relaxed).as_ref() }
}

/// Not in a static program, in which the C library's own functions of these names are as well.
#[cfg(all(target_env = "gnu", not(target_feature = "crt-static")))]
mod allocator {
    use std::ffi::c_void;
    use std::sync::atomic::Ordering;

    use nix::libc::{self, c_int};

    use super::number;

    unsafe extern "C" {
        fn __libc_malloc(size: usize) -> *mut c_void;
        fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
        fn __libc_realloc(pointer: *mut c_void, size: usize) -> *mut c_void;
        fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
        fn __libc_free(pointer: *mut c_void);
    }

    /// Defines a function of the C library's allocator that counts its calls.
    macro_rules! counted {
        ($($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? = $call:expr;)*) => {
            $(
                // SAFETY: it does what the C library's function of that name does, and hands on what its caller promises.
                #[unsafe(no_mangle)]
                unsafe extern "C" fn $name($($argument: $type),*) $(-> $result)? {
                    if let Some(number) = number() {
                        number.fetch_add(1, Ordering::Relaxed);
                    }
                    // SAFETY: as above.
                    unsafe { $call }
                }
            )*
        };
    }

    counted! {
        malloc(size: usize) -> *mut c_void = __libc_malloc(size);
        calloc(count: usize, size: usize) -> *mut c_void = __libc_calloc(count, size);
        realloc(pointer: *mut c_void, size: usize) -> *mut c_void = __libc_realloc(pointer, size);
        memalign(alignment: usize, size: usize) -> *mut c_void = __libc_memalign(alignment, size);
        aligned_alloc(alignment: usize, size: usize) -> *mut c_void = __libc_memalign(alignment, size);
        free(pointer: *mut c_void) = __libc_free(pointer);
        posix_memalign(to: *mut *mut c_void, alignment: usize, size: usize) -> c_int = {
            let memory = __libc_memalign(alignment, size);
            *to = memory;
            if memory.is_null() { libc::ENOMEM } else { 0 }
        };
    }
}

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let file = arguments.next().expect("FILE");
    let file = OpenOptions::new().read(true).write(true).open(file).expect("a file of eight bytes");
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: the mapping is new, and nothing unmaps it.
    let mapping = unsafe { libc::mmap(null_mut(), 8, protection, libc::MAP_SHARED, file.as_raw_fd(), 0) };
    assert_ne!(mapping, libc::MAP_FAILED);
    drop(file);
    NUMBER.store(mapping.cast(), Ordering::Relaxed);
    let arguments: Vec<_> = arguments.collect();
    if arguments == ["control"] {
        let counted = || number().map_or(0, |number| number.load(Ordering::Relaxed));
        let before = counted();
        // SAFETY: the text ends with a NUL.
        black_box(unsafe { libc::strdup(c"7".as_ptr()) });
        return u8::try_from(counted() - before).unwrap_or(u8::MAX).into();
    }
    sureplug_board::cli::main(arguments)
}
