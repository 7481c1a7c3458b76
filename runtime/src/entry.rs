//! The process's first instructions: an `exec` moves to a binary that its container can't write to (CVE-2019-5736)
//! before the C library has started.
//!
//! [`rtrun::launch::exec`] proves that this has happened, and does it by other means where it has not, so that nothing here
//! has to succeed. It is here for its price: what a process does before it executes itself again is done twice, and the C
//! library asks some fifty CPUIDs at its start. Each leaves a virtual machine for its host: 4 µs, a tenth of an `exec` in
//! all.
//!
//! Until `_start` has run there is no thread-local storage, so no errno, and a static binary's `memcpy` and its like
//! aren't bound. So: no call of the C library, and nothing that the compiler makes one of, as arrays that are filled,
//! copied or compared. A mistake here ends every `exec` of an unoptimised static build with SIGSEGV.

use std::arch::{asm, global_asm};
use std::ffi::c_char;
use std::mem::MaybeUninit;

#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl rtrun_entry",
    "rtrun_entry:",
    "mov rdi, rsp",
    // The dynamic linker's function for atexit(3), which `_start` looks for in rdx; twice keeps the stack aligned.
    "push rdx",
    "push rdx",
    "call {early}",
    "pop rdx",
    "pop rdx",
    "jmp _start",
    early = sym early,
);

#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl rtrun_entry",
    "rtrun_entry:",
    // The dynamic linker's function for atexit(3), which `_start` looks for in x0.
    "mov x19, x0",
    "mov x0, sp",
    "bl {early}",
    "mov x0, x19",
    "b _start",
    early = sym early,
);

/// What the kernel leaves on the stack: the number of arguments, the arguments, null, the environment, null.
///
/// # Safety
/// `stack` is the stack pointer that the process started with.
unsafe extern "C" fn early(stack: *const usize) {
    // SAFETY: by the layout above, both arrays lie within the stack's first words.
    let (arguments, environment) = unsafe {
        let arguments = stack.add(1).cast::<*const c_char>();
        (arguments, arguments.add(*stack + 1))
    };
    // SAFETY: the array ends with a null pointer and holds NUL-terminated strings.
    if unsafe { mentions_exec(arguments) } {
        // SAFETY: as above, for both arrays.
        unsafe { move_to_read_only_mount(arguments, environment) };
    }
}

/// Whether an argument is `exec`. A container of that name costs its other commands an execve that they don't need.
///
/// # Safety
/// `arguments` ends with a null pointer and holds NUL-terminated strings.
unsafe fn mentions_exec(mut arguments: *const *const c_char) -> bool {
    // SAFETY: no pointer behind the null is read, and of no string a byte behind its NUL. The reads are volatile so that
    // they don't become a memcmp.
    unsafe {
        while !(*arguments).is_null() {
            let argument = (*arguments).cast::<u8>();
            if argument.read_volatile() == b'e'
                && argument.add(1).read_volatile() == b'x'
                && argument.add(2).read_volatile() == b'e'
                && argument.add(3).read_volatile() == b'c'
                && argument.add(4).read_volatile() == 0
            {
                return true;
            }
            arguments = arguments.add(1);
        }
    }
    false
}

/// Executes this binary from a read-only mount of its own, which disappears with the process. Returns if the process runs
/// from one already, or may not make one.
///
/// # Safety
/// Both arrays end with a null pointer and hold NUL-terminated strings.
unsafe fn move_to_read_only_mount(arguments: *const *const c_char, environment: *const *const c_char) {
    const HERE: usize = libc::AT_FDCWD as usize;
    const ITSELF: usize = libc::AT_EMPTY_PATH as usize;
    /// Where `struct statfs` of a 64-bit Linux has the mount's flags, in words; its libc type hides them.
    const FLAGS: usize = 10;
    let own = c"/proc/self/exe".as_ptr() as usize;
    let empty = c"".as_ptr() as usize;
    let read_only = libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let mut found = MaybeUninit::<[usize; 15]>::uninit();
    let found = found.as_mut_ptr().cast::<usize>();
    // SAFETY: the paths are NUL-terminated, the structures live and of the size that the kernel takes them for, the flags
    // are read when it has written them; the caller vouches for the arrays.
    unsafe {
        if call(libc::SYS_statfs, own, found as usize, 0, 0, 0) != 0
            || *found.add(FLAGS) & libc::ST_RDONLY as usize != 0
        {
            return;
        }
        let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
        let mount = call(libc::SYS_open_tree, HERE, own, flags as usize, 0, 0);
        if mount < 0 {
            return;
        }
        let (mount, attributes) = (mount as usize, &raw const read_only as usize);
        if call(libc::SYS_mount_setattr, mount, empty, ITSELF, attributes, size_of::<libc::mount_attr>()) == 0 {
            call(libc::SYS_execveat, mount, empty, arguments as usize, environment as usize, ITSELF);
        }
        call(libc::SYS_close, mount, 0, 0, 0, 0);
    }
}

/// A system call without the C library; the result is negative for an errno.
///
/// # Safety
/// As the call.
#[inline(always)]
unsafe fn call(number: libc::c_long, a: usize, b: usize, c: usize, d: usize, e: usize) -> isize {
    let result;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the kernel changes rax, rcx and r11 alone; the caller vouches for what the arguments point to.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result,
             in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e,
             lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the kernel changes x0 alone; the caller vouches for what the arguments point to.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a as isize => result,
             in("x1") b, in("x2") c, in("x3") d, in("x4") e, options(nostack));
    }
    result
}
