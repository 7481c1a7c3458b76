use super::interpreter::run;
use super::random::{Dice, VALUES};
use super::{arg, profile, rule};
use crate::security::seccomp::abi::Abi;
use crate::security::seccomp::action::action_value;
use crate::security::seccomp::compile::compile;
use crate::spec::{Seccomp, SeccompAction, SeccompArg, SeccompOperator};
use libc::{c_char, c_int, c_uint, c_void};
use seccompiler::sock_filter;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;

/// `struct scmp_arg_cmp` of seccomp.h.
#[repr(C)]
struct Comparison {
    index: c_uint,
    operator: c_uint,
    value: u64,
    second: u64,
}

/// The library's functions, found at run time: rtrun itself doesn't link it.
struct Library {
    init: unsafe extern "C" fn(u32) -> *mut c_void,
    arch_add: unsafe extern "C" fn(*mut c_void, u32) -> c_int,
    resolve: unsafe extern "C" fn(*const c_char) -> c_int,
    rule_add: unsafe extern "C" fn(*mut c_void, u32, c_int, c_uint, *const Comparison) -> c_int,
    export: unsafe extern "C" fn(*mut c_void, c_int) -> c_int,
    release: unsafe extern "C" fn(*mut c_void),
}

/// A function of the library; `F` has to be the type that seccomp.h gives it.
unsafe fn function<F>(library: *mut c_void, name: &CStr) -> F {
    // SAFETY: the handle is live; a function pointer is as large as any.
    unsafe {
        let symbol = libc::dlsym(library, name.as_ptr());
        assert!(!symbol.is_null(), "{name:?}");
        std::mem::transmute_copy(&symbol)
    }
}

impl Library {
    fn open() -> Option<Library> {
        // SAFETY: the library's initialisers do nothing; the types are those of seccomp.h.
        unsafe {
            let library = libc::dlopen(c"libseccomp.so.2".as_ptr(), libc::RTLD_NOW);
            (!library.is_null()).then(|| Library {
                init: function(library, c"seccomp_init"),
                arch_add: function(library, c"seccomp_arch_add"),
                resolve: function(library, c"seccomp_syscall_resolve_name"),
                rule_add: function(library, c"seccomp_rule_add_array"),
                export: function(library, c"seccomp_export_bpf"),
                release: function(library, c"seccomp_release"),
            })
        }
    }

    /// The library's program for a profile, for x86_64, i386 and x32.
    fn compile(&self, s: &Seccomp) -> Vec<sock_filter> {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        // SAFETY: the context is live until it is released, the arrays are as long as said.
        unsafe {
            let context = (self.init)(action_value(s.default_action, s.default_errno_ret, "").unwrap());
            for token in [0x4000_0003, 0x4000_003e] {
                assert_eq!((self.arch_add)(context, token), 0);
            }
            for rule in &s.syscalls {
                let comparisons: Vec<_> = rule.args.iter().map(comparison).collect();
                let action = action_value(rule.action, rule.errno_ret, "").unwrap();
                for name in &rule.names {
                    let number = (self.resolve)(CString::new(name.as_str()).unwrap().as_ptr());
                    let result =
                        (self.rule_add)(context, action, number, comparisons.len() as c_uint, comparisons.as_ptr());
                    assert_eq!(result, 0, "{name}");
                }
            }
            assert_eq!((self.export)(context, writer.as_raw_fd()), 0);
            (self.release)(context);
        }
        drop(writer);
        let mut bytes = Vec::new();
        File::from(reader).read_to_end(&mut bytes).unwrap();
        let half = |at: &[u8]| u16::from_ne_bytes([at[0], at[1]]);
        let word = |at: &[u8]| u32::from_ne_bytes([at[0], at[1], at[2], at[3]]);
        bytes.chunks(8).map(|i| sock_filter { code: half(i), jt: i[2], jf: i[3], k: word(&i[4..]) }).collect()
    }
}

fn comparison(argument: &SeccompArg) -> Comparison {
    use SeccompOperator::*;
    let order = [ScmpCmpNe, ScmpCmpLt, ScmpCmpLe, ScmpCmpEq, ScmpCmpGe, ScmpCmpGt, ScmpCmpMaskedEq];
    let operator = order.iter().position(|operator| *operator == argument.op).unwrap() as c_uint + 1;
    Comparison { index: argument.index, operator, value: argument.value, second: argument.value_two }
}

/// Profiles in which the order of rules doesn't matter, for libseccomp has none: one action a call.
fn unordered(dice: &mut Dice) -> Seccomp {
    use SeccompOperator::*;
    let operators = [ScmpCmpNe, ScmpCmpLt, ScmpCmpLe, ScmpCmpEq, ScmpCmpGe, ScmpCmpGt, ScmpCmpMaskedEq];
    let mut s = profile(SeccompAction::ScmpActAllow);
    for name in ["read", "openat", "clone", "personality", "prctl", "readv", "futex_waitv"] {
        let (action, errno) = dice.of(&[
            (SeccompAction::ScmpActErrno, Some(5)),
            (SeccompAction::ScmpActErrno, None),
            (SeccompAction::ScmpActTrace, Some(9)),
            (SeccompAction::ScmpActKillProcess, None),
        ]);
        let first = dice.below(6) as u32;
        let args: Vec<_> = (0..dice.below(3) as u32)
            .map(|at| arg((first + at) % 6, dice.of(&operators), dice.of(&VALUES), dice.of(&VALUES)))
            .collect();
        s.syscalls.push(rule(&[name], action, errno, &args));
    }
    s
}

#[test]
fn libseccomp_decides_the_same() {
    if Abi::native() != Abi::X86_64 {
        eprintln!("skip: compares x86_64 programs, which this machine's libseccomp doesn't make");
        return;
    }
    let Some(library) = Library::open() else {
        eprintln!("skip: libseccomp.so.2 is not installed");
        return;
    };
    let mut dice = Dice(0x853c_49e6_748f_ea9b);
    let numbers = [
        (0xc000_003e, 0),
        (0xc000_003e, 257),
        (0xc000_003e, 56),
        (0xc000_003e, 135),
        (0xc000_003e, 157),
        (0xc000_003e, 19),
        (0xc000_003e, 449),
        (0xc000_003e, 2),
        (0xc000_003e, 0x4000_0000),
        (0xc000_003e, 0x4000_0203),
        (0xc000_003e, 0x4000_0101),
        (0x4000_0003, 3),
        (0x4000_0003, 295),
        (0x4000_0003, 120),
        (0x4000_0003, 136),
        (0x4000_0003, 172),
        (0x4000_0003, 145),
        (0x4000_0003, 449),
        (0xc000_00b7, 0),
    ];
    for round in 0..400 {
        let s = unordered(&mut dice);
        let (ours, theirs) = (compile(&s, Abi::X86_64).unwrap(), library.compile(&s));
        for (arch, number) in numbers {
            for _ in 0..40 {
                let arguments = std::array::from_fn(|_| dice.of(&VALUES));
                let (found, expected) = (run(&ours, number, arch, arguments), run(&theirs, number, arch, arguments));
                assert_eq!(found, expected, "round {round}: {arch:#x} {number:#x} {arguments:x?} under {s:#?}");
            }
        }
    }
}
