use super::MAX_INSTRUCTIONS;
use super::charge::expanded;
use super::instruction::{ACCEPT, Instruction, REJECT, opcode as op};

/// A program that is being written. All jumps lead forward, so some are written before their target is known.
#[derive(Clone, Copy)]
pub(super) struct Draft {
    code: [Instruction; MAX_INSTRUCTIONS],
    /// Instructions written, also those for which there was no place.
    pub(super) len: usize,
    /// What the kernel makes of them; jumps that are not set yet count as they will be.
    pub(super) expanded: u32,
}

/// Where a jump leads that is written before its target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// The search within a word that holds a NUL.
    Word,
    /// What loads the subsystem's first word again, behind the comparison with a name.
    Reload,
    /// The comparison with the next name.
    Next,
    /// The end that accepts.
    Accept,
}

impl Label {
    /// The distance that stands for it: no program is so long.
    const fn mark(self) -> u32 {
        u32::MAX - self as u32
    }
}

impl Draft {
    pub(super) const fn new() -> Self {
        Self {
            code: [Instruction { code: op::RET, jt: 0, jf: 0, k: ACCEPT }; MAX_INSTRUCTIONS],
            len: 0,
            expanded: 0,
        }
    }

    pub(super) const fn code(&self) -> &[Instruction] {
        self.code.split_at(if self.len < MAX_INSTRUCTIONS { self.len } else { MAX_INSTRUCTIONS }).0
    }

    /// What does not load, jump or return.
    pub(super) const fn push(&mut self, code: u16, k: u32) {
        self.skip_if(code, k, 0);
    }

    pub(super) const fn accept(&mut self) {
        self.push(op::RET, ACCEPT);
    }

    pub(super) const fn reject(&mut self) {
        self.push(op::RET, REJECT);
    }

    /// A condition that, if it holds, skips `distance` instructions.
    pub(super) const fn skip_if(&mut self, code: u16, k: u32, distance: u8) {
        let instruction = Instruction { code, jt: distance, jf: 0, k };
        if self.len < MAX_INSTRUCTIONS {
            self.code[self.len] = instruction;
        }
        self.len += 1;
        self.expanded += expanded(instruction);
    }

    /// A jump of a known distance.
    pub(super) const fn skip(&mut self, distance: u32) {
        self.push(op::JA, distance);
    }

    pub(super) const fn jump(&mut self, label: Label) {
        self.push(op::JA, label.mark());
    }

    /// A jump unless the condition holds.
    pub(super) const fn jump_unless(&mut self, label: Label, code: u16, k: u32) {
        self.skip_if(code, k, 1);
        self.jump(label);
    }

    /// Sets all jumps to this label, from here on back, to the next instruction.
    pub(super) const fn place(&mut self, label: Label) {
        let mut at = 0;
        while at < self.len && at < MAX_INSTRUCTIONS {
            if self.code[at].code == op::JA && self.code[at].k == label.mark() {
                #[expect(clippy::cast_possible_truncation)]
                let distance = (self.len - at - 1) as u32;
                self.code[at].k = distance;
            }
            at += 1;
        }
    }
}
