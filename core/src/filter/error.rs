use core::fmt;

/// Why there is no program for a set of subsystems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FilterError {
    /// The set holds every subsystem: nothing is to be refused.
    AcceptsAll,
    /// The names leave too little room for the header.
    DoesNotFit {
        /// The `net.core.optmem_max` in bytes that would do.
        needed_bytes: u32,
        /// What it is.
        optmem_max: u32,
    },
}

impl FilterError {
    /// What is wrong, without figures: for a `const` panic, which can show no more.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        match self {
            Self::AcceptsAll => "a filter for all subsystems would refuse nothing",
            Self::DoesNotFit { .. } => {
                "the filter for these subsystems is larger than net.core.optmem_max allows: name fewer, or shorter ones"
            }
        }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AcceptsAll => f.write_str(self.message()),
            Self::DoesNotFit { needed_bytes, optmem_max } => write!(
                f,
                "the filter needs {needed_bytes} B and net.core.optmem_max is {optmem_max}: raise it with \
                 sysctl -w net.core.optmem_max={needed_bytes}, or name fewer subsystems"
            ),
        }
    }
}

impl core::error::Error for FilterError {}
