use super::plan::Mount;
use super::resolve::{self, Make};
use super::{Error, Root, Rootfs, TargetError, errno, tree};
use nix::errno::Errno;
use rustix::fs::{OFlags, ResolveFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

impl Rootfs {
    /// Clones the source with its final attributes and attaches the clone. `parents` is the parent's clone: the one to
    /// use if idmapped, else for a source that the child can't reach.
    pub(super) fn mount_bind(
        &self,
        root: &Root,
        mount: &Mount,
        source: &Path,
        parents: Option<&OwnedFd>,
    ) -> Result<(), Error> {
        if mount.options.copy_symlink && self.copy_symlink(root, mount, source)? {
            return Ok(());
        }
        let cloned;
        let tree = match parents {
            Some(tree) if mount.options.idmap.is_some() => tree.as_fd(),
            _ => {
                // The child's own clone keeps the flags that its user namespace may not clear; the parent's doesn't.
                let own = tree::clone(source, mount.options.bind == Some(true), mount.options.source_nofollow);
                match (own, parents) {
                    (Ok(own), _) => {
                        cloned = own;
                        cloned.as_fd()
                    }
                    (Err(_), Some(tree)) => tree.as_fd(),
                    (Err(errno), None) => {
                        return Err(Error::Source { subject: mount.subject(), origin: source.to_path_buf(), errno });
                    }
                }
            }
        };
        self.check_bind_on_proc(mount, tree)?;
        mount.change_attributes(tree)?;
        let target = self.bind_target(root, mount, tree)?;
        mount.attach(tree, target.as_fd())
    }

    /// An existing target, or a new one of the source's kind.
    fn bind_target(&self, root: &Root, mount: &Mount, tree: BorrowedFd) -> Result<OwnedFd, Error> {
        let failed = |source| Error::Target { subject: mount.subject(), source };
        let flags = if mount.options.target_nofollow { OFlags::NOFOLLOW } else { OFlags::empty() };
        match resolve::existing(root.as_fd(), &mount.target, flags) {
            Err(TargetError::Kernel(Errno::ENOENT)) => {}
            result => return result.map_err(failed),
        }
        let stat = tree::stat(tree).map_err(|errno| failed(errno.into()))?;
        let make = if tree::is_directory(&stat) { Make::Directory } else { Make::File };
        resolve::make(root.as_fd(), &mount.target, make).map_err(failed)
    }

    /// On /proc goes the root of a procfs and nothing else (CVE-2019-16884).
    fn check_bind_on_proc(&self, mount: &Mount, tree: BorrowedFd) -> Result<(), Error> {
        let failed = |source| Error::Target { subject: mount.subject(), source };
        if mount.target != Path::new("proc") {
            return Ok(());
        }
        /// Inode of a procfs' root, `PROC_ROOT_INO` in the kernel.
        const PROC_ROOT: u64 = 1;
        let is_procfs = resolve::is_procfs(tree).map_err(|errno| failed(errno.into()))?;
        let stat = tree::stat(tree).map_err(|errno| failed(errno.into()))?;
        if is_procfs && stat.stx_ino == PROC_ROOT { Ok(()) } else { Err(failed(TargetError::NotProc)) }
    }

    /// crun's `copy-symlink`: a source that is a link is made again in the container. False if it is no link.
    fn copy_symlink(&self, root: &Root, mount: &Mount, source: &Path) -> Result<bool, Error> {
        let failed = |errno: Errno| Error::Target { subject: mount.subject(), source: errno.into() };
        let link = match rustix::fs::readlink(source, Vec::new()) {
            Ok(link) => link,
            Err(rustix::io::Errno::INVAL) => return Ok(false),
            Err(error) => {
                let errno = errno(error);
                return Err(Error::Source { subject: mount.subject(), origin: source.to_path_buf(), errno });
            }
        };
        let (Some(parent), Some(name)) = (mount.target.parent(), mount.target.file_name()) else {
            return Err(failed(Errno::EINVAL));
        };
        let directory =
            match resolve::open(root.as_fd(), parent, OFlags::PATH | OFlags::DIRECTORY, ResolveFlags::empty()) {
                Err(Errno::ENOENT) => resolve::make(root.as_fd(), parent, Make::Directory)
                    .map_err(|source| Error::Target { subject: mount.subject(), source })?,
                result => result.map_err(failed)?,
            };
        match rustix::fs::symlinkat(&*link, &directory, name) {
            Err(rustix::io::Errno::EXIST) if is_link_to(directory.as_fd(), name, &link) => Ok(true),
            result => result.map(|()| true).map_err(|error| failed(errno(error))),
        }
    }
}

fn is_link_to(directory: BorrowedFd, name: &std::ffi::OsStr, link: &std::ffi::CStr) -> bool {
    rustix::fs::readlinkat(directory, name, Vec::new()).is_ok_and(|existing| existing.as_c_str() == link)
}
