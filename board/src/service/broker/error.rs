use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::cause::Cause;

/// Error opening the applications' socket.
#[derive(Debug)]
#[non_exhaustive]
pub enum BrokerError {
    /// Another process uses the path.
    Taken(PathBuf),
    /// The socket cannot be created: the reason, and what to do.
    Refused(String),
}

impl BrokerError {
    /// Creates the error of an action, worded to follow "cannot", on a file or directory.
    pub(super) fn failed(action: &str, path: &Path, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        let advice = match error.raw_os_error() {
            Some(nix::libc::EMFILE | nix::libc::ENFILE) => "",
            _ => "; run sureplug as root, or choose a path in a writable directory with --socket",
        };
        Self::Refused(format!("cannot {action} {}: {}{advice}", path.display(), Cause(&error)))
    }

    /// Creates the error of an unsuitable path.
    pub(super) fn unfit(path: &Path, reason: &str) -> Self {
        Self::Refused(format!("{}: {reason}", path.display()))
    }
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(path) => write!(
                f,
                "{}: another daemon uses it; stop that daemon, or choose another path with --socket",
                path.display()
            ),
            Self::Refused(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for BrokerError {}
