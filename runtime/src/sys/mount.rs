//! The mount calls that neither `nix` nor `rustix` wraps.

use nix::errno::Errno;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What `mount_setattr(2)` changes on a mount (Linux 5.12).
#[derive(Clone, Copy, Debug, Default)]
pub struct MountAttr<'a> {
    /// `MOUNT_ATTR_*` bits to set.
    pub set: u64,
    /// `MOUNT_ATTR_*` bits to clear; a change of the access time mode clears all of `MOUNT_ATTR__ATIME`.
    pub clear: u64,
    /// `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE`, `MS_UNBINDABLE`, or 0 to leave the propagation as it is.
    pub propagation: u64,
    /// The user namespace whose mapping an idmapped mount takes.
    pub user_namespace: Option<BorrowedFd<'a>>,
}

/// Changes the mount whose root is open as `mount`, with all mounts below it if `recursive`.
///
/// # Errors
/// As `mount_setattr(2)`: EPERM on a locked flag, EINVAL when `mount` isn't the root of a mount of this namespace or a
/// detached one, or when the filesystem can't be idmapped.
pub fn mount_setattr(mount: BorrowedFd, recursive: bool, change: &MountAttr) -> Result<(), Errno> {
    let attr = libc::mount_attr {
        attr_set: change.set | if change.user_namespace.is_some() { libc::MOUNT_ATTR_IDMAP } else { 0 },
        attr_clr: change.clear,
        propagation: change.propagation,
        userns_fd: change.user_namespace.map_or(0, |fd| fd.as_raw_fd() as u64),
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a NUL-terminated literal; `attr` is a live mount_attr of the size that is passed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            std::mem::size_of::<libc::mount_attr>(),
        )
    };
    Errno::result(result).map(drop)
}
