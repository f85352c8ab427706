use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::cause::Cause;

/// Why applications cannot be served.
#[derive(Debug)]
#[non_exhaustive]
pub enum BrokerError {
    /// Another program listens there.
    Taken(PathBuf),
    /// The system refused, or the path cannot be a socket's: why, and what to do.
    Refused(String),
}

impl BrokerError {
    /// Makes the error of an operation, as it follows "cannot", on a file or directory.
    pub(super) fn failed(action: &str, path: &Path, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        let advice = match error.raw_os_error() {
            Some(nix::libc::EMFILE | nix::libc::ENFILE) => "",
            _ => {
                "; run sureplug as root, or choose with --socket a path in a directory that you may write to"
            }
        };
        Self::Refused(format!("cannot {action} {}: {}{advice}", path.display(), Cause(&error)))
    }

    /// Makes the error of a path that is no place for a socket.
    pub(super) fn unfit(path: &Path, reason: &str) -> Self {
        Self::Refused(format!("{}: {reason}", path.display()))
    }
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(path) => write!(
                f,
                "{}: another daemon serves it; end that, or choose another path with --socket",
                path.display()
            ),
            Self::Refused(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for BrokerError {}
