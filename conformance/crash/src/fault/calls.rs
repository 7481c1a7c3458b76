//! The system calls that can fail for a reason outside of the program, and the errors that they then give (each call's
//! page in section 2 of the manual). A call that is not here either can't fail, or fails for what the program asked.

use nix::errno::Errno::{self, *};

/// A system call as the matrix knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Call {
    /// The architecture's number.
    pub number: libc::c_long,
    /// As in the manual.
    pub name: &'static str,
    /// Which argument is a path, if any.
    pub path: Option<usize>,
    /// What is given in its place.
    pub errors: &'static [Errno],
}

const OPENS: &[Errno] = &[EMFILE, EIO];
const MAKES: &[Errno] = &[ENOSPC, EIO];
const LOOKS: &[Errno] = &[EIO];
const DESCRIPTOR: &[Errno] = &[EMFILE, ENOMEM];
const MEMORY: &[Errno] = &[ENOMEM];
const TALKS: &[Errno] = &[ENOMEM, EINTR];
const WAITS: &[Errno] = &[EINTR];
const RIGHTS: &[Errno] = &[EPERM];

macro_rules! calls {
    ($($number:ident $path:expr, $errors:expr;)*) => {
        &[$(Call { number: libc::$number, name: stringify!($number), path: $path, errors: $errors },)*]
    };
}

const EVERYWHERE: &[Call] = calls! {
    SYS_openat Some(1), OPENS; SYS_openat2 Some(1), OPENS; SYS_read None, &[EIO, EINTR]; SYS_write None, &[ENOSPC, EINTR];
    SYS_mkdirat Some(1), MAKES; SYS_mknodat Some(1), MAKES; SYS_symlinkat Some(2), MAKES; SYS_linkat Some(1), MAKES;
    SYS_renameat Some(1), MAKES; SYS_renameat2 Some(1), MAKES; SYS_unlinkat Some(1), LOOKS; SYS_ftruncate None, LOOKS;
    SYS_getdents64 None, LOOKS; SYS_statx Some(1), LOOKS; SYS_newfstatat Some(1), LOOKS; SYS_statfs Some(0), LOOKS;
    SYS_fstatfs None, LOOKS; SYS_readlinkat Some(1), LOOKS; SYS_faccessat2 Some(1), LOOKS; SYS_fchmod None, LOOKS;
    SYS_fchmodat Some(1), LOOKS; SYS_fchownat Some(1), LOOKS; SYS_chdir Some(0), LOOKS; SYS_fchdir None, LOOKS;
    SYS_chroot Some(0), LOOKS; SYS_flock None, &[ENOLCK, EINTR]; SYS_ioctl None, LOOKS; SYS_getcwd None, MEMORY;
    SYS_clone3 None, &[EAGAIN, ENOMEM]; SYS_clone None, &[EAGAIN, ENOMEM]; SYS_unshare None, &[ENOSPC, ENOMEM];
    SYS_setns None, &[ENOMEM, EPERM]; SYS_execve Some(0), &[ENOMEM, EIO]; SYS_execveat Some(1), &[ENOMEM, EIO];
    SYS_socket None, DESCRIPTOR; SYS_socketpair None, DESCRIPTOR; SYS_accept4 None, DESCRIPTOR; SYS_bind None, MEMORY;
    SYS_listen None, MEMORY; SYS_connect None, TALKS; SYS_sendmsg None, TALKS; SYS_recvmsg None, TALKS;
    SYS_sendto None, TALKS; SYS_recvfrom None, TALKS; SYS_ppoll None, TALKS; SYS_waitid None, WAITS;
    SYS_wait4 None, WAITS; SYS_memfd_create None, DESCRIPTOR; SYS_signalfd4 None, DESCRIPTOR;
    SYS_pidfd_open None, DESCRIPTOR; SYS_pidfd_send_signal None, RIGHTS; SYS_kill None, RIGHTS;
    SYS_fsopen None, DESCRIPTOR; SYS_fsconfig None, MEMORY; SYS_fsmount None, DESCRIPTOR; SYS_open_tree Some(1), DESCRIPTOR;
    SYS_move_mount Some(3), MEMORY; SYS_mount Some(1), MEMORY; SYS_mount_setattr Some(1), MEMORY;
    SYS_umount2 Some(0), LOOKS; SYS_pivot_root Some(0), MEMORY; SYS_setsid None, RIGHTS; SYS_sethostname None, RIGHTS;
    SYS_setresuid None, &[EAGAIN, EPERM]; SYS_setresgid None, RIGHTS; SYS_setgroups None, &[ENOMEM, EPERM];
    SYS_prctl None, RIGHTS; SYS_capset None, RIGHTS; SYS_close_range None, MEMORY; SYS_seccomp None, MEMORY;
    SYS_sched_setattr None, &[EPERM, EBUSY]; SYS_sched_setaffinity None, RIGHTS; SYS_ioprio_set None, RIGHTS;
    SYS_prlimit64 None, RIGHTS; SYS_mmap None, MEMORY; SYS_mprotect None, MEMORY;
};

#[cfg(target_arch = "x86_64")]
const OF_ARCHITECTURE: &[Call] = calls! {
    SYS_open Some(0), OPENS; SYS_mkdir Some(0), MAKES; SYS_mknod Some(0), MAKES; SYS_symlink Some(1), MAKES;
    SYS_rename Some(0), MAKES; SYS_unlink Some(0), LOOKS; SYS_rmdir Some(0), LOOKS; SYS_readlink Some(0), LOOKS;
    SYS_access Some(0), LOOKS; SYS_chmod Some(0), LOOKS; SYS_poll None, TALKS;
};

#[cfg(not(target_arch = "x86_64"))]
const OF_ARCHITECTURE: &[Call] = &[];

/// The call with this number.
pub fn find(number: u64) -> Option<&'static Call> {
    EVERYWHERE.iter().chain(OF_ARCHITECTURE).find(|call| call.number as u64 == number)
}
