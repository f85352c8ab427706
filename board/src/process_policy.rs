//! The process's standing on the system: memory that is never paged out, a higher priority, and a
//! score for the kernel's choice of a process to kill when memory runs out.

use std::fmt;
use std::io;
use std::path::Path;

use nix::sys::mman::{MlockAllFlags, mlockall};

use crate::file;
use crate::sys;

/// The requested policy; by default everything stays unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessPolicy {
    /// Keeps all memory resident: `mlockall(2)`.
    pub lock_memory: bool,
    /// Real-time priority of the thread that reads the socket, 1 to 99: `SCHED_FIFO` of `sched(7)`.
    pub intake_priority: Option<u32>,
    /// -1000 to 1000, as in `/proc/PID/oom_score_adj` (`proc(5)`).
    pub oom_score_adj: Option<i32>,
}

/// The system refused a part of the policy.
#[derive(Debug)]
pub struct PolicyError {
    option: &'static str,
    error: io::Error,
    cure: &'static str,
}

impl PolicyError {
    fn priority(error: io::Error) -> Self {
        let cure = "give sureplug CAP_SYS_NICE, or an RLIMIT_RTPRIO (LimitRTPRIO=)";
        Self { option: "--intake-priority", error, cure }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { option, error, cure } = self;
        write!(f, "{option} was refused: {error}; {cure}, or do without the option")
    }
}

impl std::error::Error for PolicyError {}

impl ProcessPolicy {
    /// Applies the parts that concern the whole process.
    ///
    /// # Errors
    ///
    /// Returns the first part that was refused.
    pub fn apply(&self) -> Result<(), PolicyError> {
        if let Some(score) = self.oom_score_adj {
            let cure = "give sureplug CAP_SYS_RESOURCE, or ask for no less than it has";
            file::write_text(Path::new("/proc/self/oom_score_adj"), &score.to_string())
                .map_err(|error| PolicyError { option: "--oom-score-adj", error, cure })?;
        }
        if self.lock_memory {
            // Including later mappings: stacks of threads, and tables that fill up during use.
            let cure = "give sureplug CAP_IPC_LOCK, or a larger RLIMIT_MEMLOCK (LimitMEMLOCK=)";
            mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE)
                .map_err(|errno| PolicyError { option: "--lock-memory", error: errno.into(), cure })?;
        }
        Ok(())
    }

    /// Starts something whose threads have the priority. The calling thread does not keep it.
    ///
    /// # Errors
    ///
    /// Returns an error if the priority was refused.
    pub fn with_priority<T>(&self, start: impl FnOnce() -> T) -> Result<T, PolicyError> {
        let Some(priority) = self.intake_priority else { return Ok(start()) };
        // Threads inherit it (sched(7)).
        sys::set_realtime_priority(priority).map_err(PolicyError::priority)?;
        let started = start();
        sys::set_realtime_priority(0).map_err(PolicyError::priority)?;
        Ok(started)
    }
}
