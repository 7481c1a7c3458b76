//! The container's first process, from clone3 to execve.

use std::ffi::CString;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use crate::rootfs::Rootfs;
use crate::sys::{Failure, Result, check};

/// CAP_AUDIT_WRITE, CAP_KILL and CAP_NET_BIND_SERVICE: what `runc spec` lets a container keep.
const CAPABILITIES: u64 = 1 << 29 | 1 << 5 | 1 << 10;

/// CAP_CHECKPOINT_RESTORE, the last one that Linux 6.18 knows.
const LAST_CAPABILITY: u32 = 40;

/// What the init needs, made by its parent before clone3.
pub struct Plan {
    rootfs: Rootfs,
    fifo: Option<CString>,
}

impl Plan {
    /// A plan that parks on `fifo` before its execve, where there is one.
    pub fn new(root: CString, cgroups: &[PathBuf], fifo: Option<CString>) -> Result<Self> {
        Ok(Self { rootfs: Rootfs::new(root, cgroups)?, fifo })
    }
}

/// Does every step and becomes the container's process; never returns.
pub fn run(plan: &Plan, tasks: &[File]) -> ! {
    if let Err(failure) = steps(plan, tasks) {
        eprintln!("rtrun-bench-floor: init: {failure}");
    }
    // SAFETY: ends this process at once, which nothing else depends on.
    unsafe { libc::_exit(1) }
}

fn steps(plan: &Plan, tasks: &[File]) -> Result<()> {
    for mut file in tasks {
        file.write_all(b"0").map_err(|e| Failure::Call("write to tasks", e))?;
    }
    // SAFETY: takes nothing and changes only this process's session.
    check("setsid", unsafe { libc::setsid() })?;
    loopback_up()?;
    // SAFETY: the name outlives the call and its length is given.
    check("sethostname", unsafe { libc::sethostname(c"runc".as_ptr(), 4) })?;
    let fifo = plan.fifo.as_ref().map(|fifo| open(fifo, libc::O_PATH)).transpose()?;
    plan.rootfs.enter()?;
    if let Some(fifo) = fifo {
        park(fifo)?;
    }
    limit_files()?;
    privileges()?;
    let argv = [c"/bin/true".as_ptr(), std::ptr::null()];
    let environment = [c"PATH=/usr/sbin:/usr/bin:/sbin:/bin".as_ptr(), c"TERM=xterm".as_ptr(), std::ptr::null()];
    // SAFETY: both arrays end with a null pointer and hold NUL-terminated constants.
    check("execve", unsafe { libc::execve(argv[0], argv.as_ptr(), environment.as_ptr()) }).map(drop)
}

fn open(path: &CString, flags: i32) -> Result<i32> {
    // SAFETY: the path is a NUL-terminated string that lives across the call.
    check("open", unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) })
}

/// Tells the parent that all is ready, by closing what it reads from, and waits for `start` to open the fifo.
fn park(fifo: i32) -> Result<()> {
    let path = CString::new(format!("/proc/self/fd/{fifo}")).map_err(|_| Failure::Usage)?;
    // SAFETY: no descriptor above the fifo's, which was opened last, and none between 3 and it, is used again.
    check("close_range", unsafe { libc::syscall(libc::SYS_close_range, 3, fifo - 1, 0) })?;
    open(&path, libc::O_WRONLY).map(drop)
}

/// Every runtime brings the loopback device of a new network namespace up.
fn loopback_up() -> Result<()> {
    // SAFETY: takes and makes nothing but a descriptor.
    let socket = check("socket", unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: all zeroes is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: the request is a whole ifreq that outlives the call.
    check("SIOCSIFFLAGS", unsafe { libc::ioctl(socket, libc::SIOCSIFFLAGS as _, &raw const request) })?;
    // SAFETY: the socket is this function's own.
    check("close", unsafe { libc::close(socket) }).map(drop)
}

fn limit_files() -> Result<()> {
    let limit = libc::rlimit { rlim_cur: 1024, rlim_max: 1024 };
    // SAFETY: the limit outlives the call.
    check("setrlimit", unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }).map(drop)
}

/// The kernel's `struct __user_cap_header_struct`, version 3.
#[repr(C)]
struct CapHeader {
    version: u32,
    pid: i32,
}

/// No new privileges, the user, the five capability sets.
fn privileges() -> Result<()> {
    let prctl = |option: i32, a: u64, b: u64| {
        // SAFETY: these options take plain numbers.
        check("prctl", unsafe { libc::prctl(option, a, b, 0, 0) })
    };
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0)?;
    for capability in (0..=LAST_CAPABILITY).filter(|bit| CAPABILITIES & 1 << bit == 0) {
        prctl(libc::PR_CAPBSET_DROP, capability.into(), 0)?;
    }
    prctl(libc::PR_SET_KEEPCAPS, 1, 0)?;
    // SAFETY: no list is read for a count of zero.
    check("setgroups", unsafe { libc::setgroups(0, std::ptr::null()) })?;
    // SAFETY: plain numbers.
    check("setresgid", unsafe { libc::setresgid(0, 0, 0) })?;
    // SAFETY: plain numbers.
    check("setresuid", unsafe { libc::setresuid(0, 0, 0) })?;
    let header = CapHeader { version: 0x2008_0522, pid: 0 };
    let half = CAPABILITIES as u32;
    let sets: [u32; 6] = [half, half, half, 0, 0, 0];
    // SAFETY: version 3 reads a header and two times three numbers, which outlive the call.
    check("capset", unsafe { libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()) })?;
    for capability in (0..=LAST_CAPABILITY).filter(|bit| CAPABILITIES & 1 << bit != 0) {
        prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as u64, capability.into())?;
    }
    Ok(())
}
