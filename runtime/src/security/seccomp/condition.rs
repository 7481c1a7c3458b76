//! A condition on one argument, as BPF, which compares 32 bits at a time.

use super::assembler::{Assembler, Label, Test};
use crate::spec::{SeccompArg, SeccompOperator};

/// A comparison of `argument & mask`, unsigned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Condition {
    index: u32,
    operator: SeccompOperator,
    mask: u64,
    value: u64,
    /// Whether the upper half counts.
    wide: bool,
}

impl Condition {
    pub(super) fn new(argument: &SeccompArg, wide: bool) -> Condition {
        let (mask, value) = match argument.op {
            // The value is masked as well, as libseccomp does.
            SeccompOperator::ScmpCmpMaskedEq => (argument.value, argument.value_two & argument.value),
            _ => (u64::MAX, argument.value),
        };
        Condition { index: argument.index, operator: argument.op, mask, value, wide }
    }

    /// That the low 16 bits of the first argument are this number.
    pub(super) fn selects(number: u16) -> Condition {
        let operator = SeccompOperator::ScmpCmpMaskedEq;
        Condition { index: 0, operator, mask: 0xffff, value: number.into(), wide: false }
    }

    /// Goes on at `yes` where the condition holds, else at `no`.
    pub(super) fn write(&self, program: &mut Assembler, yes: Label, no: Label) -> Label {
        use SeccompOperator::{ScmpCmpEq, ScmpCmpGe, ScmpCmpGt, ScmpCmpLe, ScmpCmpLt, ScmpCmpMaskedEq, ScmpCmpNe};
        match self.operator {
            ScmpCmpEq | ScmpCmpMaskedEq => self.equal(program, yes, no),
            ScmpCmpNe => self.equal(program, no, yes),
            ScmpCmpGt => self.above(program, Test::Greater, yes, no),
            ScmpCmpGe => self.above(program, Test::GreaterOrEqual, yes, no),
            ScmpCmpLe => self.above(program, Test::Greater, no, yes),
            ScmpCmpLt => self.above(program, Test::GreaterOrEqual, no, yes),
        }
    }

    fn equal(&self, program: &mut Assembler, yes: Label, no: Label) -> Label {
        let low = self.half_equal(program, 0, yes, no);
        if self.wide { self.half_equal(program, 32, low, no) } else { low }
    }

    fn half_equal(&self, program: &mut Assembler, shift: u32, yes: Label, no: Label) -> Label {
        let (mask, value) = ((self.mask >> shift) as u32, (self.value >> shift) as u32);
        if mask == 0 {
            return yes;
        }
        let mut at = program.test(Test::Equal, value, yes, no);
        if mask != u32::MAX {
            at = program.and(mask, at);
        }
        program.load(self.offset(shift), at)
    }

    fn above(&self, program: &mut Assembler, test: Test, yes: Label, no: Label) -> Label {
        let mut at = program.test(test, self.value as u32, yes, no);
        at = program.load(self.offset(0), at);
        if self.wide {
            let high = (self.value >> 32) as u32;
            at = program.test(Test::Equal, high, at, no);
            at = program.test(Test::Greater, high, yes, at);
            at = program.load(self.offset(32), at);
        }
        at
    }

    /// Of a half in `struct seccomp_data`, on the little-endian machines that rtrun is for.
    fn offset(&self, shift: u32) -> u32 {
        16 + 8 * self.index + shift / 8
    }
}
