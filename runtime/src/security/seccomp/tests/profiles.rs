use super::interpreter::run;
use super::{arg, profile, rule};
use crate::security::seccomp::abi::Abi;
use crate::security::seccomp::compile::compile;
use crate::security::seccomp::{Error, Filter, SPEC_ALLOW, flags};
use crate::spec::{Seccomp, SeccompAction, SeccompArch, SeccompArg, SeccompOperator, SeccompSyscall};
use std::path::Path;

const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;
const AARCH64: u32 = 0xc000_00b7;
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;

#[test]
fn each_wrong_field_has_its_message() {
    use SeccompAction::*;
    let allow = || profile(ScmpActAllow);
    let with = |rule: SeccompSyscall| Seccomp { syscalls: vec![rule], ..allow() };
    let wrong = [
        (with(rule(&[], ScmpActErrno, None, &[])), "linux.seccomp.syscalls[0].names: at least one"),
        (
            with(rule(&["read"], ScmpActErrno, Some(4096), &[])),
            "linux.seccomp.syscalls[0].errnoRet: 4096 is above 4095",
        ),
        (with(rule(&["read"], ScmpActTrap, Some(1), &[])), "linux.seccomp.syscalls[0].errnoRet: 1 goes with"),
        (
            with(rule(&["read"], ScmpActErrno, None, &[arg(6, SeccompOperator::ScmpCmpEq, 0, 0)])),
            "linux.seccomp.syscalls[0].args[0].index: 6 is not 0 to 5",
        ),
        (Seccomp { default_errno_ret: Some(1), ..allow() }, "linux.seccomp.defaultErrnoRet: 1 goes with"),
        (profile(ScmpActNotify), "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as default action"),
        (with(rule(&["mkdir"], ScmpActNotify, None, &[])), "linux.seccomp.listenerPath: SCMP_ACT_NOTIFY needs"),
        (
            Seccomp { listener_metadata: Some("x".into()), ..allow() },
            "linux.seccomp.listenerMetadata: is given without",
        ),
        (
            Seccomp { listener_path: Some("/s".into()), ..with(rule(&["write"], ScmpActNotify, None, &[])) },
            "SCMP_ACT_NOTIFY cannot be used for the write syscall",
        ),
        (Seccomp { flags: vec!["SECCOMP_FILTER_FLAG_X".into()], ..allow() }, "linux.seccomp.flags[0]: unknown flag"),
    ];
    for (s, part) in wrong {
        let error = Filter::compile(&s).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_profile_beyond_the_kernels_limit_is_an_error_with_its_length() {
    let args = [arg(0, SeccompOperator::ScmpCmpEq, u64::MAX, 0), arg(1, SeccompOperator::ScmpCmpEq, u64::MAX, 0)];
    let rules = (0..1000).map(|errno| rule(&["read"], SeccompAction::ScmpActErrno, Some(errno), &args));
    let s = Seccomp { syscalls: rules.collect(), ..profile(SeccompAction::ScmpActAllow) };
    assert!(matches!(Filter::compile(&s), Err(Error::TooLong { length }) if length > 4096));
}

#[test]
fn far_jumps_still_arrive() {
    let names: Vec<String> =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/security/seccomp/syscalls.tbl"))
            .unwrap()
            .lines()
            .skip(1)
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect();
    let rules = names.iter().enumerate().map(|(errno, name)| {
        rule(&[name], SeccompAction::ScmpActErrno, Some(errno as u32), &[arg(0, SeccompOperator::ScmpCmpEq, 7, 0)])
    });
    let s = Seccomp { syscalls: rules.collect(), architectures: Vec::new(), ..profile(SeccompAction::ScmpActAllow) };
    let program = compile(&s, Abi::X86_64).unwrap();
    assert!(program.len() > 1000);
    let errno = names.iter().position(|name| name == "read").unwrap() as u32;
    assert_eq!(run(&program, 0, X86_64, [7, 0, 0, 0, 0, 0]), ERRNO | errno);
    assert_eq!(run(&program, 0, X86_64, [7 << 32 | 7, 0, 0, 0, 0, 0]), ALLOW);
    let errno = names.iter().position(|name| name == "file_setattr").unwrap() as u32;
    assert_eq!(run(&program, 469, X86_64, [7, 0, 0, 0, 0, 0]), ERRNO | errno);
}

#[test]
fn what_is_newer_than_the_profile_does_not_exist() {
    let allow = rule(&["read", "openat2"], SeccompAction::ScmpActAllow, None, &[]);
    let s = Seccomp { syscalls: vec![allow], ..profile(SeccompAction::ScmpActErrno) };
    let program = compile(&s, Abi::X86_64).unwrap();
    let call = |number| run(&program, number, X86_64, [0; 6]);
    assert_eq!((call(437), call(1), call(438), call(500)), (ALLOW, ERRNO | 1, ERRNO | 38, ERRNO | 38));
    assert_eq!(call(u32::MAX), ERRNO | 1);
}

#[test]
fn an_architecture_left_out_is_killed_and_a_foreign_one_is_no_matter() {
    let mut s = profile(SeccompAction::ScmpActAllow);
    s.architectures = vec![SeccompArch::S390X, SeccompArch::Mips];
    let program = compile(&s, Abi::X86_64).unwrap();
    assert_eq!(run(&program, 0, X86_64, [0; 6]), ALLOW);
    assert_eq!(run(&program, 0, I386, [0; 6]), 0);
    assert_eq!(run(&program, 0x4000_0000, X86_64, [0; 6]), 0);
}

#[test]
fn arm_machines_have_their_own_numbers() {
    let mut s = profile(SeccompAction::ScmpActErrno);
    s.architectures = vec![SeccompArch::Aarch64, SeccompArch::Arm];
    s.syscalls = vec![rule(&["openat", "set_tls"], SeccompAction::ScmpActAllow, None, &[])];
    let program = compile(&s, Abi::Aarch64).unwrap();
    assert_eq!(run(&program, 56, AARCH64, [0; 6]), ALLOW);
    assert_eq!(run(&program, 257, AARCH64, [0; 6]), ERRNO | 38);
    assert_eq!(run(&program, 322, 0x4000_0028, [0; 6]), ALLOW);
    assert_eq!(run(&program, 0xf0005, 0x4000_0028, [0; 6]), ALLOW);
    assert_eq!(run(&program, 400, 0x4000_0028, [0; 6]), ERRNO | 38);
}

#[test]
fn a_denied_socket_is_denied_through_socketcall_as_well() {
    let condition = [arg(0, SeccompOperator::ScmpCmpEq, 40, 0)];
    let s = Seccomp {
        syscalls: vec![rule(&["socket"], SeccompAction::ScmpActErrno, Some(97), &condition)],
        ..profile(SeccompAction::ScmpActAllow)
    };
    let program = compile(&s, Abi::X86_64).unwrap();
    assert_eq!(run(&program, 359, I386, [40, 0, 0, 0, 0, 0]), ERRNO | 97);
    assert_eq!(run(&program, 359, I386, [2, 0, 0, 0, 0, 0]), ALLOW);
    assert_eq!(run(&program, 102, I386, [1, 0, 0, 0, 0, 0]), ERRNO | 97);
    assert_eq!(run(&program, 102, I386, [2, 0, 0, 0, 0, 0]), ALLOW);
}

#[test]
fn flags_follow_the_listener() {
    let named = |name: &str| vec![format!("SECCOMP_FILTER_FLAG_{name}")];
    assert_eq!(flags(&[], false).unwrap(), SPEC_ALLOW);
    assert_eq!(flags(&named("LOG"), false).unwrap(), 2);
    assert_eq!(flags(&named("WAIT_KILLABLE_RECV"), false).unwrap(), 0);
    assert_eq!(flags(&named("WAIT_KILLABLE_RECV"), true).unwrap(), 0b10_1000);
    assert_eq!(flags(&named("TSYNC"), true).unwrap(), 0b1_1001);
}

/// podman's profile as podman hands it over for a container with the default capabilities: what depends on a capability
/// left out or brought in is sorted out by the caller.
pub(super) fn podman() -> Option<Seccomp> {
    let text = std::fs::read(Path::new("/usr/share/containers/seccomp.json")).ok()?;
    let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let asks = |rule: &serde_json::Value, section: &str| {
        let section = &rule[section];
        section["caps"].as_array().is_some_and(|caps| !caps.is_empty())
            || section["arches"].as_array().is_some_and(|archs| !archs.iter().any(|arch| arch == "amd64"))
    };
    let kept = json["syscalls"].as_array().unwrap().iter().filter(|rule| !asks(rule, "includes"));
    let syscalls = kept.map(|rule| {
        let mut rule = rule.clone();
        if let Some(args) = rule["args"].as_array_mut() {
            args.iter_mut().for_each(|arg| {
                arg["valueTwo"] = arg["valueTwo"].as_u64().unwrap_or(0).into();
            });
        }
        serde_json::from_value(rule).unwrap()
    });
    let mut s = profile(SeccompAction::ScmpActErrno);
    s.default_errno_ret = json["defaultErrnoRet"].as_u64().map(|errno| errno as u32);
    s.syscalls = syscalls.collect();
    Some(s)
}

#[test]
fn podmans_profile_means_what_it_says_and_compiles_at_once() {
    let Some(s) = podman() else {
        eprintln!("skip: podman's /usr/share/containers/seccomp.json is not installed");
        return;
    };
    let start = std::time::Instant::now();
    let program = compile(&s, Abi::X86_64).unwrap();
    let took = start.elapsed();
    eprintln!("podman's profile: {} instructions in {took:?}", program.len());
    for (arch, bit) in [(X86_64, 0), (X86_64, 0x4000_0000), (I386, 0)] {
        for number in (0..600).map(|number| number | bit) {
            for first in [0, 2, 8, 40, 0x7e02_0000, 0xffff_ffff] {
                let arguments = [first, 0, 9, 0, 0, 0];
                let expected = super::plain::verdict(&s, arch, number, arguments);
                if arch == I386 && (number == 102 || number == 117) {
                    continue;
                }
                assert_eq!(run(&program, number, arch, arguments), expected, "{arch:#x} {number} {first}");
            }
        }
    }
    assert!(cfg!(debug_assertions) || took.as_micros() < 300, "{took:?}");
}

#[test]
fn a_masked_value_is_masked_too() {
    let masked: SeccompArg = arg(0, SeccompOperator::ScmpCmpMaskedEq, 0xf0, 0x1f);
    let s = Seccomp {
        syscalls: vec![rule(&["read"], SeccompAction::ScmpActErrno, None, &[masked])],
        ..profile(SeccompAction::ScmpActAllow)
    };
    let program = compile(&s, Abi::X86_64).unwrap();
    assert_eq!(run(&program, 0, X86_64, [0x12, 0, 0, 0, 0, 0]), ERRNO | 1);
    assert_eq!(run(&program, 0, X86_64, [0x22, 0, 0, 0, 0, 0]), ALLOW);
}
