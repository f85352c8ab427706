use super::budget::{Budget, MAX_BUDGET_BYTES};
use super::error::SizingError;
use super::truesize::SkbAbi;

/// Sizes are rounded up to a multiple of this.
const ROUNDING: u32 = 4_096;

/// Bytes as passed to `SO_RCVBUF` and `SO_RCVBUFFORCE`: half the effective size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Requested(pub u32);

/// Bytes as the kernel counts them, and as `getsockopt` reads `SO_RCVBUF`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Effective(pub u32);

impl Requested {
    /// Returns the size that the kernel grants: doubled, and never below the floor
    /// (`__sock_set_rcvbuf` in `net/core/sock.c`).
    ///
    /// `rmem_max` is `net.core.rmem_max`, at which `SO_RCVBUF` is silently clamped; `None` stands
    /// for `SO_RCVBUFFORCE`.
    #[must_use]
    pub const fn granted(self, rmem_max: Option<u32>, abi: SkbAbi) -> Effective {
        let clamped = match rmem_max {
            Some(max) if max < self.0 => max,
            _ => self.0,
        };
        let halved = if clamped > MAX_BUDGET_BYTES { MAX_BUDGET_BYTES } else { clamped };
        let doubled = halved.saturating_mul(2);
        Effective(if doubled < abi.rcvbuf_floor() { abi.rcvbuf_floor() } else { doubled })
    }
}

/// The receive buffer that a board needs.
///
/// ```
/// use sureplug_core::rcvbuf::{Effective, RcvBuf, Requested, SkbAbi};
///
/// // The famous mistake: the kernel silently raises it, to less than two events.
/// assert_eq!(Requested(1_024).granted(Some(212_992), SkbAbi::ARM64_6_1), Effective(2_304));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RcvBuf {
    effective: Effective,
}

impl RcvBuf {
    /// Sizes the buffer for a budget: at least the budget, one hub with 8 sticks in and out, and
    /// the default of every socket (`net.core.rmem_default`), rounded up to 4,096 bytes.
    ///
    /// # Errors
    ///
    /// Returns [`SizingError::BudgetTooLarge`] beyond [`MAX_BUDGET_BYTES`].
    pub const fn new(budget: &Budget, rmem_default: u32) -> Result<Self, SizingError> {
        let bytes = max(max(budget.total_bytes, budget.hub8_bytes), rmem_default);
        match bytes.checked_next_multiple_of(ROUNDING) {
            Some(rounded) if rounded <= MAX_BUDGET_BYTES => Ok(Self { effective: Effective(rounded) }),
            _ => Err(SizingError::BudgetTooLarge { bytes: bytes as u64 }),
        }
    }

    /// Returns the least size that must be read back from the kernel.
    #[must_use]
    pub const fn effective(&self) -> Effective {
        self.effective
    }

    /// Returns the size to request, which the kernel doubles.
    #[must_use]
    pub const fn requested(&self) -> Requested {
        Requested(self.effective.0 / 2)
    }

    /// Returns `true` if the size that was read back is large enough.
    #[must_use]
    pub const fn is_met_by(&self, read_back: Effective) -> bool {
        read_back.0 >= self.effective.0
    }
}

const fn max(a: u32, b: u32) -> u32 {
    if a < b { b } else { a }
}
