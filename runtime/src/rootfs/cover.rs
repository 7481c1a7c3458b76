//! A container without a mount namespace: its mounts are the caller's too, so all of them go below one clone of the
//! root that lies over it, and the unmounting of that clone takes them all.

use super::{Error, errno, tree};
use crate::sys::mount::{MountAttr, mount_setattr};
use libc::MS_PRIVATE;
use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use rustix::fs::{AtFlags, CWD, StatxFlags};
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Which mount lies over a root. Known before it is attached: a state that was saved then finds it whenever the launch
/// was killed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Cover {
    /// The root's path without links, as the kernel's mount table has it.
    path: PathBuf,
    /// As `mountinfo` has it (`statx(2)`, `STATX_MNT_ID`).
    mount: u64,
}

impl Cover {
    /// Clones the root, detached. Private: nothing mounted below may appear where the root's own mount propagates to.
    pub(super) fn plan(path: &Path) -> Result<(Cover, OwnedFd), Error> {
        let failed = |errno| Error::BindRoot { path: path.to_path_buf(), errno };
        let real = path.canonicalize().map_err(|error| failed(crate::sys::errno(error)))?;
        let tree = tree::clone(&real, true, false).map_err(failed)?;
        let stat = rustix::fs::statx(&tree, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID);
        let mount = stat.map_err(|error| failed(errno(error)))?.stx_mnt_id;
        Ok((Cover { path: real, mount }, tree))
    }

    /// Lays the clone over the root.
    pub(super) fn attach(&self, tree: &OwnedFd) -> Result<(), Error> {
        let failed = |errno| Error::BindRoot { path: self.path.clone(), errno };
        let target = super::pivot::directory(&self.path).map_err(failed)?;
        tree::attach(tree.as_fd(), target.as_fd()).map_err(failed)?;
        // Only now: on a shared mount it has become shared itself.
        let private = MountAttr { propagation: MS_PRIVATE, ..MountAttr::default() };
        mount_setattr(tree.as_fd(), true, &private).map_err(failed)
    }

    /// Unmounts the clone with everything below, if it is there; lazily, for processes of the container may still end.
    ///
    /// # Errors
    /// [`Error::Covered`], [`Error::Uncover`].
    pub fn remove(&self) -> Result<(), Error> {
        let failed = |errno| Error::Uncover { path: self.path.clone(), errno };
        match self.top() {
            Ok(top) if top == self.mount => {
                umount2(&self.path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW).map_err(failed)
            }
            Ok(_) if self.is_mounted().map_err(failed)? => Err(Error::Covered { path: self.path.clone() }),
            Ok(_) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// The mount that the path leads to.
    fn top(&self) -> Result<u64, Errno> {
        let stat = rustix::fs::statx(CWD, &self.path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::MNT_ID).map_err(errno)?;
        Ok(stat.stx_mnt_id)
    }

    /// Under another mount it is seen in the mount table only.
    fn is_mounted(&self) -> Result<bool, Errno> {
        let table = std::fs::read("/proc/thread-self/mountinfo").map_err(crate::sys::errno)?;
        let (mount, path) = (self.mount.to_string(), escaped(self.path.as_os_str()));
        Ok(table.split(|&byte| byte == b'\n').any(|line| {
            let mut fields = line.split(|&byte| byte == b' ');
            fields.next() == Some(mount.as_bytes()) && fields.nth(3) == Some(&path)
        }))
    }
}

/// As `proc_pid_mountinfo(5)` writes a path.
fn escaped(path: &OsStr) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
        &other => vec![other],
    };
    path.as_bytes().iter().flat_map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped_as_in_mountinfo() {
        assert_eq!(escaped(OsStr::new("/a b\\c/ä")), "/a\\040b\\134c/ä".as_bytes());
    }
}
