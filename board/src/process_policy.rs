//! Sets the process's standing: locked memory, a real-time priority, and a score for the kernel's
//! out-of-memory killer.

use std::fmt;
use std::io;
use std::path::Path;

use nix::sys::mman::{MlockAllFlags, mlockall};

use crate::file;
use crate::sys;

/// The requested policy. The default changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessPolicy {
    /// Locks all memory: `mlockall(2)`.
    pub lock_memory: bool,
    /// The real-time priority of the thread that reads the socket, 1 to 99: `SCHED_FIFO` in
    /// `sched(7)`.
    pub intake_priority: Option<u32>,
    /// The score of `/proc/PID/oom_score_adj`, -1000 to 1000 (`proc(5)`).
    pub oom_score_adj: Option<i32>,
}

/// Error applying a policy: the system refused an option.
#[derive(Debug)]
pub struct PolicyError {
    option: &'static str,
    error: io::Error,
    remedy: &'static str,
}

impl PolicyError {
    fn priority(error: io::Error) -> Self {
        let remedy = "give sureplug CAP_SYS_NICE, or an RLIMIT_RTPRIO (LimitRTPRIO=)";
        Self { option: "--intake-priority", error, remedy }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { option, error, remedy } = self;
        write!(f, "{option} was refused: {error}; {remedy}, or omit the option")
    }
}

impl std::error::Error for PolicyError {}

impl ProcessPolicy {
    /// Applies the parts that concern the whole process.
    ///
    /// # Errors
    ///
    /// Returns an error for the first option that the system refuses.
    pub fn apply(&self) -> Result<(), PolicyError> {
        if let Some(score) = self.oom_score_adj {
            let remedy =
                "give sureplug CAP_SYS_RESOURCE, or choose a score that is not below the present one";
            file::write_text(Path::new("/proc/self/oom_score_adj"), &score.to_string())
                .map_err(|error| PolicyError { option: "--oom-score-adj", error, remedy })?;
        }
        if self.lock_memory {
            // Memory mapped later is locked too: the stacks of threads, and tables that fill up
            // during use.
            let remedy = "give sureplug CAP_IPC_LOCK, or a larger RLIMIT_MEMLOCK (LimitMEMLOCK=)";
            mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE)
                .map_err(|errno| PolicyError { option: "--lock-memory", error: errno.into(), remedy })?;
        }
        Ok(())
    }

    /// Calls `start` at the priority, which its threads inherit (`sched(7)`). The calling thread
    /// then returns to normal priority.
    ///
    /// # Errors
    ///
    /// Returns an error if the priority is refused.
    pub fn with_priority<T>(&self, start: impl FnOnce() -> T) -> Result<T, PolicyError> {
        let Some(priority) = self.intake_priority else { return Ok(start()) };
        sys::set_realtime_priority(priority).map_err(PolicyError::priority)?;
        let started = start();
        sys::set_realtime_priority(0).map_err(PolicyError::priority)?;
        Ok(started)
    }
}
