//! The system calls that can fail for a reason outside of the program, and the errors that they then give (each call's
//! page in section 2 of the manual). A call that is not here either can't fail, or fails for what the program asked.

use About::{Descriptor, Nothing, Path};
use nix::errno::Errno::{self, *};

/// Which argument tells what a call is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum About {
    /// None does.
    Nothing,
    /// This one, a path.
    Path(usize),
    /// The first one, a descriptor.
    Descriptor,
}

/// A system call as the matrix knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Call {
    /// The architecture's number.
    pub number: libc::c_long,
    /// As in the manual.
    pub name: &'static str,
    /// What it is about.
    pub about: About,
    /// What is given in its place.
    pub errors: &'static [Errno],
}

const OPENS: &[Errno] = &[EMFILE, EIO];
const MAKES: &[Errno] = &[ENOSPC, EIO];
const LOOKS: &[Errno] = &[EIO];
const FEW: &[Errno] = &[EMFILE, ENOMEM];
const MEMORY: &[Errno] = &[ENOMEM];
const TALKS: &[Errno] = &[ENOMEM, EINTR];
const WAITS: &[Errno] = &[EINTR];
const RIGHTS: &[Errno] = &[EPERM];

macro_rules! calls {
    ($($number:ident $about:expr, $errors:expr;)*) => {
        &[$(Call { number: libc::$number, name: stringify!($number), about: $about, errors: $errors },)*]
    };
}

const EVERYWHERE: &[Call] = calls! {
    SYS_openat Path(1), OPENS; SYS_openat2 Path(1), OPENS; SYS_read Descriptor, &[EIO, EINTR]; SYS_write Descriptor, &[ENOSPC, EINTR];
    SYS_mkdirat Path(1), MAKES; SYS_mknodat Path(1), MAKES; SYS_symlinkat Path(2), MAKES; SYS_linkat Path(1), MAKES;
    SYS_renameat Path(1), MAKES; SYS_renameat2 Path(1), MAKES; SYS_unlinkat Path(1), LOOKS; SYS_ftruncate Descriptor, LOOKS;
    SYS_getdents64 Descriptor, LOOKS; SYS_statx Path(1), LOOKS; SYS_newfstatat Path(1), LOOKS; SYS_statfs Path(0), LOOKS;
    SYS_fstatfs Descriptor, LOOKS; SYS_readlinkat Path(1), LOOKS; SYS_faccessat2 Path(1), LOOKS; SYS_fchmod Descriptor, LOOKS;
    SYS_fchmodat Path(1), LOOKS; SYS_fchownat Path(1), LOOKS; SYS_chdir Path(0), LOOKS; SYS_fchdir Descriptor, LOOKS;
    SYS_chroot Path(0), LOOKS; SYS_flock Descriptor, &[ENOLCK, EINTR]; SYS_ioctl Descriptor, LOOKS; SYS_getcwd Nothing, MEMORY;
    SYS_clone3 Nothing, &[EAGAIN, ENOMEM]; SYS_clone Nothing, &[EAGAIN, ENOMEM]; SYS_unshare Nothing, &[ENOSPC, ENOMEM];
    SYS_setns Nothing, &[ENOMEM, EPERM]; SYS_execve Path(0), &[ENOMEM, EIO]; SYS_execveat Path(1), &[ENOMEM, EIO];
    SYS_socket Nothing, FEW; SYS_socketpair Nothing, FEW; SYS_accept4 Nothing, FEW; SYS_bind Nothing, MEMORY;
    SYS_listen Nothing, MEMORY; SYS_connect Nothing, TALKS; SYS_sendmsg Nothing, TALKS; SYS_recvmsg Nothing, TALKS;
    SYS_sendto Nothing, TALKS; SYS_recvfrom Nothing, TALKS; SYS_ppoll Nothing, TALKS; SYS_waitid Nothing, WAITS;
    SYS_wait4 Nothing, WAITS; SYS_memfd_create Nothing, FEW; SYS_signalfd4 Nothing, FEW;
    SYS_pidfd_open Nothing, FEW; SYS_pidfd_send_signal Nothing, RIGHTS; SYS_kill Nothing, RIGHTS;
    SYS_fsopen Nothing, FEW; SYS_fsconfig Nothing, MEMORY; SYS_fsmount Nothing, FEW; SYS_open_tree Path(1), FEW;
    SYS_move_mount Path(3), MEMORY; SYS_mount Path(1), MEMORY; SYS_mount_setattr Path(1), MEMORY;
    SYS_umount2 Path(0), LOOKS; SYS_pivot_root Path(0), MEMORY; SYS_setsid Nothing, RIGHTS; SYS_sethostname Nothing, RIGHTS;
    SYS_setresuid Nothing, &[EAGAIN, EPERM]; SYS_setresgid Nothing, RIGHTS; SYS_setgroups Nothing, &[ENOMEM, EPERM];
    SYS_prctl Nothing, RIGHTS; SYS_capset Nothing, RIGHTS; SYS_close_range Nothing, MEMORY; SYS_seccomp Nothing, MEMORY;
    SYS_sched_setattr Nothing, &[EPERM, EBUSY]; SYS_sched_setaffinity Nothing, RIGHTS; SYS_ioprio_set Nothing, RIGHTS;
    SYS_prlimit64 Nothing, RIGHTS; SYS_mmap Nothing, MEMORY; SYS_mprotect Nothing, MEMORY;
};

#[cfg(target_arch = "x86_64")]
const OF_ARCHITECTURE: &[Call] = calls! {
    SYS_open Path(0), OPENS; SYS_mkdir Path(0), MAKES; SYS_mknod Path(0), MAKES; SYS_symlink Path(1), MAKES;
    SYS_rename Path(0), MAKES; SYS_unlink Path(0), LOOKS; SYS_rmdir Path(0), LOOKS; SYS_readlink Path(0), LOOKS;
    SYS_access Path(0), LOOKS; SYS_chmod Path(0), LOOKS; SYS_poll Nothing, TALKS;
};

#[cfg(not(target_arch = "x86_64"))]
const OF_ARCHITECTURE: &[Call] = &[];

/// The call with this number.
pub fn find(number: u64) -> Option<&'static Call> {
    EVERYWHERE.iter().chain(OF_ARCHITECTURE).find(|call| call.number as u64 == number)
}
