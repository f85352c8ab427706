use std::fmt;
use std::io;

use nix::errno::Errno;

use crate::sys;

/// Shows a system's error to an operator. If descriptors ran out, it adds the limit and the cure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cause<E>(pub(crate) E);

impl fmt::Display for Cause<&io::Error> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = Errno::from_raw(self.0.raw_os_error().unwrap_or_default());
        write!(f, "{}{}", self.0, Advice(errno))
    }
}

/// Without an allocation, for the reports of a running daemon.
impl fmt::Display for Cause<Errno> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0, Advice(self.0))
    }
}

/// The text after an error; empty unless descriptors ran out.
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
