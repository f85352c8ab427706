//! A socket filter that refuses events of other subsystems in the kernel, before the socket is
//! charged for them.
//!
//! The kernel runs a socket filter on each datagram before it queues it (`sk_filter` in
//! `do_one_broadcast`, `net/netlink/af_netlink.c`): a refused datagram takes no room, wakes no
//! process and does not count as dropped. Classic BPF needs neither a privilege nor a loader, but
//! has no loops. The program therefore examines the header word by word, as far as its size allows;
//! the position of the first NUL gives that of the subsystem. A datagram that has another shape, is
//! truncated, or has a longer header passes, and the reader of the socket decides.
//!
//! `net.core.optmem_max` limits the size: the kernel charges the program against it after
//! translating it into its own instructions. Loads are by far the largest of these, so all are
//! indexed loads, which take half the room of absolute ones.

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

/// The most instructions of a program, of the 4,096 that the kernel accepts (`BPF_MAXINSNS`).
pub const MAX_INSTRUCTIONS: usize = 1_408;

/// Bytes of the longest header, its NUL included, that a program decides if there is room: action,
/// `@`, and the devpath of a disk's partition behind three hubs on a board with long names. The
/// longest one captured has 165.
pub const WANTED_REACH_BYTES: u32 = 256;

/// Bytes of header that a program must decide to be of use: the devices in a port of the board.
pub const MIN_REACH_BYTES: u32 = 96;

/// The smallest default of `net.core.optmem_max`: 32-bit kernels before 6.8 (`net/core/sock.c`).
pub const SMALLEST_OPTMEM_MAX: u32 = 10_240;

/// A socket filter for a selection and a size limit.
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
    /// Compiles a program that accepts events of the selection and refuses all others, for a kernel
    /// with this `net.core.optmem_max`.
    ///
    /// # Errors
    ///
    /// Returns [`FilterError::AcceptsAll`] for a selection of all subsystems, and
    /// [`FilterError::DoesNotFit`] if there is no room to decide headers of [`MIN_REACH_BYTES`].
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

    /// Returns the bytes of the longest header, its NUL included, that the program always decides.
    #[must_use]
    pub const fn reach_bytes(&self) -> u32 {
        self.words * WORD
    }

    /// Returns the most bytes that a kernel charges for the program against `net.core.optmem_max`.
    #[must_use]
    pub const fn charge_bytes(&self) -> u32 {
        charge::charge_bytes(self.draft.expanded)
    }

    /// Returns the program.
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
    /// The selection holds every subsystem: nothing would be refused.
    AcceptsAll,
    /// The names leave too little room for the header.
    DoesNotFit {
        /// The `net.core.optmem_max` that would suffice, in bytes.
        needed_bytes: u32,
        /// The `net.core.optmem_max` that was given.
        optmem_max: u32,
    },
}

impl FilterError {
    /// Returns the message without figures, for a `const` panic, which cannot format.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        match self {
            Self::AcceptsAll => "a filter for all subsystems would refuse nothing: name some instead",
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
