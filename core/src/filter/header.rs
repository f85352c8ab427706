//! The part of a program that finds the end of `action@devpath`, and thereby the subsystem.

use super::draft::{Draft, Label};
use super::instruction::opcode as op;

/// Bytes of one load.
pub(super) const WORD: u32 = 4;

/// Every byte is 1.
const ONES: u32 = 0x0101_0101;

/// The highest bit of every byte.
const HIGHS: u32 = 0x8080_8080;

/// The offset of the subsystem's value is `2 L` plus this, for a header of `L` bytes without its
/// NUL: `action@devpath␀ACTION=action␀DEVPATH=devpath␀SUBSYSTEM=` (`kobject_uevent_env` in
/// `lib/kobject_uevent.c`).
pub(super) const VALUE: u32 = 27;

/// The fewest bytes that the kernel writes after `SUBSYSTEM=`: a name of one byte, and
/// `␀SEQNUM=1␀`.
#[expect(clippy::cast_possible_truncation)]
const LEAST_VALUE: u32 = "x\0SEQNUM=1\0".len() as u32;

/// The fewest bytes of a kernel's datagram beyond twice its header's length.
pub(super) const LEAST: u32 = VALUE + LEAST_VALUE;

/// The word of `M` that holds the number of bytes beyond twice the header's length.
pub(super) const REST: u32 = 0;

/// Searches the first `words` words for a NUL. Jumps to [`Label::Word`] with the offset of the word
/// in `X`. Accepts a datagram that is too short for its header or has no NUL in these words.
pub(super) const fn scan(draft: &mut Draft, words: u32) {
    let mut present = 0;
    let mut word = 0;
    while word < words {
        let at = word * WORD;
        if at + WORD > present {
            // No header ended before `at`, so a kernel's datagram has at least this many bytes.
            present = 2 * at + LEAST;
            draft.push(op::LD_LEN, 0);
            draft.jump_unless(Label::Accept, op::JGE, present);
        }
        // The kernel makes 14 instructions of `LD_ABS`, and 9 of these two.
        draft.push(op::LDX_IMM, at);
        draft.push(op::LD_IND, 0);
        look(draft, at);
        word += 1;
    }
    draft.accept();
}

/// Continues unless the word in `A`, loaded from `at`, contains a NUL: (A - ones) & !A & highs.
const fn look(draft: &mut Draft, at: u32) {
    draft.push(op::TAX, 0);
    draft.push(op::SUB, ONES);
    // A & !X, for which there is no instruction.
    draft.push(op::OR_X, 0);
    draft.push(op::XOR_X, 0);
    draft.push(op::AND, HIGHS);
    draft.skip_if(op::JEQ, 0, 2);
    draft.push(op::LDX_IMM, at);
    draft.jump(Label::Word);
}

/// Goes from a word with a NUL to the subsystem: `X` becomes `2 L`. Accepts datagrams that do not
/// have the kernel's shape.
pub(super) const fn locate(draft: &mut Draft) {
    draft.place(Label::Word);
    first_nul(draft);
    draft.push(op::TAX, 0);
    draft.push(op::LD_LEN, 0);
    draft.push(op::SUB_X, 0);
    draft.jump_unless(Label::Accept, op::JGE_X, 0);
    draft.push(op::SUB_X, 0);
    draft.jump_unless(Label::Accept, op::JGE, LEAST);
    draft.push(op::ST, REST);
    expect(draft, 1, *b"ACTI");
    expect(draft, 4, *b"ION=");
    draft.push(op::TXA, 0);
    draft.push(op::ADD_X, 0);
    draft.push(op::TAX, 0);
    expect(draft, VALUE - 11, *b"\0SUB");
    expect(draft, VALUE - 7, *b"SYST");
    expect(draft, VALUE - 4, *b"TEM=");
}

/// Sets `A` to the offset of the first NUL in the word at `X`, which is `L`.
const fn first_nul(draft: &mut Draft) {
    draft.push(op::LD_IND, 0);
    draft.skip_if(op::JGE, 0x0100_0000, 2);
    draft.push(op::LD_IMM, 0);
    draft.skip(7);
    draft.skip_if(op::JSET, 0x00ff_0000, 2);
    draft.push(op::LD_IMM, 1);
    draft.skip(4);
    draft.skip_if(op::JSET, 0x0000_ff00, 2);
    draft.push(op::LD_IMM, 2);
    draft.skip(1);
    draft.push(op::LD_IMM, 3);
    draft.push(op::ADD_X, 0);
}

/// Accepts unless these bytes are at `X` + `offset`.
const fn expect(draft: &mut Draft, offset: u32, bytes: [u8; 4]) {
    draft.push(op::LD_IND, offset);
    draft.jump_unless(Label::Accept, op::JEQ, u32::from_be_bytes(bytes));
}
