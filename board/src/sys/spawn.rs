//! Starts a program without allocating: `posix_spawn(3)` maps a stack for each child.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;

use nix::errno::Errno;
use nix::libc::{self, c_char, c_int, c_void};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::retry;

/// The most variables of an environment: those of an event, and the added ones.
const MAX_VARIABLES: usize = 80;

/// Bytes of the stack on which a child makes its first system calls.
pub const STACK_BYTES: usize = 16 * 1024;

/// The data that the child reads and, if it fails, writes. It is in the parent's memory: the parent
/// sleeps until the child no longer uses it.
struct ChildStart {
    program: *const c_char,
    arguments: [*const c_char; 3],
    environment: [*const c_char; MAX_VARIABLES + 1],
    input: c_int,
    output: c_int,
    errno: c_int,
}

/// Starts a program in its own process group, with one argument after its name, `input` as standard
/// input, `output` as both outputs and no other descriptor, `/` as its directory, and no signal
/// blocked or ignored. Returns when the program runs: the kernel suspends this thread until then.
///
/// `environment` holds variables with a NUL after each; those beyond the 80th are left out.
///
/// # Errors
///
/// Returns the error of `clone(2)` or `execve(2)`.
pub fn spawn(
    program: &CStr,
    argument: &CStr,
    environment: &[u8],
    input: impl AsFd,
    output: impl AsFd,
    stack: &mut [u8; STACK_BYTES],
) -> nix::Result<Pid> {
    let mut start = ChildStart {
        program: program.as_ptr(),
        arguments: [program.as_ptr(), argument.as_ptr(), ptr::null()],
        environment: [ptr::null(); MAX_VARIABLES + 1],
        input: input.as_fd().as_raw_fd(),
        output: output.as_fd().as_raw_fd(),
        errno: 0,
    };
    let variables =
        environment.split_inclusive(|byte| *byte == 0).filter(|variable| variable.ends_with(b"\0"));
    for (place, variable) in start.environment[..MAX_VARIABLES].iter_mut().zip(variables) {
        *place = variable.as_ptr().cast();
    }
    let top = stack.as_mut_ptr_range().end;
    let top = top.wrapping_sub(top.addr() % 16);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: `run` has a stack of its own, whose top is aligned as every ABI wants it; `start` and what it points to
    // outlive the child's use of them, since with CLONE_VFORK this thread goes on only when the child has called
    // `execve` or `_exit`.
    let pid = unsafe { libc::clone(run, top.cast(), flags, (&raw mut start).cast()) };
    let pid = Pid::from_raw(Errno::result(pid)?);
    match start.errno {
        0 => Ok(pid),
        errno => {
            // It is a zombie by now.
            let _ = retry(|| waitpid(pid, None));
            Err(Errno::from_raw(errno))
        }
    }
}

/// Runs in the child, in its parent's memory: only system calls, no lock, no allocation.
extern "C" fn run(start: *mut c_void) -> c_int {
    // SAFETY: `spawn` hands over a `ChildStart`, and does not touch it while this runs; its pointers are to NUL-terminated
    // strings and to NULL-terminated arrays of such.
    unsafe {
        let start = &mut *start.cast::<ChildStart>();
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::setpgid(0, 0);
        // `execve` resets handlers, but not ignored signals. Two signals cannot be ignored.
        for signal in 1..=libc::SIGSYS {
            libc::signal(signal, libc::SIG_DFL);
        }
        libc::dup2(start.input, 0);
        libc::dup2(start.output, 1);
        libc::dup2(start.output, 2);
        libc::chdir(c"/".as_ptr());
        // Closes the descriptors of this process; since Linux 5.9.
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        libc::execve(start.program, start.arguments.as_ptr(), start.environment.as_ptr());
        start.errno = Errno::last_raw();
        libc::_exit(127)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, pipe};

    use nix::errno::Errno;
    use nix::libc;
    use nix::sys::signal::{SigSet, Signal};

    use super::{STACK_BYTES, spawn};

    fn wait(pid: nix::unistd::Pid) -> i32 {
        let mut status = 0;
        // SAFETY: `status` is valid for writes.
        assert_eq!(unsafe { libc::waitpid(pid.as_raw(), &raw mut status, 0) }, pid.as_raw());
        status
    }

    #[test]
    fn a_program_gets_its_argument_and_environment_and_nothing_else() {
        let blocked = SigSet::from_iter([Signal::SIGTERM]);
        blocked.thread_block().unwrap();
        let (mut reader, writer) = pipe().unwrap();
        let mut stack = Box::new([0; STACK_BYTES]);
        let null = File::open("/dev/null").unwrap();
        assert_eq!(spawn(c"/no/such/program", c"", b"", &null, &writer, &mut stack), Err(Errno::ENOENT));
        assert_eq!(spawn(c"/dev/null", c"", b"", &null, &writer, &mut stack), Err(Errno::EACCES));
        let pid =
            spawn(c"/usr/bin/env", c"-0", b"A=1\0B=two words\0torn", &null, &writer, &mut stack).unwrap();
        assert_eq!(wait(pid), 0);
        let pid = spawn(c"/bin/cat", c"/proc/self/status", b"", &null, &writer, &mut stack).unwrap();
        assert_eq!(wait(pid), 0);
        let pid = spawn(c"/bin/ls", c"/proc/self/fd", b"", &null, &writer, &mut stack).unwrap();
        assert_eq!(wait(pid), 0);
        let pid = spawn(c"/bin/cat", c"/proc/self/stat", b"", &null, &writer, &mut stack).unwrap();
        assert_eq!(wait(pid), 0);
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let rest = text.strip_prefix("A=1\0B=two words\0").unwrap_or_else(|| panic!("{text}"));
        assert!(rest.contains("SigBlk:\t0000000000000000"), "{rest}");
        // The two lowest of the real-time ones are the C library's own.
        let ignored = rest.split_once("SigIgn:\t").unwrap().1.split_at(16).0;
        assert_eq!(u64::from_str_radix(ignored, 16).unwrap() & 0x7fff_ffff, 0, "{rest}");
        assert!(rest.contains("\n0\n1\n2\n3\n"), "only those and that of the directory: {rest}");
        // Its process group is its own.
        assert!(
            rest.ends_with('\n') && rest.contains(&format!("{pid} (cat) R {} {pid} ", std::process::id())),
            "{rest}"
        );
    }
}
