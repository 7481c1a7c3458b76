use crate::security::seccomp::abi::{Abi, X32_BIT};
use crate::security::seccomp::action::action_value;
use crate::security::seccomp::table::{LAST_ORDINARY, Syscall};
use crate::spec::{Seccomp, SeccompAction, SeccompArch, SeccompArg, SeccompOperator};

/// The verdict by reading the profile from top to bottom, no cleverness. x86_64 only.
pub(super) fn verdict(s: &Seccomp, arch: u32, number: u32, arguments: [u64; 6]) -> u32 {
    let default = action_value(s.default_action, s.default_errno_ret, "").unwrap();
    let asked = |architecture| s.architectures.contains(&architecture);
    let abi = match arch {
        0xc000_003e if number < X32_BIT || number == u32::MAX => Abi::X86_64,
        0xc000_003e if asked(SeccompArch::X32) => Abi::X32,
        0x4000_0003 if asked(SeccompArch::X86) => Abi::I386,
        _ => return 0,
    };
    for rule in &s.syscalls {
        let value = action_value(rule.action, rule.errno_ret, "").unwrap();
        let named = rule.names.iter().any(|name| call_number(name, abi) == Some(number));
        if value != default && named && arguments_match(&rule.args, abi, arguments) {
            return value;
        }
        let inner = abi == Abi::I386 && rule.names.iter().any(|name| is_inner(name, number, arguments[0]));
        let passes = matches!(rule.action, SeccompAction::ScmpActAllow | SeccompAction::ScmpActLog);
        if value != default && inner && (rule.args.is_empty() || !passes) {
            return value;
        }
    }
    beyond(s, abi, number, default)
}

/// ENOSYS for what is newer than the profile.
fn beyond(s: &Seccomp, abi: Abi, number: u32, default: u32) -> u32 {
    use SeccompAction::*;
    let names = s.syscalls.iter().flat_map(|rule| &rule.names);
    let last = names.filter_map(|name| call_number(name, abi)).filter(|n| n & !X32_BIT <= LAST_ORDINARY).max();
    let ordinary = abi != Abi::I386 || number <= LAST_ORDINARY;
    let stubbed = !matches!(s.default_action, ScmpActAllow | ScmpActLog | ScmpActTrace);
    let newer = last.is_some_and(|last| number > last) && number != u32::MAX && ordinary;
    if stubbed && newer { 0x0005_0000 | 38 } else { default }
}

fn call_number(name: &str, abi: Abi) -> Option<u32> {
    Syscall::find(name)?.number(abi)
}

fn is_inner(name: &str, number: u32, selector: u64) -> bool {
    match (name, number) {
        ("socket", 102) => selector & 0xffff == 1,
        ("sendmsg", 102) => selector & 0xffff == 16,
        ("shmat", 117) => selector & 0xffff == 21,
        _ => false,
    }
}

fn arguments_match(conditions: &[SeccompArg], abi: Abi, arguments: [u64; 6]) -> bool {
    let mut holds = conditions.iter().map(|condition| holds(condition, abi, arguments));
    let mut indices: Vec<_> = conditions.iter().map(|condition| condition.index).collect();
    indices.sort_unstable();
    if indices.windows(2).any(|pair| pair[0] == pair[1]) { holds.any(|holds| holds) } else { holds.all(|holds| holds) }
}

fn holds(condition: &SeccompArg, abi: Abi, arguments: [u64; 6]) -> bool {
    use SeccompOperator::*;
    let width = if abi == Abi::X86_64 { u64::MAX } else { u32::MAX.into() };
    let argument = arguments[condition.index as usize] & width;
    let (value, second) = (condition.value & width, condition.value_two & width);
    match condition.op {
        ScmpCmpNe => argument != value,
        ScmpCmpLt => argument < value,
        ScmpCmpLe => argument <= value,
        ScmpCmpEq => argument == value,
        ScmpCmpGe => argument >= value,
        ScmpCmpGt => argument > value,
        ScmpCmpMaskedEq => argument & value == second & value,
    }
}
