//! The container's filesystem: planned by the parent, made by the child in its mount namespace, or without one below a
//! clone that lies over the root on the host ([`Cover`]).
//!
//! The child calls [`Rootfs::enter`], [`Rootfs::mount_all`], [`Rootfs::make_devices`], [`Rootfs::bind_console`] (with
//! a terminal), [`Rootfs::pivot`] and, after sysctls are written, [`Rootfs::seal`]. Mounts are made detached with
//! their final flags and attached by descriptor on a target that was resolved once, inside the root.

mod bind;
mod cgroup;
mod copy_up;
mod cover;
mod device;
mod error;
mod filesystem;
mod idmap;
mod options;
mod pivot;
mod plan;
mod resolve;
mod seal;
mod tree;

pub use cgroup::{CgroupMount, CgroupView};
pub use cover::Cover;
pub use error::{Error, TargetError};

use crate::spec::Spec;
use crate::sys::mount::MountAttr;
use nix::errno::Errno;
use nix::sys::stat::{Mode, umask};
use rustix::fs::OFlags;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// What a filesystem is planned from.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The whole configuration.
    pub spec: &'a Spec,
    /// The bundle's directory, absolute; relative paths of the configuration start there.
    pub bundle: &'a Path,
    /// Move the root over `/` and chroot instead of pivot_root(2), as needed on a ramfs.
    pub no_pivot: bool,
    /// The container has its own user namespace, new or joined: device nodes are bound instead of made, and the
    /// parent opens sources that the child may not reach.
    pub new_userns: bool,
    /// The user namespace that the container joins, whose mapping an `idmap` mount without mappings takes.
    pub userns_fd: Option<BorrowedFd<'a>>,
}

/// Everything about the container's filesystem as plain data, with the host's files that the child will need open.
#[derive(Debug)]
pub struct Rootfs {
    path: std::path::PathBuf,
    readonly: bool,
    /// Clone of the root for a child that can't reach its path.
    root_tree: Option<OwnedFd>,
    place: Place,
    no_pivot: bool,
    in_user_namespace: bool,
    /// `MS_*` of `linux.rootfsPropagation`, and whether it is recursive.
    propagation: Option<(u64, bool)>,
    mounts: Vec<plan::Mount>,
    devices: Option<Vec<device::Node>>,
    masked: Vec<std::path::PathBuf>,
    readonly_paths: Vec<std::path::PathBuf>,
    /// Detached clone of the host's /dev/null, the source of masked files, made by the child before it leaves the host.
    null: std::cell::OnceCell<OwnedFd>,
    /// SELinux label of the mounts, as the value of `context=`.
    label: Option<String>,
}

/// Where the container's mounts are made.
#[derive(Debug)]
enum Place {
    /// In its mount namespace.
    Namespace,
    /// In the caller's, below this clone of the root.
    Host { cover: Cover, tree: OwnedFd },
    /// Nowhere: it has no mount namespace, and asks for no mount.
    Nowhere,
}

/// The container's root, attached in the child's mount namespace but not yet its `/`.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Rootfs {
    /// The mount on the host that holds all others of a container without a mount namespace, to be removed with it.
    pub fn cover(&self) -> Option<&Cover> {
        match &self.place {
            Place::Host { cover, .. } => Some(cover),
            Place::Namespace | Place::Nowhere => None,
        }
    }

    /// Makes the mounts in the configuration's order. `cgroups` is called once, just before the first cgroup mount,
    /// with a umask of 0: the child joins its cgroups and makes its cgroup namespace there, and says what is to be
    /// mounted.
    ///
    /// # Errors
    /// [`Error`], naming the mount.
    pub fn mount_all(&self, root: &Root, cgroups: &mut dyn FnMut() -> Result<CgroupView, String>) -> Result<(), Error> {
        let _exact = ExactModes::new();
        let mut view = None;
        for mount in &self.mounts {
            match &mount.action {
                plan::Action::Filesystem { kind, source } => self.mount_filesystem(root, mount, kind, source)?,
                plan::Action::Bind { source, tree } => self.mount_bind(root, mount, source, tree.as_ref())?,
                plan::Action::Remount => self.remount(root, mount)?,
                plan::Action::Cgroup { unified } => {
                    let view = match &mut view {
                        Some(view) => view,
                        none => none
                            .insert(cgroups().map_err(|reason| Error::Cgroups { subject: mount.subject(), reason })?),
                    };
                    self.mount_cgroup(root, mount, view, *unified)?;
                }
            }
        }
        Ok(())
    }

    /// Resolves a mount's target inside the root and makes it if missing; true when it was there before.
    fn target(&self, root: &Root, mount: &plan::Mount, make: resolve::Make) -> Result<(OwnedFd, bool), Error> {
        let flags = if mount.options.target_nofollow { OFlags::NOFOLLOW } else { OFlags::empty() };
        let target = match resolve::existing(root.as_fd(), &mount.target, flags) {
            Ok(target) => Ok((target, true)),
            Err(TargetError::Kernel(Errno::ENOENT)) => {
                resolve::make(root.as_fd(), &mount.target, make).map(|target| (target, false))
            }
            Err(error) => Err(error),
        };
        target.map_err(|source| Error::Target { subject: mount.subject(), source })
    }

    /// The target of procfs and sysfs: no link on the way, so that the image can't choose where they land.
    fn plain_target(&self, root: &Root, mount: &plan::Mount) -> Result<OwnedFd, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let target = match resolve::open(root.as_fd(), &mount.target, flags, rustix::fs::ResolveFlags::NO_SYMLINKS) {
            Ok(target) => Ok(target),
            Err(Errno::ENOENT) => resolve::make(root.as_fd(), &mount.target, resolve::Make::Directory),
            Err(Errno::ELOOP) => Err(TargetError::Link),
            Err(errno) => Err(TargetError::Kernel(errno)),
        };
        target.map_err(|source| Error::Target { subject: mount.subject(), source })
    }
}

impl plan::Mount {
    /// Attaches a detached mount, then gives it its propagation.
    fn attach(&self, tree: BorrowedFd, target: BorrowedFd) -> Result<(), Error> {
        tree::attach(tree, target).map_err(|errno| Error::Attach { subject: self.subject(), errno })?;
        self.propagate(tree)
    }

    fn propagate(&self, tree: BorrowedFd) -> Result<(), Error> {
        for &(propagation, recursive) in &self.options.propagation {
            self.change(tree, recursive, &MountAttr { propagation, ..MountAttr::default() })?;
        }
        Ok(())
    }

    fn change(&self, tree: BorrowedFd, recursive: bool, change: &MountAttr) -> Result<(), Error> {
        crate::sys::mount::mount_setattr(tree, recursive, change)
            .map_err(|errno| Error::Attributes { subject: self.subject(), errno })
    }

    /// Sets and clears what the options ask for on an existing or cloned mount.
    fn change_attributes(&self, tree: BorrowedFd) -> Result<(), Error> {
        for (attributes, recursive) in [(self.options.recursive, true), (self.options.attributes, false)] {
            if !attributes.is_empty() {
                let change = MountAttr { set: attributes.set, clear: attributes.clear, ..MountAttr::default() };
                self.change(tree, recursive, &change)?;
            }
        }
        Ok(())
    }
}

/// No umask while files are made, so that they get the modes asked for; the caller's again at the end.
struct ExactModes(Mode);

impl ExactModes {
    fn new() -> Self {
        Self(umask(Mode::empty()))
    }
}

impl Drop for ExactModes {
    fn drop(&mut self) {
        umask(self.0);
    }
}

/// rustix's error as nix's, whose text names the errno.
fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error())
}
