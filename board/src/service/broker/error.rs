use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use sureplug_core::protocol::{Refusal, RequestError};

use crate::engine::capacity::MAX_CLIENTS;

/// Why applications cannot be served.
#[derive(Debug)]
#[non_exhaustive]
pub enum BrokerError {
    /// Another program listens there.
    Taken {
        /// Where.
        path: PathBuf,
    },
    /// Something else is there.
    NotASocket {
        /// Where.
        path: PathBuf,
    },
    /// The path exceeds what the kernel takes as a socket's address.
    TooLong {
        /// The path.
        path: PathBuf,
    },
    /// The system refused.
    Failed {
        /// The operation, as it follows "cannot".
        action: &'static str,
        /// The file or directory that it was about.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

impl BrokerError {
    pub(super) fn taken(path: &Path) -> Self {
        Self::Taken { path: path.to_owned() }
    }

    pub(super) fn failed(action: &'static str, path: &Path, error: impl Into<io::Error>) -> Self {
        Self::Failed { action, path: path.to_owned(), error: error.into() }
    }
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { path } => write!(
                f,
                "{}: another daemon serves it; end that, or choose another path with --socket",
                path.to_string_lossy()
            ),
            Self::NotASocket { path } => {
                write!(f, "{}: there is something that is no socket; remove it", path.to_string_lossy())
            }
            Self::TooLong { path } => write!(
                f,
                "{}: the path of a socket has at most 107 bytes; choose a shorter one with --socket",
                path.to_string_lossy()
            ),
            Self::Failed { action, path, error } => write!(
                f,
                "cannot {action} {}: {error}; run sureplug as root, or choose with --socket a path in a directory that \
                 you may write to",
                path.to_string_lossy()
            ),
        }
    }
}

impl std::error::Error for BrokerError {}

/// Why a client is not served.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reason {
    TooManyClients,
    BadRequest(RequestError),
    SecondRequest,
    Ending,
}

impl Reason {
    pub(super) const fn refusal(self) -> Refusal {
        match self {
            Self::TooManyClients => Refusal::Busy,
            Self::BadRequest(_) => Refusal::BadRequest,
            Self::SecondRequest => Refusal::SecondRequest,
            Self::Ending => Refusal::Ending,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyClients => write!(f, "{MAX_CLIENTS} clients are served already: end one of them"),
            Self::BadRequest(error) => error.fmt(f),
            Self::SecondRequest => f.write_str("one request is all: connect again for another"),
            Self::Ending => f.write_str("the daemon ends"),
        }
    }
}
