//! The program's own code.

use std::ffi::c_void;
use std::ptr;

use nix::libc;

// SAFETY: the GNU linkers and LLVM's define both (ld(1), "Provide standard symbols"); only their addresses are used.
unsafe extern "C" {
    static __executable_start: u8;
    static etext: u8;
}

/// Gives back the pages of the program's code: those that are used again come back from the page cache. What only the
/// start needs, and what lies around it, then takes no memory of this process any more: the kernel maps 64 KiB around
/// each page that is touched (`do_fault_around` in `mm/memory.c`).
pub fn release_text() {
    let (start, end) = (ptr::addr_of!(__executable_start), ptr::addr_of!(etext));
    // SAFETY: `sysconf` takes a number.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4_096);
    // Not the page in which the code ends: others may follow in it.
    let length = (end.addr() - start.addr()) / page * page;
    // SAFETY: from the first byte of the image, which is at a page's beginning, to its code's end everything is a private
    // mapping of the program's file that nobody has written to, so that each page is read from there again; the linker
    // puts what the loader writes to behind the code.
    unsafe { libc::madvise(start.cast_mut().cast::<c_void>(), length, libc::MADV_DONTNEED) };
}

#[cfg(test)]
mod tests {
    use super::release_text;

    #[test]
    fn the_program_goes_on() {
        for round in 0..3 {
            release_text();
            assert_eq!(format!("{round:>3}"), ["  0", "  1", "  2"][round]);
        }
    }
}
