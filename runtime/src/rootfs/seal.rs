//! The last steps, inside the new root: what becomes read-only, what is hidden.

use super::resolve;
use super::{Error, Place, Rootfs, TargetError, errno, tree};
use crate::sys::mount::{MountAttr, mount_setattr};
use libc::{MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY};
use nix::errno::Errno;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, Statx, StatxFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

const READ_ONLY: MountAttr = MountAttr { set: MOUNT_ATTR_RDONLY, clear: 0, propagation: 0, user_namespace: None };

/// What masked directories are covered with: one empty, read-only tmpfs for all of them.
struct Empty {
    tree: OwnedFd,
    stat: Statx,
    attached: bool,
}

impl Rootfs {
    /// Makes the mounts, root and paths read-only that are to be, hides the masked paths and sets the root's
    /// propagation. After sysctls are written, since `/proc/sys` may become read-only.
    ///
    /// # Errors
    /// [`Error`], naming the path's field.
    pub fn seal(&self) -> Result<(), Error> {
        if matches!(self.place, Place::Nowhere) {
            return Ok(());
        }
        let failed = |errno| Error::Pivot { path: "/".into(), step: "opening /", errno };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, c"/", flags, Mode::empty()).map_err(|error| failed(errno(error)))?;
        let root = root.as_fd();
        for mount in self.mounts.iter().filter(|mount| mount.sealed_later()) {
            let subject = mount.subject();
            if let Some(target) = find(root, &mount.target, &subject)? {
                attributes(target.as_fd(), &READ_ONLY, || subject)?;
            }
        }
        if self.readonly {
            attributes(root, &READ_ONLY, || "root.readonly".to_owned())?;
        }
        self.make_read_only(root)?;
        self.mask(root)?;
        match self.propagation {
            Some((propagation, recursive)) => {
                mount_setattr(root, recursive, &MountAttr { propagation, ..MountAttr::default() })
                    .map_err(|errno| Error::SetPropagation { path: "/".into(), errno })
            }
            None => Ok(()),
        }
    }

    fn make_read_only(&self, root: BorrowedFd) -> Result<(), Error> {
        for (index, path) in self.readonly_paths.iter().enumerate() {
            let subject = || format!("linux.readonlyPaths[{index}] ({})", path.display());
            let Some(target) = find_named(root, path, subject)? else { continue };
            let tree = tree::clone_open(target.as_fd(), true).map_err(|errno| Error::Source {
                subject: subject(),
                origin: path.clone(),
                errno,
            })?;
            attributes(tree.as_fd(), &READ_ONLY, subject)?;
            tree::attach(tree.as_fd(), target.as_fd()).map_err(|errno| Error::Attach { subject: subject(), errno })?;
        }
        Ok(())
    }

    fn mask(&self, root: BorrowedFd) -> Result<(), Error> {
        let mut empty = None;
        let mut null_attached = false;
        for (index, path) in self.masked.iter().enumerate() {
            let subject = || format!("linux.maskedPaths[{index}] ({})", path.display());
            let Some(target) = find_named(root, path, subject)? else { continue };
            let failed = |errno| Error::Attach { subject: subject(), errno };
            let is_directory = tree::is_directory(&tree::stat(target.as_fd()).map_err(failed)?);
            let is_masked = if is_directory {
                let empty = match &mut empty {
                    Some(empty) => empty,
                    none => none.insert(self.make_empty().map_err(failed)?),
                };
                cover(&empty.tree, &mut empty.attached, target.as_fd()).map_err(failed)?;
                let found = stat_path(root, path).map_err(failed)?;
                (found.stx_dev_major, found.stx_dev_minor) == (empty.stat.stx_dev_major, empty.stat.stx_dev_minor)
            } else {
                let null = self.null.get().ok_or_else(|| failed(Errno::ENODEV))?;
                cover(null, &mut null_attached, target.as_fd()).map_err(failed)?;
                tree::is_char(&stat_path(root, path).map_err(failed)?, 1, 3)
            };
            // By its path, as the container will go: a link swapped in meanwhile shows here (CVE-2025-31133).
            if !is_masked {
                return Err(Error::NotMasked { subject: subject() });
            }
        }
        Ok(())
    }

    fn make_empty(&self) -> Result<Empty, Errno> {
        let context = rustix::mount::fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(errno)?;
        rustix::mount::fsconfig_set_string(&context, c"source", c"tmpfs").map_err(errno)?;
        rustix::mount::fsconfig_set_string(&context, c"mode", c"755").map_err(errno)?;
        if let Some(label) = &self.label {
            rustix::mount::fsconfig_set_string(&context, c"context", label.as_str()).map_err(errno)?;
        }
        rustix::mount::fsconfig_set_flag(&context, c"ro").map_err(errno)?;
        rustix::mount::fsconfig_create(&context).map_err(errno)?;
        let attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        let attributes = MountAttrFlags::from_bits_retain(attributes as u32);
        let tree = rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(errno)?;
        let stat = tree::stat(tree.as_fd())?;
        Ok(Empty { tree, stat, attached: false })
    }
}

/// The host's own null device, never the container's: that one may be a link to anything (CVE-2025-31133).
pub(super) fn host_null() -> Result<OwnedFd, Error> {
    let failed = |errno: Errno| Error::HostNull { reason: format!("/dev/null: {errno}") };
    let null = tree::clone(Path::new("/dev/null"), false, true).map_err(failed)?;
    if !tree::is_char(&tree::stat(null.as_fd()).map_err(failed)?, 1, 3) {
        return Err(Error::HostNull { reason: "/dev/null is not the character device 1:3".to_owned() });
    }
    // Else what the container mounts on a masked path would appear on the host's device where /dev is shared.
    let private = MountAttr { propagation: libc::MS_PRIVATE, ..MountAttr::default() };
    mount_setattr(null.as_fd(), false, &private).map_err(failed)?;
    Ok(null)
}

/// The first target gets the detached mount itself; once attached, it can be cloned for the others.
fn cover(source: &OwnedFd, attached: &mut bool, target: BorrowedFd) -> Result<(), Errno> {
    if std::mem::replace(attached, true) {
        let clone = tree::clone_open(source.as_fd(), false)?;
        tree::attach(clone.as_fd(), target)
    } else {
        tree::attach(source.as_fd(), target)
    }
}

fn attributes(mount: BorrowedFd, change: &MountAttr, subject: impl FnOnce() -> String) -> Result<(), Error> {
    mount_setattr(mount, false, change).map_err(|errno| Error::Attributes { subject: subject(), errno })
}

fn find_named(root: BorrowedFd, path: &Path, subject: impl Fn() -> String) -> Result<Option<OwnedFd>, Error> {
    find(root, &resolve::relative(path), &subject())
}

/// A path that isn't there needs no hiding.
fn find(root: BorrowedFd, path: &Path, subject: &str) -> Result<Option<OwnedFd>, Error> {
    match resolve::open(root, path, OFlags::PATH, ResolveFlags::empty()) {
        Ok(target) => Ok(Some(target)),
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
        Err(errno) => Err(Error::Target { subject: subject.to_owned(), source: TargetError::Kernel(errno) }),
    }
}

fn stat_path(root: BorrowedFd, path: &Path) -> Result<Statx, Errno> {
    let path = resolve::relative(path);
    rustix::fs::statx(root, &path, AtFlags::empty(), StatxFlags::BASIC_STATS).map_err(errno)
}
