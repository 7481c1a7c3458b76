use super::{FLAGS, abi::Abi};

/// What `features` tells of seccomp (`features-linux.md`).
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Features {
    /// Always; a kernel without it refuses the filter by name.
    pub enabled: bool,
    /// Actions understood.
    pub actions: &'static [&'static str],
    /// Comparisons understood.
    pub operators: &'static [&'static str],
    /// Architectures whose programs run here.
    pub archs: &'static [&'static str],
    /// Flags understood.
    pub known_flags: Vec<&'static str>,
    /// Flags that this kernel takes as well.
    pub supported_flags: Vec<&'static str>,
}

const ACTIONS: &[&str] = &[
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];

const OPERATORS: &[&str] =
    &["SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"];

/// What this build and this kernel can do.
pub fn features() -> Features {
    Features {
        enabled: true,
        actions: ACTIONS,
        operators: OPERATORS,
        archs: match Abi::native() {
            Abi::Aarch64 => &["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
            _ => &["SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32"],
        },
        known_flags: FLAGS.iter().map(|(name, _)| *name).collect(),
        supported_flags: FLAGS.iter().filter(|(_, flag)| is_supported(*flag)).map(|(name, _)| *name).collect(),
    }
}

/// The kernel looks at the flags before the program: a null one gives EFAULT if they are known, EINVAL otherwise.
fn is_supported(flag: libc::c_ulong) -> bool {
    let companion = if flag == super::WAIT_KILLABLE_RECV { super::NEW_LISTENER } else { 0 };
    let program: *const libc::sock_fprog = std::ptr::null();
    // SAFETY: a null program can't be loaded, so nothing changes.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flag | companion, program) };
    result == -1 && nix::errno::Errno::last() == nix::errno::Errno::EFAULT
}
