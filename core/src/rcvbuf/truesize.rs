/// The alignment of a socket buffer's data: `SKB_DATA_ALIGN` in `include/linux/skbuff.h`,
/// `SMP_CACHE_BYTES` on the measured architectures.
const DATA_ALIGN: u32 = 64;

/// The bytes that `SOCK_MIN_RCVBUF` (`TCP_SKB_MIN_TRUESIZE` in `include/net/sock.h`) adds to
/// `struct sk_buff`.
const MIN_RCVBUF_DATA: u32 = 2_048;

/// The width of the kernel's pointers, which determines the sizes of its structures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PointerWidth {
    /// A 32-bit kernel.
    Bits32,
    /// A 64-bit kernel.
    Bits64,
}

/// The kernel's cache of small heads, `skbuff_small_head` in `net/core/skbuff.c` (since 6.3).
///
/// Its size depends on the kernel's configuration (`MAX_TCP_HEADER`), so it is unknown to a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SmallHead {
    /// The kernel has no such cache: up to 6.2.
    None,
    /// Every head of up to this many bytes is charged as this many.
    Bytes(u32),
    /// Any size up to this, or no cache: the charge is the largest of all these kernels.
    AtMost(u32),
}

/// A kernel build's charge for a socket buffer beyond the datagram.
///
/// `alloc_uevent_skb` in `lib/kobject_uevent.c` allocates the datagram's length with `alloc_skb`.
/// `__alloc_skb` and `kmalloc_reserve` in `net/core/skbuff.c` add `struct skb_shared_info` and
/// round up to the allocator's size. The charge is that plus `struct sk_buff`: `skb->truesize`.
///
/// ```
/// use sureplug_core::rcvbuf::SkbAbi;
///
/// // 293 bytes, the first event of a keyboard.
/// assert_eq!(SkbAbi::ARM64_6_1.truesize(293), 1_280);
/// assert_eq!(SkbAbi::ARM64_6_12.truesize(293), 960);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SkbAbi {
    /// The width of the kernel's pointers.
    pub width: PointerWidth,
    /// Bytes of `struct skb_shared_info`, rounded up to 64.
    pub shared_info: u32,
    /// Bytes of `struct sk_buff`, rounded up to 64.
    pub sk_buff: u32,
    /// The cache of small heads.
    pub small_head: SmallHead,
}

impl SkbAbi {
    /// Linux 5.10 on arm64.
    pub const ARM64_5_10: Self = Self::bits64(SmallHead::None);
    /// Linux 6.1 on arm64.
    pub const ARM64_6_1: Self = Self::bits64(SmallHead::None);
    /// Linux 6.12 on arm64, as Debian configures it.
    pub const ARM64_6_12: Self = Self::bits64(SmallHead::Bytes(704));
    /// Linux 6.1 on amd64.
    pub const AMD64_6_1: Self = Self::bits64(SmallHead::None);
    /// Linux 6.18 on amd64, as measured.
    pub const AMD64_6_18: Self = Self::bits64(SmallHead::Bytes(576));
    /// Linux 5.10 on 32-bit ARM.
    pub const ARM_5_10: Self = Self::bits32(SmallHead::None);
    /// Linux 6.1 on 32-bit ARM.
    pub const ARM_6_1: Self = Self::bits32(SmallHead::None);
    /// Linux 6.12 on 32-bit ARM, as Debian configures it.
    pub const ARM_6_12: Self = Self::bits32(SmallHead::Bytes(640));

    /// At least the charge of every measured 64-bit kernel.
    pub const BOUND_64: Self = Self::bits64(SmallHead::AtMost(704));
    /// At least the charge of every measured 32-bit kernel.
    pub const BOUND_32: Self = Self::bits32(SmallHead::AtMost(640));
    /// The charge that a budget assumes: the bound for the pointer width of this build.
    ///
    /// 32-bit user space on a 64-bit kernel must use [`BOUND_64`](Self::BOUND_64) instead.
    pub const BOUND: Self = if cfg!(target_pointer_width = "32") { Self::BOUND_32 } else { Self::BOUND_64 };

    const fn bits64(small_head: SmallHead) -> Self {
        Self { width: PointerWidth::Bits64, shared_info: 320, sk_buff: 256, small_head }
    }

    const fn bits32(small_head: SmallHead) -> Self {
        Self { width: PointerWidth::Bits32, shared_info: 256, sk_buff: 192, small_head }
    }

    /// Returns the bytes charged for a queued datagram of `len` bytes: `skb->truesize`.
    ///
    /// Returns `u32::MAX` for a length that no kernel can allocate.
    #[must_use]
    pub const fn truesize(&self, len: u32) -> u32 {
        let Some(data) = len.checked_next_multiple_of(DATA_ALIGN) else {
            return u32::MAX;
        };
        let Some(head) = data.checked_add(self.shared_info) else {
            return u32::MAX;
        };
        // At the sizes of heads, `kmalloc` has only powers of two: its classes of 96 and 192 are
        // smaller.
        let Some(slab) = head.checked_next_power_of_two() else {
            return u32::MAX;
        };
        let allocated = match self.small_head {
            SmallHead::Bytes(small) if head <= small => small,
            SmallHead::AtMost(most) if head <= most && slab < most => most,
            _ => slab,
        };
        allocated.saturating_add(self.sk_buff)
    }

    /// Returns the smallest receive buffer that the kernel sets for any request: `SOCK_MIN_RCVBUF`
    /// in `include/net/sock.h`.
    #[must_use]
    pub const fn rcvbuf_floor(&self) -> u32 {
        MIN_RCVBUF_DATA.saturating_add(self.sk_buff)
    }
}
