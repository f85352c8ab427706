use std::fmt;
use std::io;

use nix::errno::Errno;

use crate::sys;

/// An error of the system with advice for the operator, if no descriptor is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cause<E>(pub(crate) E);

impl fmt::Display for Cause<&io::Error> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = Errno::from_raw(self.0.raw_os_error().unwrap_or_default());
        write!(f, "{}{}", self.0, Advice(errno))
    }
}

/// Does not allocate, so that a running daemon can report it.
impl fmt::Display for Cause<Errno> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0, Advice(self.0))
    }
}

/// The advice after an error: the limit and how to raise it if no descriptor is left, and empty
/// otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Advice(pub(crate) Errno);

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Errno::EMFILE => {
                let limit = sys::descriptor_limit();
                write!(
                    f,
                    "; RLIMIT_NOFILE allows this process {limit} descriptors: raise it to 64 or more (ulimit -n)"
                )
            }
            Errno::ENFILE => f.write_str("; the system has no descriptor left: raise the sysctl fs.file-max"),
            _ => Ok(()),
        }
    }
}
