use std::{error, fmt, io};

use sureplug_core::filter::FilterError;
use sureplug_core::rcvbuf::{Others, VIRTUAL_SUBSYSTEMS};
use sureplug_core::selection::Selection;

/// What happens to events of other subsystems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filtering {
    /// There are no others: all subsystems are selected.
    Everything,
    /// The kernel refuses them before the socket is charged.
    Kernel {
        /// Bytes of the longest header that the filter decides. This process discards events with
        /// longer ones.
        reach_bytes: u32,
        /// The most bytes that the kernel charges for the program.
        charge_bytes: u32,
        /// The limit for which the program was made: `net.core.optmem_max` in bytes.
        optmem_max: u32,
    },
    /// They are queued, and this process discards them.
    Process(FilterRefusal),
}

impl Filtering {
    /// Returns those of them for which the buffer must have room.
    pub(crate) fn others(&self, selection: &Selection) -> Others {
        match self {
            Self::Everything | Self::Process(_) => Others::Unfiltered,
            Self::Kernel { .. } if VIRTUAL_SUBSYSTEMS.iter().any(|name| selection.admits(Some(name))) => {
                Others::Virtual
            }
            Self::Kernel { .. } => Others::Filtered,
        }
    }

    /// Returns the name of the part that discards them: `kernel`, `process` or `none`.
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
    /// The kernel rejected the program.
    Kernel {
        /// The kernel's error: `ENOMEM` if the program is too large, `ENOPROTOOPT` if it has no
        /// socket filters.
        errno: i32,
        /// The most bytes that it charges for the program.
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
