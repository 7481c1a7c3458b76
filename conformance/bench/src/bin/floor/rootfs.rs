//! The mounts, devices, masks and the change of root, as `runc spec` asks for them; every string is made before clone3.

use std::ffi::{CStr, CString};
use std::path::PathBuf;

use crate::sys::{Result, check, path};
use crate::text;

const NOSUID: u64 = libc::MS_NOSUID;
const NOEXEC: u64 = libc::MS_NOEXEC;
const NODEV: u64 = libc::MS_NODEV;
const CGROUP_FLAGS: u64 = NOSUID | NOEXEC | NODEV | libc::MS_RELATIME | libc::MS_RDONLY;

/// One mount(2), on a path seen from the rootfs that is the working directory.
struct Mount {
    kind: &'static CStr,
    target: &'static CStr,
    flags: u64,
    data: &'static CStr,
}

const MOUNTS: [Mount; 7] = [
    Mount { kind: c"proc", target: c"proc", flags: 0, data: c"" },
    Mount { kind: c"tmpfs", target: c"dev", flags: NOSUID | libc::MS_STRICTATIME, data: c"mode=755,size=65536k" },
    Mount {
        kind: c"devpts",
        target: c"dev/pts",
        flags: NOSUID | NOEXEC,
        data: c"newinstance,ptmxmode=0666,mode=0620,gid=5",
    },
    Mount { kind: c"tmpfs", target: c"dev/shm", flags: NOSUID | NOEXEC | NODEV, data: c"mode=1777,size=65536k" },
    Mount { kind: c"mqueue", target: c"dev/mqueue", flags: NOSUID | NOEXEC | NODEV, data: c"" },
    Mount { kind: c"sysfs", target: c"sys", flags: NOSUID | NOEXEC | NODEV | libc::MS_RDONLY, data: c"" },
    Mount { kind: c"tmpfs", target: c"sys/fs/cgroup", flags: NOSUID | NOEXEC | NODEV, data: c"mode=755" },
];

const DEVICES: [(&CStr, u32, u32); 6] = [
    (c"dev/null", 1, 3),
    (c"dev/zero", 1, 5),
    (c"dev/full", 1, 7),
    (c"dev/random", 1, 8),
    (c"dev/urandom", 1, 9),
    (c"dev/tty", 5, 0),
];

const LINKS: [(&CStr, &CStr); 5] = [
    (c"/proc/self/fd", c"dev/fd"),
    (c"/proc/self/fd/0", c"dev/stdin"),
    (c"/proc/self/fd/1", c"dev/stdout"),
    (c"/proc/self/fd/2", c"dev/stderr"),
    (c"pts/ptmx", c"dev/ptmx"),
];

/// Masked paths of `runc spec`: whether each is a directory is asked of the kernel, as a runtime must.
const MASKED: [&CStr; 10] = [
    c"/proc/acpi",
    c"/proc/asound",
    c"/proc/kcore",
    c"/proc/keys",
    c"/proc/latency_stats",
    c"/proc/timer_list",
    c"/proc/timer_stats",
    c"/proc/sched_debug",
    c"/sys/firmware",
    c"/proc/scsi",
];

const READONLY: [&CStr; 5] = [c"/proc/bus", c"/proc/fs", c"/proc/irq", c"/proc/sys", c"/proc/sysrq-trigger"];

/// What differs between containers: the rootfs and the cgroup directories shown under /sys/fs/cgroup.
pub struct Rootfs {
    root: CString,
    cgroups: Vec<(CString, CString)>,
}

impl Rootfs {
    /// Makes the strings that `enter` hands to the kernel.
    pub fn new(root: CString, cgroups: &[PathBuf]) -> Result<Self> {
        let names = cgroups.iter().map(|cgroup| {
            // /sys/fs/cgroup/NAME/… is shown at the same NAME.
            let name = cgroup.components().nth(4).map(|part| part.as_os_str().to_string_lossy().into_owned());
            Ok((path(cgroup)?, text(&format!("sys/fs/cgroup/{}", name.unwrap_or_default()))?))
        });
        Ok(Self { cgroups: names.collect::<Result<_>>()?, root })
    }

