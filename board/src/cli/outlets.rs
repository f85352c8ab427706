//! What `run` serves beside its output.

use std::path::Path;

use super::args::RunOptions;
use super::output::complain;
use crate::broker::{Broker, OpenError};
use crate::client::DEFAULT_PATH;
use crate::hooks::Hook;
use crate::profile::Profile;
use crate::worker::Worker;

/// Applications, and a program for each event.
pub(super) struct Outlets {
    broker: Option<Result<Broker, OpenError>>,
    hook: Option<Hook>,
}

impl Outlets {
    /// Nothing.
    pub(super) const fn none() -> Self {
        Self { broker: None, hook: None }
    }

    /// Opens all that is asked for, before there are threads; says why where that is impossible.
    pub(super) fn open(options: &RunOptions) -> Option<Self> {
        let hook = options.hook.as_deref().map(|program| {
            Hook::open(program, options.hook_timeout_ms).map_err(|error| {
                let program = program.to_string_lossy();
                complain(&format_args!("--hook {program}: no program to run: {error}"));
            })
        });
        let hook = hook.transpose().ok()?;
        let path = options.socket.as_deref().unwrap_or(Path::new(DEFAULT_PATH));
        let broker = Broker::open(path, options.socket_group);
        match &broker {
            // An image without one would look well and serve nobody; on a developer's machine the usual path may be
            // another daemon's.
            Err(error) if options.socket.is_some() || Profile::BUILD.is_fixed() => {
                complain(error);
                None
            }
            _ => Some(Self { broker: Some(broker), hook }),
        }
    }

    /// Why no application is served, if so.
    pub(super) fn unserved(&self) -> Option<&OpenError> {
        self.broker.as_ref()?.as_ref().err()
    }

    /// Gives them to a worker.
    pub(super) fn attach(self, mut worker: Worker) -> Worker {
        if let Some(Ok(broker)) = self.broker {
            worker = worker.serving(broker);
        }
        if let Some(hook) = self.hook {
            worker = worker.running(hook);
        }
        worker
    }
}
