use std::{error, fmt, io};

use sureplug_core::filter::FilterError;
use sureplug_core::rcvbuf::{Others, VIRTUAL_SUBSYSTEMS};
use sureplug_core::selection::Selection;

/// What becomes of events of subsystems that nobody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filtering {
    /// There are none: all subsystems are wanted.
    Everything,
    /// The kernel refuses them, before the socket is charged.
    Kernel {
        /// Bytes of the longest header that it decides; an event with a longer one is left out by this process.
        reach_bytes: u32,
        /// Bytes that the kernel charges for the program, at most.
        charge_bytes: u32,
        /// The limit that the program was made for: `net.core.optmem_max` in bytes.
        optmem_max: u32,
    },
    /// They are queued, and this process leaves them out.
    Process(FilterRefusal),
}

impl Filtering {
    /// Which of them the buffer must have room for.
    pub(crate) fn others(&self, selection: &Selection) -> Others {
        match self {
            Self::Everything | Self::Process(_) => Others::Unfiltered,
            Self::Kernel { .. } if VIRTUAL_SUBSYSTEMS.iter().any(|name| selection.admits(Some(name))) => {
                Others::Virtual
            }
            Self::Kernel { .. } => Others::Filtered,
        }
    }

    /// Who leaves them out: `kernel`, `process`, or nobody, `none`.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Everything => "none",
            Self::Kernel { .. } => "kernel",
            Self::Process(_) => "process",
        }
    }
}

/// Why the kernel does not filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterRefusal {
    /// No program for these subsystems is small enough.
    DoesNotFit(FilterError),
    /// The kernel did not take the program.
    Kernel {
        /// What it said: `ENOMEM` if the program is too large for it, `ENOPROTOOPT` if it has no socket filters.
        errno: i32,
        /// Bytes that it charges for the program, at most.
        charge_bytes: u32,
        /// `net.core.optmem_max` in bytes.
        optmem_max: u32,
    },
}

impl fmt::Display for FilterRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DoesNotFit(error) => write!(f, "the kernel does not filter: {error}")?,
            Self::Kernel { errno, charge_bytes, optmem_max } => write!(
                f,
                "the kernel does not filter: it refused a program of {charge_bytes} B (net.core.optmem_max = \
                 {optmem_max}): {}",
                io::Error::from_raw_os_error(*errno)
            )?,
        }
        f.write_str("; other subsystems' events are left out here, and the buffer has room for them")
    }
}

impl error::Error for FilterRefusal {}
