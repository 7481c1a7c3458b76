//! The compiled program against a plain reading of the profile, and against the kernel.

mod interpreter;
mod kernel;
mod libseccomp;
mod plain;
mod profiles;
mod random;

use crate::spec::{Seccomp, SeccompAction, SeccompArch, SeccompArg, SeccompOperator, SeccompSyscall};

/// A profile with nothing but a default.
fn profile(default: SeccompAction) -> Seccomp {
    Seccomp {
        default_action: default,
        default_errno_ret: None,
        architectures: vec![SeccompArch::X86, SeccompArch::X32, SeccompArch::X86_64],
        flags: Vec::new(),
        listener_path: None,
        listener_metadata: None,
        syscalls: Vec::new(),
    }
}

fn rule(names: &[&str], action: SeccompAction, errno: Option<u32>, args: &[SeccompArg]) -> SeccompSyscall {
    let names = names.iter().map(ToString::to_string).collect();
    SeccompSyscall { names, action, errno_ret: errno, args: args.to_vec() }
}

fn arg(index: u32, op: SeccompOperator, value: u64, value_two: u64) -> SeccompArg {
    SeccompArg { index, value, value_two, op }
}
