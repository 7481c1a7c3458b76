//! Detached mounts: cloned from an existing one, attached by descriptor.

use super::errno;
use nix::errno::Errno;
use rustix::fs::{AtFlags, Statx, StatxFlags};
use rustix::mount::{MoveMountFlags, OpenTreeFlags};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

/// Clones the mount that `path` lies in, from there on, with what is mounted below if `recursive`.
pub(super) fn clone(path: &Path, recursive: bool, nofollow: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    flags.set(OpenTreeFlags::AT_RECURSIVE, recursive);
    flags.set(OpenTreeFlags::AT_SYMLINK_NOFOLLOW, nofollow);
    rustix::mount::open_tree(rustix::fs::CWD, path, flags).map_err(errno)
}

/// Clones the mount below an open file, which is of this mount namespace.
pub(super) fn clone_open(file: BorrowedFd, recursive: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    flags.set(OpenTreeFlags::AT_RECURSIVE, recursive);
    rustix::mount::open_tree(file, c"", flags).map_err(errno)
}

/// Attaches a detached mount on an open file or directory: descriptor on descriptor, no path is walked again.
pub(super) fn attach(tree: BorrowedFd, target: BorrowedFd) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(tree, c"", target, c"", flags).map_err(errno)
}

/// Attaches a detached mount on an entry of a directory that nobody else can change; a link is not followed.
pub(super) fn attach_at(tree: BorrowedFd, directory: BorrowedFd, name: &Path) -> Result<(), Errno> {
    rustix::mount::move_mount(tree, c"", directory, name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).map_err(errno)
}

/// Type, mode and device numbers of an open file.
pub(super) fn stat(file: BorrowedFd) -> Result<Statx, Errno> {
    rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS).map_err(errno)
}

/// Whether this is the character device `major`:`minor`.
pub(super) fn is_char(stat: &Statx, major: u32, minor: u32) -> bool {
    u32::from(stat.stx_mode) & libc::S_IFMT == libc::S_IFCHR
        && (stat.stx_rdev_major, stat.stx_rdev_minor) == (major, minor)
}

/// Whether this is a directory.
pub(super) fn is_directory(stat: &Statx) -> bool {
    u32::from(stat.stx_mode) & libc::S_IFMT == libc::S_IFDIR
}
