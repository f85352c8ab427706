/// One instruction of classic BPF: `struct sock_filter` (`include/uapi/linux/filter.h`), field by field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(C)]
pub struct Instruction {
    /// The operation.
    pub code: u16,
    /// Instructions to skip if a condition holds.
    pub jt: u8,
    /// Instructions to skip if the condition does not hold.
    pub jf: u8,
    /// The operand: an offset, a constant or a distance.
    pub k: u32,
}

/// The return value that queues a datagram whole. Any other value but 0 would truncate it, for
/// other listeners too (`sk_filter_trim_cap` in `net/core/filter.c`).
pub const ACCEPT: u32 = u32::MAX;

/// The return value that refuses a datagram before the socket is charged for it.
pub const REJECT: u32 = 0;

/// The opcodes in use (`include/uapi/linux/bpf_common.h`), named as in `bpf_asm`. `A` is the
/// accumulator, `X` the index register, and `M` a memory of sixteen words.
pub mod opcode {
    /// `A` = the word in network byte order at `X` + `k`.
    pub const LD_IND: u16 = 0x40;
    /// `A` = `k`.
    pub const LD_IMM: u16 = 0x00;
    /// `A` = `M[k]`.
    pub const LD_MEM: u16 = 0x60;
    /// `A` = the datagram's length.
    pub const LD_LEN: u16 = 0x80;
    /// `X` = `k`.
    pub const LDX_IMM: u16 = 0x01;
    /// `M[k]` = `A`.
    pub const ST: u16 = 0x02;
    /// `A` += `X`.
    pub const ADD_X: u16 = 0x0c;
    /// `A` -= `k`.
    pub const SUB: u16 = 0x14;
    /// `A` -= `X`.
    pub const SUB_X: u16 = 0x1c;
    /// `A` |= `X`.
    pub const OR_X: u16 = 0x4c;
    /// `A` &= `k`.
    pub const AND: u16 = 0x54;
    /// `A` ^= `X`.
    pub const XOR_X: u16 = 0xac;
    /// Skip `k` instructions.
    pub const JA: u16 = 0x05;
    /// Is `A` = `k`?
    pub const JEQ: u16 = 0x15;
    /// Is `A` ≥ `k`?
    pub const JGE: u16 = 0x35;
    /// Is `A` ≥ `X`?
    pub const JGE_X: u16 = 0x3d;
    /// Do `A` and `k` have a bit in common?
    pub const JSET: u16 = 0x45;
    /// Return `k`.
    pub const RET: u16 = 0x06;
    /// `X` = `A`.
    pub const TAX: u16 = 0x07;
    /// `A` = `X`.
    pub const TXA: u16 = 0x87;
}
