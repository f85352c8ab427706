use std::fmt;
use std::io;

use nix::libc;

use crate::sys;

/// An error of the system as an operator needs it: for a missing descriptor with the limit, and what to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cause<'e>(pub(crate) &'e io::Error);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)?;
        match self.0.raw_os_error() {
            Some(libc::EMFILE) => {
                let limit = sys::descriptor_limit();
                write!(
                    f,
                    "; RLIMIT_NOFILE allows this process {limit} descriptors: raise it to 64 or more (ulimit -n)"
                )
            }
            Some(libc::ENFILE) => {
                f.write_str("; the system has no descriptor left: raise the sysctl fs.file-max")
            }
            _ => Ok(()),
        }
    }
}
