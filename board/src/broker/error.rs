use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use sureplug_core::protocol::{Refusal, RequestError};

use crate::capacity::MAX_CLIENTS;

/// Why applications cannot be served.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
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
    /// The system refused.
    Failed {
        /// The path of the socket that was to be.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

impl OpenError {
    pub(super) fn taken(path: &Path) -> Self {
        Self::Taken { path: path.to_owned() }
    }

    pub(super) fn failed(path: &Path, error: impl Into<io::Error>) -> Self {
        Self::Failed { path: path.to_owned(), error: error.into() }
    }
}

impl fmt::Display for OpenError {
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
            Self::Failed { path, error } => write!(
                f,
                "{}: no socket for applications: {error}; choose a path with --socket of 107 bytes at most, in a \
                 directory that is there and may be written to",
                path.to_string_lossy()
            ),
        }
    }
}

impl std::error::Error for OpenError {}

/// Why a client is not served.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reason {
    /// No client has a place for the stream any more.
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
