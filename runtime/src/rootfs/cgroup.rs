use super::plan::Mount;
use super::resolve::{self, Make};
use super::{Error, Root, Rootfs, errno, filesystem, tree};
use crate::sys::mount::MountAttr;
use nix::errno::Errno;
use rustix::fs::Mode;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// What the container may see of the cgroup hierarchies.
#[derive(Clone, Debug)]
pub struct CgroupView {
    /// The host has the one cgroup2 hierarchy only.
    pub unified: bool,
    /// The child is in a cgroup namespace whose root is the container's cgroup.
    pub in_namespace: bool,
    /// The host's hierarchies.
    pub hierarchies: Vec<CgroupMount>,
}

/// One hierarchy of the host.
#[derive(Clone, Debug)]
pub struct CgroupMount {
    /// Controllers as `cpu` or `cpu,cpuacct`, or the name of a hierarchy without any, as `systemd`; empty for cgroup2.
    pub name: String,
    /// Where the host has it mounted.
    pub mountpoint: PathBuf,
    /// The container's cgroup below the mount point.
    pub path: PathBuf,
}

impl CgroupMount {
    fn host_path(&self) -> PathBuf {
        self.mountpoint.join(resolve::relative(&self.path))
    }
}

impl Rootfs {
    /// Mounts what the host has: `cgroup` in a configuration is any hierarchy, `cgroup2` the unified one.
    pub(super) fn mount_cgroup(
        &self,
        root: &Root,
        mount: &Mount,
        view: &CgroupView,
        unified: bool,
    ) -> Result<(), Error> {
        if !unified && !view.unified {
            return self.mount_hierarchies(root, mount, view);
        }
        let hierarchy = view.hierarchies.iter().find(|hierarchy| hierarchy.name.is_empty());
        let hierarchy = hierarchy.ok_or_else(|| Error::NoUnifiedHierarchy { subject: mount.subject() })?;
        let (target, _) = self.target(root, mount, Make::Directory)?;
        let tree = instance(mount, hierarchy, view.in_namespace, mount.options.whole())?;
        mount.attach(tree.as_fd(), target.as_fd())
    }

    /// The v1 layout: a tmpfs with a directory a hierarchy, and links from each controller of a joint one. All get
    /// their attributes at once, when the last directory is made.
    fn mount_hierarchies(&self, root: &Root, mount: &Mount, view: &CgroupView) -> Result<(), Error> {
        let (target, _) = self.target(root, mount, Make::Directory)?;
        let top = filesystem::plain(mount, "tmpfs", "cgroup", &[("mode", "755")], 0)?;
        tree::attach(top.as_fd(), target.as_fd()).map_err(|errno| Error::Attach { subject: mount.subject(), errno })?;
        for hierarchy in &view.hierarchies {
            let tree = instance(mount, hierarchy, view.in_namespace, 0)?;
            let name = hierarchy.mountpoint.file_name().unwrap_or("unified".as_ref());
            let failed = |errno| Error::Attach { subject: mount.subject(), errno };
            rustix::fs::mkdirat(&top, name, Mode::from_raw_mode(0o755)).map_err(|error| failed(errno(error)))?;
            // The name needs no resolving in a tmpfs that nobody else has seen.
            tree::attach_at(tree.as_fd(), top.as_fd(), name.as_ref()).map_err(failed)?;
            mount.propagate(tree.as_fd())?;
            link_controllers(top.as_fd(), name).map_err(failed)?;
        }
        mount.change(top.as_fd(), true, &MountAttr { set: mount.options.whole(), ..MountAttr::default() })?;
        mount.propagate(top.as_fd())
    }
}

/// In a cgroup namespace a new mount shows the container's cgroup as root; else its directory on the host is bound, as
/// when the kernel refuses a mount without CAP_SYS_ADMIN over the hierarchy.
fn instance(mount: &Mount, hierarchy: &CgroupMount, in_namespace: bool, attributes: u64) -> Result<OwnedFd, Error> {
    if in_namespace {
        match new_instance(mount, &hierarchy.name, attributes) {
            Err(Error::Filesystem { errno: Errno::EPERM | Errno::EBUSY, .. }) => {}
            result => return result,
        }
    }
    let host = hierarchy.host_path();
    let tree = tree::clone(&host, true, false).map_err(|errno| Error::Source {
        subject: mount.subject(),
        origin: host,
        errno,
    })?;
    if attributes != 0 {
        mount.change(tree.as_fd(), false, &MountAttr { set: attributes, ..MountAttr::default() })?;
    }
    Ok(tree)
}

/// A v1 hierarchy is told by its controllers; what the kernel doesn't know as one is the name of a hierarchy.
fn new_instance(mount: &Mount, name: &str, attributes: u64) -> Result<OwnedFd, Error> {
    if name.is_empty() {
        return filesystem::plain(mount, "cgroup2", "cgroup", &[], attributes);
    }
    let controllers = name.split(',').map(|controller| (controller, "")).collect::<Vec<_>>();
    match filesystem::plain(mount, "cgroup", "cgroup", &controllers, attributes) {
        Err(Error::Filesystem { errno: Errno::EINVAL | Errno::ENOENT, .. }) => {
            filesystem::plain(mount, "cgroup", "cgroup", &[("none", ""), ("name", name)], attributes)
        }
        result => result,
    }
}

/// `cpu` and `cpuacct` lead to `cpu,cpuacct`.
fn link_controllers(top: BorrowedFd, name: &std::ffi::OsStr) -> Result<(), Errno> {
    let text = name.to_string_lossy();
    for controller in text.split(',').filter(|controller| *controller != text) {
        match rustix::fs::symlinkat(name, top, controller) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(errno(error)),
        }
    }
    Ok(())
}
