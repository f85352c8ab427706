use super::instruction::{Instruction, opcode as op};

/// Upper bound of the bytes before a program's instructions in the kernel: the offset of `insns` in
/// `struct bpf_prog` (`include/linux/bpf.h`), measured as 56 to 104.
const HEADER_BYTES: u32 = 112;

/// Instructions that the kernel prepends to a program that loads from a datagram
/// (`bpf_convert_filter` in `net/core/filter.c`).
const PROLOGUE: u32 = 7;

/// Bytes of one kernel instruction: `struct bpf_insn`.
const INSTRUCTION_BYTES: u32 = 8;

/// Returns how many kernel instructions an instruction of classic BPF becomes (`bpf_convert_filter`
/// and `convert_bpf_ld_abs` in `net/core/filter.c`). A load is a call.
pub(super) const fn expanded(instruction: Instruction) -> u32 {
    let Instruction { code, k, .. } = instruction;
    match code {
        op::LD_IND => 8 + (k != 0) as u32,
        op::RET => 2,
        // The kernel's constants are signed, so one with the highest bit set needs a register. One
        // jump is enough: a failed condition continues with the next instruction.
        op::JEQ | op::JGE | op::JSET => 1 + (k > i32::MAX as u32) as u32,
        _ => 1,
    }
}

/// Returns the bytes that a program of this many kernel instructions is charged: `bpf_prog_size` in
/// `include/linux/filter.h`.
pub(super) const fn charge_bytes(expanded: u32) -> u32 {
    HEADER_BYTES + INSTRUCTION_BYTES * (PROLOGUE + expanded)
}

/// Returns the most kernel instructions that a program may have. The charge must stay below the
/// limit, not reach it (`__sk_filter_charge` in `net/core/filter.c`).
pub(super) const fn max_expanded(optmem_max: u32) -> u32 {
    let room = optmem_max.saturating_sub(1).saturating_sub(HEADER_BYTES) / INSTRUCTION_BYTES;
    room.saturating_sub(PROLOGUE)
}
