use super::interpreter::run;
use super::plain::verdict;
use super::{arg, profile, rule};
use crate::security::seccomp::abi::Abi;
use crate::security::seccomp::compile::compile;
use crate::spec::{Seccomp, SeccompAction, SeccompArch, SeccompOperator};

const NAMES: [&str; 16] = [
    "read",
    "write",
    "openat",
    "clone",
    "socket",
    "sendmsg",
    "shmat",
    "socketcall",
    "ipc",
    "readv",
    "futex_waitv",
    "open",
    "personality",
    "landlock_restrict_self",
    "uretprobe",
    "nothing_knows_me",
];
/// Zero, one, the borders of halves and of the whole.
pub(super) const VALUES: [u64; 10] =
    [0, 1, 16, 0xffff, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0001, 0x8000_0000_0000_0000, u64::MAX - 1, u64::MAX];

/// xorshift64: the same sequence each run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    pub(super) fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

fn any_action(dice: &mut Dice) -> (SeccompAction, Option<u32>) {
    use SeccompAction::*;
    let action =
        dice.of(&[ScmpActAllow, ScmpActErrno, ScmpActErrno, ScmpActTrace, ScmpActTrap, ScmpActKillProcess, ScmpActLog]);
    let carries = matches!(action, ScmpActErrno | ScmpActTrace);
    (action, carries.then(|| dice.of(&[None, Some(1), Some(38), Some(4095)])).flatten())
}

fn any_profile(dice: &mut Dice) -> Seccomp {
    use SeccompOperator::*;
    let (default, errno) = any_action(dice);
    let mut s = Seccomp { default_errno_ret: errno, ..profile(default) };
    let archs = [SeccompArch::X86, SeccompArch::X32, SeccompArch::Mips];
    s.architectures = archs.into_iter().filter(|_| dice.below(2) == 0).collect();
    for _ in 0..dice.below(12) {
        let names: Vec<_> = (0..=dice.below(4)).map(|_| dice.of(&NAMES)).collect();
        let (action, errno) = any_action(dice);
        let operators =
            [ScmpCmpNe, ScmpCmpLt, ScmpCmpLe, ScmpCmpEq, ScmpCmpGe, ScmpCmpGt, ScmpCmpMaskedEq, ScmpCmpMaskedEq];
        let count = dice.of(&[0, 0, 1, 1, 2, 3]);
        let args: Vec<_> = (0..count)
            .map(|_| arg(dice.below(6) as u32, dice.of(&operators), dice.of(&VALUES), dice.of(&VALUES)))
            .collect();
        s.syscalls.push(rule(&names, action, errno, &args));
    }
    s
}

#[test]
fn random_profiles_mean_what_they_say() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let numbers = [
        0,
        1,
        2,
        41,
        46,
        56,
        102,
        117,
        120,
        135,
        136,
        257,
        295,
        335,
        336,
        359,
        370,
        397,
        446,
        449,
        450,
        451,
        0xefff,
        0xf000,
        0x3fff_ffff,
        0x4000_0000,
        0x4000_0001,
        0x4000_0203,
        0x4000_0206,
        0x4000_01c1,
        0x4000_01c2,
        0x4000_01c3,
        0x7fff_ffff,
        0x8000_0000,
        u32::MAX - 1,
        u32::MAX,
    ];
    let archs = [0xc000_003e, 0xc000_003e, 0x4000_0003, 0xc000_00b7];
    for round in 0..3000 {
        let s = any_profile(&mut dice);
        let program = compile(&s, Abi::X86_64).unwrap();
        for _ in 0..120 {
            let (arch, number) = (dice.of(&archs), dice.of(&numbers));
            let arguments = std::array::from_fn(|_| {
                if dice.below(4) == 0 { 0x10_0000 | dice.of(&[1, 16, 21]) } else { dice.of(&VALUES) }
            });
            let (found, expected) = (run(&program, number, arch, arguments), verdict(&s, arch, number, arguments));
            assert_eq!(found, expected, "round {round}: arch {arch:#x} call {number:#x} {arguments:x?} under {s:#?}");
        }
    }
}
