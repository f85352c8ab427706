//! The part of a program that compares the subsystem with the names of a set.

use super::draft::{Draft, Label};
use super::header::{LEAST, REST, VALUE, WORD};
use super::instruction::opcode as op;
use crate::limits::MAX_SUBSYSTEM_BYTES;
use crate::selection::Selection;

/// A name with the NUL behind it, and NULs behind that.
type Terminated = [u8; MAX_SUBSYSTEM_BYTES + WORD as usize];

/// With `2 L` in `X`, ends by accepting or refusing: the whole value is compared, its NUL included.
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

/// With the value's first word in `A`, accepts if it is this name; goes on behind itself, with the same in `A`, if not.
const fn name(draft: &mut Draft, selection: &Selection, index: usize) {
    let terminated = terminated_len(selection, index);
    if terminated < WORD {
        // What is behind the NUL has no part in it.
        draft.push(op::AND, u32::MAX << (8 * (WORD - terminated)));
    }
    let another = if terminated < WORD { Label::Reload } else { Label::Next };
    draft.jump_unless(another, op::JEQ, word(selection, index, 0));
    let mut at = WORD;
    while at < terminated {
        if at == 2 * WORD && VALUE + terminated > LEAST {
            // Whoever cut the datagram must not make the program refuse it, as a load behind its end does.
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

/// The word at this place of a name, NULs behind its end.
const fn word(selection: &Selection, index: usize, at: usize) -> u32 {
    let name = selection.name(index);
    let mut bytes: Terminated = [0; MAX_SUBSYSTEM_BYTES + WORD as usize];
    bytes.split_at_mut(name.len()).0.copy_from_slice(name);
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
