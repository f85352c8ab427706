use super::MAX_INSTRUCTIONS;
use super::charge::expanded;
use super::instruction::{ACCEPT, Instruction, REJECT, opcode as op};

/// A program under construction. All jumps lead forward, so some are written before their target is
/// known.
#[derive(Clone, Copy)]
pub(super) struct Draft {
    code: [Instruction; MAX_INSTRUCTIONS],
    /// Instructions written, including those beyond the capacity.
    pub(super) len: usize,
    /// The kernel instructions that they become. A jump counts the same before and after its target
    /// is set.
    pub(super) expanded: u32,
}

/// The target of a jump that is written before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// The search in a word that contains a NUL.
    Word,
    /// The load of the subsystem's first word, repeated after the comparison with a name.
    Reload,
    /// The comparison with the next name.
    Next,
    /// The end of the program that accepts.
    Accept,
}

impl Label {
    /// Returns a placeholder distance, longer than any program.
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

    /// Appends an instruction other than a conditional jump.
    pub(super) const fn push(&mut self, code: u16, k: u32) {
        self.skip_if(code, k, 0);
    }

    pub(super) const fn accept(&mut self) {
        self.push(op::RET, ACCEPT);
    }

    pub(super) const fn reject(&mut self) {
        self.push(op::RET, REJECT);
    }

    /// Appends a condition that skips `distance` instructions if it holds.
    pub(super) const fn skip_if(&mut self, code: u16, k: u32, distance: u8) {
        let instruction = Instruction { code, jt: distance, jf: 0, k };
        if self.len < MAX_INSTRUCTIONS {
            self.code[self.len] = instruction;
        }
        self.len += 1;
        self.expanded += expanded(instruction);
    }

    /// Appends a jump of a known distance.
    pub(super) const fn skip(&mut self, distance: u32) {
        self.push(op::JA, distance);
    }

    pub(super) const fn jump(&mut self, label: Label) {
        self.push(op::JA, label.mark());
    }

    /// Appends a jump that is taken unless the condition holds.
    pub(super) const fn jump_unless(&mut self, label: Label, code: u16, k: u32) {
        self.skip_if(code, k, 1);
        self.jump(label);
    }

    /// Makes all jumps to this label, which lie before this point, lead to the next instruction.
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
