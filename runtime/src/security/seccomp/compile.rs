//! From the profile's rules to one BPF program: a section an architecture, in it a balanced search over ranges of system
//! call numbers that share an action, and a chain of tests for each call whose arguments matter.

use super::Error;
use super::abi::{Abi, X32_BIT};
use super::action::action_value;
use super::assembler::{Assembler, LONGEST, Label};
use super::condition::Condition;
use super::multiplex::{Inner, multiplexed};
use super::table::{LAST_ORDINARY, Syscall};
use crate::spec::{Seccomp, SeccompAction, SeccompArg, SeccompSyscall};
use seccompiler::sock_filter;

/// What a program of an architecture that the profile leaves out gets, as from libseccomp: `SECCOMP_RET_KILL_THREAD`.
const FOREIGN: u32 = 0;
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;

/// Conditions that must all hold for a value to be returned; none of them is always true.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Clause {
    conditions: Vec<Condition>,
    value: u32,
}

/// What becomes of a system call number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate<'a> {
    Return(u32),
    /// The first clause that holds.
    Chain(&'a [(u32, Clause)]),
}

/// What is known of one convention while the rules are read.
struct Convention {
    abi: Abi,
    /// Number and clause, first in rule order, then by number.
    cases: Vec<(u32, Clause)>,
    /// Highest ordinary number that the profile names, with whatever action.
    last: Option<u32>,
}

/// The program for programs that run where `native` does.
///
/// Rules whose action is the default one are passed over, as runc and crun do; among the others the first that matches
/// decides. A condition list that names an argument twice is read as alternatives, as runc does.
///
/// # Errors
/// [`Error::Field`], [`Error::TooLong`].
pub(super) fn compile(s: &Seccomp, native: Abi) -> Result<Vec<sock_filter>, Error> {
    let default = action_value(s.default_action, s.default_errno_ret, "linux.seccomp.defaultErrnoRet")?;
    let asked = Abi::asked(native, &s.architectures);
    let mut conventions: Vec<_> = asked.iter().map(|abi| Convention::new(*abi)).collect();
    for (index, rule) in s.syscalls.iter().enumerate() {
        check(index, rule)?;
        let value =
            action_value(rule.action, rule.errno_ret, &format_args!("linux.seccomp.syscalls[{index}].errnoRet"))?;
        let alternatives = alternatives(&rule.args);
        for syscall in rule.names.iter().filter_map(|name| Syscall::find(name)) {
            conventions.iter_mut().for_each(|convention| convention.add(syscall, &alternatives, value, default));
        }
        if let Some(i386) = conventions.iter_mut().find(|convention| convention.abi == Abi::I386) {
            rule.names
                .iter()
                .filter_map(|name| multiplexed(name))
                .for_each(|inner| i386.add_inner(inner, rule, value, default));
        }
    }
    conventions.iter_mut().for_each(|convention| convention.cases.sort_by_key(|(number, _)| *number));

    let newer = if is_stubbed(s) { ENOSYS } else { default };
    let mut program = Assembler::new();
    let mut next = program.ret(FOREIGN);
    for convention in conventions.iter().rev().filter(|convention| convention.abi != Abi::X32) {
        let twin = conventions.iter().find(|other| convention.abi == Abi::X86_64 && other.abi == Abi::X32);
        let ranges = ranges(convention, twin, default, newer);
        let search = search(&mut program, &ranges, default);
        let section = program.load(NUMBER, search);
        next = program.test_equal(convention.abi.audit_arch(), section, next);
    }
    program.load(ARCH, next);
    let program = program.finish();
    if program.len() > LONGEST { Err(Error::TooLong { length: program.len() }) } else { Ok(program) }
}

impl Convention {
    fn new(abi: Abi) -> Convention {
        Convention { abi, cases: Vec::new(), last: None }
    }

    fn add(&mut self, syscall: &Syscall, alternatives: &[&[SeccompArg]], value: u32, default: u32) {
        let Some(number) = syscall.number(self.abi) else { return };
        if number & !self.abi.bit() <= LAST_ORDINARY {
            self.last = self.last.max(Some(number));
        }
        if value == default {
            return;
        }
        for arguments in alternatives {
            let conditions = arguments.iter().map(|argument| Condition::new(argument, self.abi.wide())).collect();
            self.cases.push((number, Clause { conditions, value }));
        }
    }

    /// The way through `socketcall` or `ipc`. The call's own arguments are behind a pointer there, where no filter can
    /// look: a rule on arguments that lets the call through is left out, any other holds whatever the arguments are.
    fn add_inner(&mut self, inner: Inner, rule: &SeccompSyscall, value: u32, default: u32) {
        let lenient = matches!(rule.action, SeccompAction::ScmpActAllow | SeccompAction::ScmpActLog);
        if value != default && (rule.args.is_empty() || !lenient) {
            self.cases.push((inner.number, Clause { conditions: vec![inner.condition], value }));
        }
    }
}

