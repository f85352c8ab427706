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
    // The first word decides which names are left; those that begin alike stand together.
    let mut index = 0;
    while index < selection.count() {
        if is_first_of_group(selection, index) {
            group(draft, selection, index);
        }
        index += 1;
    }
    // Masks spoil the first word, so whoever needs one comes last, and the shortest last of all.
    short(draft, selection, 2, 0xffff_ff00);
    short(draft, selection, 1, 0xffff_0000);
    draft.reject();
    draft.place(Label::Accept);
    draft.accept();
}

/// Whether with its NUL it fills a word at least, and no name before it has the same first one.
const fn is_first_of_group(selection: &Selection, index: usize) -> bool {
    let mut before = 0;
    while before < index {
        if in_group(selection, before, index) {
            return false;
        }
        before += 1;
    }
    fills_a_word(selection, index)
}

const fn fills_a_word(selection: &Selection, index: usize) -> bool {
    terminated_len(selection, index) >= WORD
}

const fn in_group(selection: &Selection, index: usize, of: usize) -> bool {
    fills_a_word(selection, index) && word(selection, index, 0) == word(selection, of, 0)
}

/// All names whose first word is that of the one at `first`.
const fn group(draft: &mut Draft, selection: &Selection, first: usize) {
    let mut length = 0;
    let mut index = first;
    while index < selection.count() {
        if in_group(selection, index, first) {
            length += rest_len(terminated_len(selection, index));
        }
        index += 1;
    }
    // Behind the last of them there is nothing left to compare with.
    length += 1;
    let wanted = word(selection, first, 0);
    if length <= u8::MAX as u32 {
        #[expect(clippy::cast_possible_truncation)]
        draft.or_skip(op::JEQ, wanted, length as u8);
    } else {
        draft.skip_if(op::JEQ, wanted, 1);
        draft.skip(length);
    }
    index = first;
    while index < selection.count() {
        if in_group(selection, index, first) {
            rest(draft, selection, index);
        }
        index += 1;
    }
    draft.reject();
}

/// Instructions that [`rest`] writes.
const fn rest_len(terminated: u32) -> u32 {
    let words = (terminated - 1) / WORD;
    let guard = if VALUE + terminated > LEAST { 3 } else { 0 };
    guard + 2 * words + 1
}

/// Compares what is behind the first word, and accepts; goes on behind itself if it is another name.
const fn rest(draft: &mut Draft, selection: &Selection, index: usize) {
    let terminated = terminated_len(selection, index);
    let end = draft.len() + rest_len(terminated) as usize;
    let mut at = WORD;
    while at < terminated {
        if at == 2 * WORD && VALUE + terminated > LEAST {
            // Whoever cut the datagram must not make the program refuse it, as a load behind its end does.
            draft.push(op::LD_MEM, REST);
            draft.accept_unless(op::JGE, VALUE + terminated);
        }
        // The last word overlaps the one before it.
        let from = if at + WORD > terminated { terminated - WORD } else { at };
        draft.push(op::LD_IND, VALUE + from);
        #[expect(clippy::cast_possible_truncation)]
        let distance = (end - draft.len() - 1) as u8;
        draft.or_skip(op::JEQ, word(selection, index, from as usize), distance);
        at += WORD;
    }
    draft.jump(Label::Accept);
}

/// Names of so many bytes, whose NUL does not fill the first word.
const fn short(draft: &mut Draft, selection: &Selection, bytes: usize, mask: u32) {
    let mut masked = false;
    let mut index = 0;
    while index < selection.count() {
        if selection.name(index).len() == bytes {
            if !masked {
                draft.push(op::AND, mask);
                masked = true;
            }
            draft.or_skip(op::JEQ, word(selection, index, 0), 1);
            draft.jump(Label::Accept);
        }
        index += 1;
    }
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
