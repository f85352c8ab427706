//! The part of a program that compares the subsystem with the names of a selection.

use super::draft::{Draft, Label};
use super::header::{LEAST, REST, VALUE, WORD};
use super::instruction::opcode as op;
use crate::limits::MAX_SUBSYSTEM_BYTES;
use crate::selection::Selection;

/// A name with its NUL, padded with NULs.
type Terminated = [u8; MAX_SUBSYSTEM_BYTES + WORD as usize];

/// Accepts or refuses, with `2 L` in `X`: compares the whole value, its NUL included.
pub(super) const fn compare(draft: &mut Draft, selection: &Selection) {
    draft.push(op::LD_IND, VALUE);
    let mut index = 0;
    while index < selection.count() {
        name(draft, selection, index);
        index += 1;
    }
    draft.reject();
    draft.place(Label::Accept);
    draft.accept();
}

/// Accepts if the value is this name. Expects the value's first word in `A`, and continues with the
/// same in `A` otherwise.
const fn name(draft: &mut Draft, selection: &Selection, index: usize) {
    let terminated = terminated_len(selection, index);
    if terminated < WORD {
        // The bytes after the NUL do not belong to the name.
        draft.push(op::AND, u32::MAX << (8 * (WORD - terminated)));
    }
    let another = if terminated < WORD { Label::Reload } else { Label::Next };
    draft.jump_unless(another, op::JEQ, word(selection, index, 0));
    let mut at = WORD;
    while at < terminated {
        if at == 2 * WORD && VALUE + terminated > LEAST {
            // A load beyond the end refuses the datagram: a truncated one must be accepted.
            draft.push(op::LD_MEM, REST);
            draft.jump_unless(Label::Accept, op::JGE, VALUE + terminated);
        }
        // The last word overlaps the one before it.
        let from = if at + WORD > terminated { terminated - WORD } else { at };
        draft.push(op::LD_IND, VALUE + from);
        draft.jump_unless(Label::Reload, op::JEQ, word(selection, index, from as usize));
        at += WORD;
    }
    draft.jump(Label::Accept);
    if terminated != WORD {
        draft.place(Label::Reload);
        draft.push(op::LD_IND, VALUE);
    }
    draft.place(Label::Next);
}

#[expect(clippy::cast_possible_truncation)]
const fn terminated_len(selection: &Selection, index: usize) -> u32 {
    selection.name(index).len() as u32 + 1
}

/// Returns the word at this offset of a name that is padded with NULs.
const fn word(selection: &Selection, index: usize, at: usize) -> u32 {
    let name = selection.name(index);
    let mut bytes: Terminated = [0; MAX_SUBSYSTEM_BYTES + WORD as usize];
    bytes.split_at_mut(name.len()).0.copy_from_slice(name);
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
