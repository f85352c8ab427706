use super::instruction::{Instruction, opcode as op};

/// Bytes that the kernel keeps in front of a program's instructions, at most: the offset of `insns` in
/// `struct bpf_prog` (`include/linux/bpf.h`), which was 56 to 104 in what was measured.
const HEADER_BYTES: u32 = 112;

/// Instructions that the kernel puts in front of each program that loads from a datagram
/// (`bpf_convert_filter` in `net/core/filter.c`).
const PROLOGUE: u32 = 7;

/// Bytes of one of the kernel's instructions: `struct bpf_insn`.
const INSTRUCTION_BYTES: u32 = 8;

/// How many of the kernel's own instructions one of classic BPF becomes (`bpf_convert_filter` and
/// `convert_bpf_ld_abs` in `net/core/filter.c`). A load is a call.
pub(super) const fn expanded(instruction: Instruction) -> u32 {
    let Instruction { code, k, .. } = instruction;
    match code {
        op::LD_IND => 8 + (k != 0) as u32,
        op::RET => 2,
        // A constant with the highest bit set needs a register, as the kernel's constants have a sign. One jump is enough, as
        // those that fail go on with the next instruction.
        op::JEQ | op::JGE | op::JSET => 1 + (k > i32::MAX as u32) as u32,
        _ => 1,
    }
}

/// Bytes that a program of so many of the kernel's instructions is charged: `bpf_prog_size` in
/// `include/linux/filter.h`.
pub(super) const fn charge_bytes(expanded: u32) -> u32 {
    HEADER_BYTES + INSTRUCTION_BYTES * (PROLOGUE + expanded)
}

/// How many of the kernel's instructions a program may have at most. The charge must be below the limit, not at
/// it (`__sk_filter_charge` in `net/core/filter.c`).
pub(super) const fn max_expanded(optmem_max: u32) -> u32 {
    let room = optmem_max.saturating_sub(1).saturating_sub(HEADER_BYTES) / INSTRUCTION_BYTES;
    room.saturating_sub(PROLOGUE)
}
