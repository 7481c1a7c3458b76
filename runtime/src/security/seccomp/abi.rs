//! The calling conventions that a program can make system calls by.

use crate::spec::SeccompArch;

/// Bit that x32 calls carry in their number (`__X32_SYSCALL_BIT`).
pub(super) const X32_BIT: u32 = 0x4000_0000;

/// A convention; the value is its column in the table of calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Abi {
    X86_64,
    X32,
    I386,
    Aarch64,
    Arm,
}

impl Abi {
    /// The one that this build's own programs use.
    pub(super) const fn native() -> Abi {
        if cfg!(target_arch = "aarch64") { Abi::Aarch64 } else { Abi::X86_64 }
    }

    /// Those that can run where `native` does and are asked for, native first: it is always filtered, as libseccomp does.
    /// Architectures of other machines can't call this kernel, and are passed over.
    pub(super) fn asked(native: Abi, architectures: &[SeccompArch]) -> Vec<Abi> {
        let mut abis = vec![native];
        for architecture in architectures {
            let abi = match (native, architecture) {
                (Abi::X86_64, SeccompArch::X32) => Abi::X32,
                (Abi::X86_64, SeccompArch::X86) => Abi::I386,
                (Abi::Aarch64, SeccompArch::Arm) => Abi::Arm,
                _ => continue,
            };
            if !abis.contains(&abi) {
                abis.push(abi);
            }
        }
        abis
    }

    /// `seccomp_data.arch`, `linux/audit.h`.
    pub(super) fn audit_arch(self) -> u32 {
        match self {
            Abi::X86_64 | Abi::X32 => 0xc000_003e,
            Abi::I386 => 0x4000_0003,
            Abi::Aarch64 => 0xc000_00b7,
            Abi::Arm => 0x4000_0028,
        }
    }

    /// What each number of this convention has set.
    pub(super) fn bit(self) -> u32 {
        if self == Abi::X32 { X32_BIT } else { 0 }
    }

    /// Whether arguments have 64 bits. x32's are compared by their low half, as libseccomp does.
    pub(super) fn wide(self) -> bool {
        matches!(self, Abi::X86_64 | Abi::Aarch64)
    }
}
