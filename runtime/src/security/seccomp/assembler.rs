//! Classic BPF written from its end to its start: each jump then knows its target, and one that is too far for eight
//! bits gets a stepping stone at once.

use seccompiler::sock_filter;

/// `BPF_MAXINSNS`.
pub(super) const LONGEST: usize = 4096;

/// An instruction's place, counted from the end of the program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Label(usize);

/// Comparison of the accumulator with a constant.
#[derive(Clone, Copy)]
pub(super) enum Test {
    Equal,
    Greater,
    GreaterOrEqual,
}

const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
/// Offset furthest ahead that a test reaches.
const REACH: usize = 255;

/// The program as far as it is written, last instruction first.
#[derive(Default)]
pub(super) struct Assembler {
    reversed: Vec<sock_filter>,
    /// Nearest return of each value.
    returns: Vec<(u32, Label)>,
}

impl Assembler {
    pub(super) fn new() -> Assembler {
        Assembler { reversed: Vec::with_capacity(512), returns: Vec::new() }
    }

    /// A return of this value within reach of the next instructions: the nearest one, or a new one.
    pub(super) fn ret(&mut self, value: u32) -> Label {
        let here = self.reversed.len();
        let known = self.returns.iter_mut().find(|(other, _)| *other == value);
        match known {
            // Some room is left for the loads and stepping stones before the test that will jump there.
            Some((_, label)) if here - label.0 < REACH - 8 => *label,
            Some(known) => {
                known.1 = Label(here);
                self.push(RETURN, 0, 0, value)
            }
            None => {
                self.returns.push((value, Label(here)));
                self.push(RETURN, 0, 0, value)
            }
        }
    }

    /// Tests the accumulator and goes on at one label or the other.
    pub(super) fn test(&mut self, test: Test, value: u32, yes: Label, no: Label) -> Label {
        if yes == no {
            return yes;
        }
        let yes = self.within_reach(yes, 1);
        let no = self.within_reach(no, 0);
        let code = libc::BPF_JMP
            | libc::BPF_K
            | match test {
                Test::Equal => libc::BPF_JEQ,
                Test::Greater => libc::BPF_JGT,
                Test::GreaterOrEqual => libc::BPF_JGE,
            };
        let (yes, no) = (self.offset(yes) as u8, self.offset(no) as u8);
        self.push(code as u16, yes, no, value)
    }

    /// Goes on at `yes` if the accumulator is this value, else at `no`.
    pub(super) fn test_equal(&mut self, value: u32, yes: Label, no: Label) -> Label {
        self.test(Test::Equal, value, yes, no)
    }

    /// Goes on at `yes` if the accumulator is at least this value, else at `no`.
    pub(super) fn test_at_least(&mut self, value: u32, yes: Label, no: Label) -> Label {
        self.test(Test::GreaterOrEqual, value, yes, no)
    }

    /// Keeps only these bits of the accumulator, then goes on at `next`.
    pub(super) fn and(&mut self, mask: u32, next: Label) -> Label {
        self.fall_to(next);
        self.push(AND, 0, 0, mask)
    }

    /// Loads a word of `struct seccomp_data` by its offset in bytes, then goes on at `next`.
    pub(super) fn load(&mut self, offset: u32, next: Label) -> Label {
        self.fall_to(next);
        self.push(LOAD_WORD, 0, 0, offset)
    }

    /// The program in the kernel's order.
    pub(super) fn finish(mut self) -> Vec<sock_filter> {
        self.reversed.reverse();
        self.reversed
    }

    /// Makes `next` the instruction that the next one written falls through to.
    fn fall_to(&mut self, next: Label) {
        let offset = self.offset(next);
        if offset > 0 {
            self.push(JUMP, 0, 0, offset as u32);
        }
    }

    /// The label itself, or a stepping stone to it, for a test that `later` instructions more will be written before.
    fn within_reach(&mut self, label: Label, later: usize) -> Label {
        let offset = self.offset(label);
        if offset + later <= REACH { label } else { self.push(JUMP, 0, 0, offset as u32) }
    }

    /// Instructions skipped from the one written next to the label.
    fn offset(&self, label: Label) -> usize {
        self.reversed.len() - 1 - label.0
    }

    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) -> Label {
        self.reversed.push(sock_filter { code, jt, jf, k });
        Label(self.reversed.len() - 1)
    }
}
