//! Into the root: the mount namespace cut off from the host, the root made a mount of its own, then made `/`.

use super::{Error, Place, Root, Rootfs, errno, seal, tree};
use crate::sys::mount::{MountAttr, mount_setattr};
use libc::{MS_PRIVATE, MS_SHARED, MS_SLAVE};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags};
use rustix::fs::{CWD, OFlags};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

impl Rootfs {
    /// Cuts the mount namespace's propagation to the host, or keeps what `linux.rootfsPropagation` asks for, and
    /// attaches a clone of the root on itself. Without a mount namespace only the clone is attached, and only if
    /// something is to be mounted.
    ///
    /// # Errors
    /// [`Error::SetPropagation`], [`Error::HostNull`], [`Error::BindRoot`], [`Error::Root`].
    pub fn enter(&self) -> Result<Root, Error> {
        match &self.place {
            Place::Namespace => self.propagate_host()?,
            Place::Host { cover, tree } => {
                cover.attach(tree)?;
                let fd = tree.try_clone().map_err(|_| self.no_root(Errno::EMFILE))?;
                return Ok(Root { fd });
            }
            Place::Nowhere => {
                return Ok(Root { fd: directory(&self.path).map_err(|errno| self.no_root(errno))? });
            }
        }
        if !self.masked.is_empty() {
            // Set once only: enter is the first step of its process.
            let _ = self.null.set(seal::host_null()?);
        }
        let failed = |errno| Error::BindRoot { path: self.path.clone(), errno };
        let own = directory(&self.path).and_then(|target| Ok((tree::clone(&self.path, true, false)?, target)));
        let (fd, target) = match (own, &self.root_tree) {
            (Ok(own), _) => own,
            // Where the user namespace can't walk to the root, the parent's clone goes over `/`.
            (Err(_), Some(tree)) => {
                (tree.try_clone().map_err(|_| failed(Errno::EMFILE))?, directory(Path::new("/")).map_err(failed)?)
            }
            (Err(errno), None) => return Err(failed(errno)),
        };
        tree::attach(fd.as_fd(), target.as_fd()).map_err(failed)?;
        Ok(Root { fd })
    }

    fn no_root(&self, errno: Errno) -> Error {
        Error::Root { path: self.path.clone(), errno }
    }

    /// Shared is the one propagation that must reach the host's mounts; then the root's own parent is made private,
    /// since pivot_root(2) refuses a shared one and the root's mount would appear on the host.
    fn propagate_host(&self) -> Result<(), Error> {
        let (kind, recursive) = match self.propagation {
            Some((MS_SHARED, recursive)) => (MS_SHARED, recursive),
            Some((MS_SLAVE, _)) | None => (MS_SLAVE, true),
            Some(_) => (MS_PRIVATE, true),
        };
        let flags = kind | if recursive { libc::MS_REC } else { 0 };
        change(Path::new("/"), flags).map_err(|errno| Error::SetPropagation { path: "/".into(), errno })?;
        if kind == MS_SHARED { self.make_parent_private() } else { Ok(()) }
    }

    /// The root's path without links, as the kernel's mount table has it.
    fn real_path(&self) -> PathBuf {
        self.path.canonicalize().unwrap_or_else(|_| self.path.clone())
    }

    /// The nearest mount point at or above the root: mount(2) answers EINVAL on what is none.
    fn make_parent_private(&self) -> Result<(), Error> {
        for path in self.real_path().ancestors() {
            match change(path, MS_PRIVATE) {
                Err(Errno::EINVAL) => {}
                Err(errno) => return Err(Error::SetPropagation { path: path.to_path_buf(), errno }),
                Ok(()) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Makes the root `/`, the working directory too, and lets go of the host's mounts.
    ///
    /// # Errors
    /// [`Error::Pivot`], naming the step.
    pub fn pivot(&self, root: Root) -> Result<(), Error> {
        let failed = |step| move |errno| Error::Pivot { path: self.path.clone(), step, errno };
        let in_namespace = matches!(self.place, Place::Namespace);
        if !in_namespace || self.no_pivot {
            if in_namespace {
                self.hide_host().map_err(failed("unmounting the host's proc and sysfs"))?;
                let top = directory(Path::new("/")).map_err(failed("opening /"))?;
                tree::attach(root.as_fd(), top.as_fd()).map_err(failed("moving the root over /"))?;
            }
            nix::unistd::fchdir(&root.fd).map_err(failed("fchdir"))?;
            nix::unistd::chroot(".").map_err(failed("chroot"))?;
            return nix::unistd::chdir("/").map_err(failed("chdir /"));
        }
        let old = match self.propagation {
            Some((MS_SHARED, _)) => Some(directory(Path::new("/")).map_err(failed("opening the old root"))?),
            _ => None,
        };
        nix::unistd::fchdir(&root.fd).map_err(failed("fchdir"))?;
        // Both at one place: the old root lies over the new one until it is unmounted, no directory is needed for it.
        nix::unistd::pivot_root(".", ".").map_err(failed("pivot_root"))?;
        if let Some(old) = old {
            // Otherwise the unmount would propagate to the host's own mounts.
            let slave = MountAttr { propagation: MS_SLAVE, ..MountAttr::default() };
            mount_setattr(old.as_fd(), true, &slave).map_err(failed("making the old root slave"))?;
        }
        nix::mount::umount2(".", MntFlags::MNT_DETACH).map_err(failed("unmounting the old root"))?;
        nix::unistd::chdir("/").map_err(failed("chdir /"))
    }

    /// After a move the host's mounts stay reachable for who can leave a chroot; a whole procfs or sysfs among them
    /// would let a user namespace mount another (runc's msMoveRoot).
    fn hide_host(&self) -> Result<(), Errno> {
        let table = std::fs::read_to_string("/proc/self/mountinfo").map_err(crate::sys::errno)?;
        let root = self.real_path();
        let whole = table.lines().filter_map(procfs_or_sysfs).filter(|path| !path.starts_with(&root));
        let mut paths = whole.collect::<Vec<_>>();
        paths.reverse();
        for path in paths {
            match nix::mount::umount2(path, MntFlags::MNT_DETACH) {
                // Locked in a user namespace: covered instead.
                Err(Errno::EINVAL | Errno::EPERM) => {
                    nix::mount::mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::MS_RDONLY, None::<&str>)?;
                }
                Err(Errno::ENOENT) => {}
                result => result?,
            }
        }
        Ok(())
    }
}

/// The mount point of a mountinfo line whose filesystem is procfs or sysfs.
fn procfs_or_sysfs(line: &str) -> Option<&Path> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let kind = filesystem.split(' ').next()?;
    matches!(kind, "proc" | "sysfs").then(|| mount.split(' ').nth(4).map(Path::new)).flatten()
}

pub(super) fn directory(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, rustix::fs::Mode::empty()).map_err(errno)
}

fn change(path: &Path, flags: u64) -> Result<(), Errno> {
    nix::mount::mount(None::<&str>, path, None::<&str>, MsFlags::from_bits_retain(flags), None::<&str>)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_lines_of_proc_and_sysfs_are_found() {
        let proc = "22 27 0:21 / /proc rw,relatime - proc proc rw";
        let slave = "23 27 0:22 / /sys rw,relatime shared:7 master:2 - sysfs sysfs rw";
        assert_eq!(procfs_or_sysfs(proc), Some(Path::new("/proc")));
        assert_eq!(procfs_or_sysfs(slave), Some(Path::new("/sys")));
        assert_eq!(procfs_or_sysfs("24 27 0:6 / /dev rw - devtmpfs devtmpfs rw"), None);
    }
}