    /// Makes the container's tree and makes it the root. Runs in the new mount namespace.
    pub fn enter(&self) -> Result<()> {
        mount(None, c"/", None, libc::MS_REC | libc::MS_SLAVE, c"")?;
        mount(Some(&self.root), &self.root, None, libc::MS_BIND | libc::MS_REC, c"")?;
        // SAFETY: the path is a NUL-terminated string that lives across the call.
        check("chdir", unsafe { libc::chdir(self.root.as_ptr()) })?;
        for one in &MOUNTS {
            if one.target.to_bytes().starts_with(b"dev/") {
                make_dir(one.target)?;
            }
            mount(Some(one.kind), one.target, Some(one.kind), one.flags, one.data)?;
        }
        for (source, target) in &self.cgroups {
            make_dir(target)?;
            mount(Some(source), target, None, libc::MS_BIND, c"")?;
            mount(None, target, None, libc::MS_REMOUNT | libc::MS_BIND | CGROUP_FLAGS, c"")?;
        }
        mount(None, c"sys/fs/cgroup", None, libc::MS_REMOUNT | libc::MS_BIND | CGROUP_FLAGS, c"")?;
        devices()?;
        pivot()?;
        restrict()?;
        mount(None, c"/", None, libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY, c"")
    }
}

fn devices() -> Result<()> {
    for (name, major, minor) in DEVICES {
        // SAFETY: the path is a NUL-terminated string that lives across the call.
        let made = unsafe { libc::mknod(name.as_ptr(), libc::S_IFCHR | 0o666, libc::makedev(major, minor)) };
        check("mknod", made)?;
        // The umask may have taken bits away.
        // SAFETY: as above.
        check("chmod", unsafe { libc::chmod(name.as_ptr(), 0o666) })?;
    }
    for (target, name) in LINKS {
        // SAFETY: both paths are NUL-terminated strings that live across the call.
        check("symlink", unsafe { libc::symlink(target.as_ptr(), name.as_ptr()) })?;
    }
    Ok(())
}

fn pivot() -> Result<()> {
    // SAFETY: the paths are NUL-terminated constants; the working directory is the new root, a mount point.
    check("pivot_root", unsafe { libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) })?;
    // SAFETY: the path is a NUL-terminated constant; the old root lies on top of the new one.
    check("umount2", unsafe { libc::umount2(c".".as_ptr(), libc::MNT_DETACH) })?;
    // SAFETY: as above.
    check("chdir", unsafe { libc::chdir(c"/".as_ptr()) })?;
    Ok(())
}

fn restrict() -> Result<()> {
    for name in READONLY {
        // A path that this kernel does not have is skipped, as the specification asks.
        if mount(Some(name), name, None, libc::MS_BIND | libc::MS_REC, c"").is_ok() {
            mount(None, name, None, libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY, c"")?;
        }
    }
    for name in MASKED {
        if mount(Some(c"/dev/null"), name, None, libc::MS_BIND, c"").is_err() {
            // Fails as well where the path is not there, which is right.
            let _ = mount(Some(c"tmpfs"), name, Some(c"tmpfs"), libc::MS_RDONLY, c"nr_inodes=1,nr_blocks=1");
        }
    }
    Ok(())
}

fn make_dir(name: &CStr) -> Result<()> {
    // SAFETY: the path is a NUL-terminated string that lives across the call.
    check("mkdir", unsafe { libc::mkdir(name.as_ptr(), 0o755) }).map(drop)
}

fn mount(source: Option<&CStr>, target: &CStr, kind: Option<&CStr>, flags: u64, data: &CStr) -> Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: every pointer is null or a NUL-terminated string that lives across the call.
    let done = unsafe {
        libc::mount(pointer(source), target.as_ptr(), pointer(kind), flags as libc::c_ulong, data.as_ptr().cast())
    };
    check("mount", done).map(drop)
}
