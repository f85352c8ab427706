//! A program that refuses other subsystems' events inside the kernel, before the socket is charged for them.
//!
//! A socket filter runs for each datagram before it is queued (`sk_filter` in `do_one_broadcast`,
//! `net/netlink/af_netlink.c`): what it refuses takes no room, wakes nobody and is not counted as dropped. Classic
//! BPF needs no privilege and no loader, but knows no loops. So the program looks at the header word by word,
//! as far as its size allows; where the first NUL stands says where the subsystem stands. What has another shape, is
//! cut, or has a longer header is let through, and is decided by whoever reads the socket.
//!
//! The size is limited by `net.core.optmem_max`, against which the kernel charges the program after it has
//! translated it into its own instructions. Loads are by far the largest of them, so all are at an index, which takes
//! half the room of a load at a fixed place.

mod charge;
mod draft;
mod header;
mod instruction;
mod names;

use core::fmt;

pub use instruction::{ACCEPT, Instruction, REJECT, opcode};

use crate::selection::Selection;
use draft::Draft;
use header::WORD;

/// Instructions of a program at most, of 4,096 that the kernel takes (`BPF_MAXINSNS`).
pub const MAX_INSTRUCTIONS: usize = 1_408;

/// Bytes of a header, its NUL included, that a program is made for if there is room: action, `@`, and the devpath of a
/// disk's partition behind three hubs on a board with long names. The longest that was captured has 165.
pub const WANTED_REACH_BYTES: u32 = 256;

/// Bytes of a header that a program reaches at least, so that it is worth having: the devices in a port of the board.
pub const MIN_REACH_BYTES: u32 = 96;

/// The smallest `net.core.optmem_max` that a kernel has by itself: 32 bit, before 6.8 (`net/core/sock.c`).
pub const SMALLEST_OPTMEM_MAX: u32 = 10_240;

/// A program for a set of subsystems and a limit.
///
/// ```
/// use sureplug_core::filter::{Filter, SMALLEST_OPTMEM_MAX};
/// use sureplug_core::selection::Selection;
///
/// const FILTER: Filter = match Filter::new(&Selection::USB, SMALLEST_OPTMEM_MAX) {
///     Ok(filter) => filter,
///     Err(error) => panic!("{}", error.message()),
/// };
/// assert!(FILTER.reach_bytes() > 165 && FILTER.charge_bytes() < SMALLEST_OPTMEM_MAX);
/// ```
#[derive(Clone, Copy)]
pub struct Filter {
    draft: Draft,
    words: u32,
}

impl Filter {
    /// A program that accepts events of these subsystems and refuses those of others, made for a kernel with this
    /// `net.core.optmem_max`.
    ///
    /// # Errors
    ///
    /// [`FilterError::AcceptsAll`] for all subsystems, and [`FilterError::DoesNotFit`] if not even headers of
    /// [`MIN_REACH_BYTES`] could be decided.
    pub const fn new(selection: &Selection, optmem_max: u32) -> Result<Self, FilterError> {
        if selection.is_all() {
            return Err(FilterError::AcceptsAll);
        }
        let room = charge::max_expanded(optmem_max);
        let mut words = WANTED_REACH_BYTES / WORD;
        let mut draft = write(selection, words);
        while draft.len > MAX_INSTRUCTIONS || draft.expanded > room {
            if words == MIN_REACH_BYTES / WORD {
                let needed_bytes = charge::charge_bytes(draft.expanded) + 1;
                return Err(FilterError::DoesNotFit { needed_bytes, optmem_max });
            }
            words -= 1;
            draft = write(selection, words);
        }
        Ok(Self { draft, words })
    }

    /// Bytes of the longest header, its NUL included, that it decides whatever the header holds.
    #[must_use]
    pub const fn reach_bytes(&self) -> u32 {
        self.words * WORD
    }

    /// Bytes that a kernel charges for it against `net.core.optmem_max`, at most.
    #[must_use]
    pub const fn charge_bytes(&self) -> u32 {
        charge::charge_bytes(self.draft.expanded)
    }

    /// The program.
    #[must_use]
    pub const fn program(&self) -> &[Instruction] {
        self.draft.code()
    }
}

const fn write(selection: &Selection, words: u32) -> Draft {
    let mut draft = Draft::new();
    header::scan(&mut draft, words);
    header::locate(&mut draft);
    names::compare(&mut draft, selection);
    draft
}

/// Error compiling a filter.
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
