//! The part of a program that finds the end of `action@devpath` and, with it, the subsystem.

use super::draft::{Draft, Label};
use super::instruction::opcode as op;

/// Bytes that one load takes.
pub(super) const WORD: u32 = 4;

/// Each byte one.
const ONES: u32 = 0x0101_0101;

/// The highest bit of each byte.
const HIGHS: u32 = 0x8080_8080;

/// With a header of `L` bytes, its NUL not counted, the subsystem's value begins `2 L` and this many bytes behind
/// the datagram's begin: `action@devpath␀ACTION=action␀DEVPATH=devpath␀SUBSYSTEM=` (`kobject_uevent_env` in
/// `lib/kobject_uevent.c`).
pub(super) const VALUE: u32 = 27;

/// Bytes that the kernel writes behind the subsystem's `=` at least: one of a name, and `␀SEQNUM=1␀`.
#[expect(clippy::cast_possible_truncation)]
const LEAST_VALUE: u32 = "x\0SEQNUM=1\0".len() as u32;

/// What a datagram of the kernel has at least behind twice its header's length.
pub(super) const LEAST: u32 = VALUE + LEAST_VALUE;

/// Where in `M` the length of what is behind twice the header is kept.
pub(super) const REST: u32 = 0;

/// Looks for the first NUL in so many words, one after the other. Goes to [`Label::Word`] with its word's place in `X`; accepts what is too
/// short for its header, or has none within these words.
pub(super) const fn scan(draft: &mut Draft, words: u32) {
    let mut present = 0;
    let mut word = 0;
    while word < words {
        let at = word * WORD;
        if at + WORD > present {
            // No header ends before `at`, so a datagram of the kernel has at least so many bytes.
            present = 2 * at + LEAST;
            draft.push(op::LD_LEN, 0);
            draft.jump_unless(Label::Accept, op::JGE, present);
        }
        // Not by `LD_ABS`: the kernel makes 14 of its instructions of that, and 9 of these two.
        draft.push(op::LDX_IMM, at);
        draft.push(op::LD_IND, 0);
        look(draft, at);
        word += 1;
    }
    draft.accept();
}

/// Goes on unless the word in `A`, which was loaded from `at`, holds a NUL: (A - ones) & !A & highs.
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

/// Goes from a word with a NUL to the subsystem: `X` becomes `2 L`. Accepts what is not of the kernel's shape.
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

/// With a word's place in `X` that holds a NUL, `A` becomes the place of the first, which is `L`.
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

/// Accepts unless these bytes stand `offset` bytes behind `X`.
const fn expect(draft: &mut Draft, offset: u32, bytes: [u8; 4]) {
    draft.push(op::LD_IND, offset);
    draft.jump_unless(Label::Accept, op::JEQ, u32::from_be_bytes(bytes));
}