fn check(index: usize, rule: &SeccompSyscall) -> Result<(), Error> {
    let field = |field: &str, problem: String| Error::Field {
        field: format!("linux.seccomp.syscalls[{index}].{field}"),
        problem,
    };
    if rule.names.is_empty() {
        return Err(field("names", "at least one system call is needed".into()));
    }
    for (at, argument) in rule.args.iter().enumerate() {
        if argument.index > 5 {
            return Err(field(&format!("args[{at}].index"), format!("{} is not 0 to 5", argument.index)));
        }
    }
    // rtrun itself makes these between loading the filter and handing its descriptor over: nobody could answer.
    let own = ["write", "sendmsg"].into_iter().find(|own| rule.names.iter().any(|name| name == own));
    match own {
        Some(own) if rule.action == SeccompAction::ScmpActNotify => {
            Err(field("action", format!("SCMP_ACT_NOTIFY cannot be used for the {own} syscall")))
        }
        _ => Ok(()),
    }
}

/// One list of conditions, or one for each condition where an argument occurs twice.
fn alternatives(arguments: &[SeccompArg]) -> Vec<&[SeccompArg]> {
    let repeats = (1..arguments.len()).any(|at| arguments[..at].iter().any(|other| other.index == arguments[at].index));
    if repeats { arguments.chunks(1).collect() } else { vec![arguments] }
}

/// Whether calls beyond the profile's newest get ENOSYS, so that C libraries fall back to what the profile knows: as runc
/// does unless the default lets them through or is ENOSYS already.
fn is_stubbed(s: &Seccomp) -> bool {
    use SeccompAction::{ScmpActAllow, ScmpActLog, ScmpActTrace};
    !matches!(s.default_action, ScmpActAllow | ScmpActLog | ScmpActTrace)
}

/// Where each fate begins, from number 0 on.
fn ranges<'a>(
    convention: &'a Convention,
    twin: Option<&'a Convention>,
    default: u32,
    newer: u32,
) -> Vec<(u32, Fate<'a>)> {
    let mut regions = vec![(0, default)];
    let mut end_of_known = |last: Option<u32>| regions.extend(last.map(|last| (last + 1, newer)));
    end_of_known(convention.last);
    if convention.abi == Abi::X86_64 {
        regions.push((X32_BIT, twin.map_or(FOREIGN, |_| default)));
        regions.extend(twin.and_then(|twin| twin.last).map(|last| (last + 1, newer)));
        // A tracer makes the kernel skip a call by this number.
        regions.push((u32::MAX, default));
    } else if convention.last.is_some() {
        regions.push((LAST_ORDINARY + 1, default));
    }

    let mut ranges: Vec<(u32, Fate)> = Vec::with_capacity(128);
    let mut begin = |number: u32, fate: Fate<'a>| match ranges.last() {
        Some((_, last)) if *last == fate => {}
        _ => ranges.push((number, fate)),
    };
    let cases = &convention.cases;
    let mut fates = groups(cases).chain(groups(twin.map_or(&[], |twin| &twin.cases))).peekable();
    for (at, (start, value)) in regions.iter().enumerate() {
        let end = regions.get(at + 1).map_or(u32::MAX, |(next, _)| next - 1);
        let mut cursor = Some(*start);
        while let Some((number, fate)) = fates.next_if(|(number, _)| *number <= end) {
            if cursor.is_some_and(|cursor| cursor < number) {
                begin(cursor.unwrap_or(number), Fate::Return(*value));
            }
            begin(number, fate);
            cursor = number.checked_add(1);
        }
        if let Some(cursor) = cursor.filter(|cursor| *cursor <= end) {
            begin(cursor, Fate::Return(*value));
        }
    }
    ranges
}

/// The numbers with their clauses, those behind an unconditional one cut off.
fn groups(cases: &[(u32, Clause)]) -> impl Iterator<Item = (u32, Fate<'_>)> {
    cases.chunk_by(|a, b| a.0 == b.0).map(|group| {
        let used =
            group.iter().position(|(_, clause)| clause.conditions.is_empty()).map_or(group.len(), |last| last + 1);
        let fate =
            if group[0].1.conditions.is_empty() { Fate::Return(group[0].1.value) } else { Fate::Chain(&group[..used]) };
        (group[0].0, fate)
    })
}

/// Halves the ranges until one is left.
fn search(program: &mut Assembler, ranges: &[(u32, Fate)], default: u32) -> Label {
    if let [(_, fate)] = ranges {
        return match fate {
            Fate::Return(value) => program.ret(*value),
            Fate::Chain(clauses) => chain(program, clauses, default),
        };
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let above = search(program, high, default);
    let below = search(program, low, default);
    program.test_at_least(high[0].0, above, below)
}

/// Clause after clause; the last one that fails goes to the default.
fn chain(program: &mut Assembler, clauses: &[(u32, Clause)], default: u32) -> Label {
    let mut next = program.ret(default);
    for (_, clause) in clauses.iter().rev() {
        let holds = program.ret(clause.value);
        next = clause.conditions.iter().rev().fold(holds, |holds, condition| condition.write(program, holds, next));
    }
    next
}
