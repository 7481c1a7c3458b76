//! Device nodes, the links of /dev, and the console.

use super::resolve::{self, Make};
use super::{Context, Error, Root, Rootfs, TargetError, errno, tree};
use crate::spec::{self, DeviceType};
use nix::errno::Errno;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Statx, Uid};
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Nodes that each container has (`config-linux.md`, Default Devices), all of the kernel's memory driver but tty.
const DEFAULTS: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Links that each container has (`config-linux.md`, Default Devices).
const LINKS: [(&str, &str); 5] = [
    ("pts/ptmx", "ptmx"),
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
];

/// A node to make.
#[derive(Debug)]
pub(super) struct Node {
    /// Relative to the root.
    path: PathBuf,
    kind: FileType,
    major: u32,
    minor: u32,
    mode: u32,
    uid: u32,
    gid: u32,
}

impl Node {
    fn subject(&self) -> String {
        format!("linux.devices (/{})", self.path.display())
    }

    fn failed(&self, step: &'static str) -> impl Fn(Errno) -> Error + '_ {
        move |errno| Error::Device { subject: self.subject(), step, errno }
    }

    fn is(&self, stat: &Statx) -> bool {
        let kind = FileType::from_raw_mode(stat.stx_mode.into());
        kind == self.kind
            && (kind == FileType::Fifo || (stat.stx_rdev_major, stat.stx_rdev_minor) == (self.major, self.minor))
    }
}

/// The nodes to make; none where the configuration binds a /dev that has its own.
pub(super) fn plan(context: &Context) -> Result<Option<Vec<Node>>, Error> {
    let is_bound = |mount: &spec::Mount| {
        let bind = mount.options.iter().any(|option| matches!(option.as_str(), "bind" | "rbind"));
        resolve::relative(&mount.destination) == Path::new("dev") && (bind || mount.kind.as_deref() == Some("bind"))
    };
    if context.spec.mounts.iter().any(is_bound) {
        return Ok(None);
    }
    let devices = context.spec.linux.devices.iter().enumerate();
    let asked = devices.map(|(index, device)| plan_node(index, device)).collect::<Result<Vec<_>, _>>()?;
    let mut nodes =
        DEFAULTS.map(|(name, major, minor)| default_node(name, major, minor)).into_iter().collect::<Vec<_>>();
    nodes.retain(|node| asked.iter().all(|other| other.path != node.path));
    // A link into the container's devpts stands there (see LINKS).
    nodes.extend(asked.into_iter().filter(|node| node.path != Path::new("dev/ptmx")));
    Ok(Some(nodes))
}

fn default_node(name: &str, major: u32, minor: u32) -> Node {
    Node {
        path: Path::new("dev").join(name),
        kind: FileType::CharacterDevice,
        major,
        minor,
        mode: 0o666,
        uid: 0,
        gid: 0,
    }
}

fn plan_node(index: usize, device: &spec::Device) -> Result<Node, Error> {
    let invalid = |reason: String| {
        let subject = format!("linux.devices[{index}] ({})", device.path.display());
        Error::Invalid { subject, reason }
    };
    let kind = match device.kind {
        DeviceType::Block => FileType::BlockDevice,
        DeviceType::Char | DeviceType::Unbuffered => FileType::CharacterDevice,
        DeviceType::Fifo => FileType::Fifo,
        DeviceType::All => return Err(invalid("type \"a\" is for cgroup rules; a node is b, c, u or p".to_owned())),
    };
    let path = resolve::relative(&device.path);
    if path.as_os_str().is_empty() || !device.path.is_absolute() {
        return Err(invalid("the path is not an absolute one below /".to_owned()));
    }
    let number = |name, value: i64, bits: u32| {
        u32::try_from(value)
            .ok()
            .filter(|value| value >> bits == 0)
            .ok_or_else(|| invalid(format!("{name} {value} is not between 0 and {}", (1u64 << bits) - 1)))
    };
    let (major, minor) = match kind {
        FileType::Fifo => (0, 0),
        _ => (number("major", device.major, 12)?, number("minor", device.minor, 20)?),
    };
    let mode = device.file_mode.unwrap_or(0o666) & 0o7777;
    Ok(Node { path, kind, major, minor, mode, uid: device.uid.unwrap_or(0), gid: device.gid.unwrap_or(0) })
}

impl Rootfs {
    /// Makes the default nodes and links of /dev and the configuration's devices, unless /dev is a bind mount. In a
    /// user namespace, where mknod(2) makes nodes that can't be opened, the host's are bound.
    ///
    /// # Errors
    /// [`Error::Device`], [`Error::DeviceMismatch`].
    pub fn make_devices(&self, root: &Root) -> Result<(), Error> {
        let Some(nodes) = &self.devices else { return Ok(()) };
        let _exact = super::ExactModes::new();
        let dev = directory(root, Path::new("dev")).map_err(target_failed("/dev"))?;
        for node in nodes {
            let (Some(parent), Some(name)) = (node.path.parent(), node.path.file_name()) else { continue };
            if parent == Path::new("dev") {
                self.make_node(dev.as_fd(), name, node)?;
            } else {
                let parent =
                    directory(root, parent).map_err(|source| Error::Target { subject: node.subject(), source })?;
                self.make_node(parent.as_fd(), name, node)?;
            }
        }
        for (target, name) in LINKS {
            link(dev.as_fd(), target, name)?;
        }
        if rustix::fs::access(c"/proc/kcore", rustix::fs::Access::EXISTS).is_ok() {
            link(dev.as_fd(), "/proc/kcore", "core")?;
        }
        Ok(())
    }

    fn make_node(&self, parent: BorrowedFd, name: &OsStr, node: &Node) -> Result<(), Error> {
        if self.in_user_namespace && node.kind != FileType::Fifo {
            return bind_node(parent, name, node);
        }
        let number = rustix::fs::makedev(node.major, node.minor);
        match rustix::fs::mknodat(parent, name, node.kind, Mode::from_raw_mode(node.mode), number).map_err(errno) {
            Ok(()) if node.uid == 0 && node.gid == 0 => Ok(()),
            Ok(()) => own(parent, name, node),
            Err(Errno::EEXIST) => take_over(parent, name, node),
            // No CAP_MKNOD, as inside another container.
            Err(Errno::EPERM) => bind_node(parent, name, node),
            Err(errno) => Err(node.failed("mknod")(errno)),
        }
    }

    /// Binds the terminal on /dev/console. `pts` is the slave, opened in the container's own devpts.
    ///
    /// # Errors
    /// [`Error::NotATerminal`] when `pts` is anything else (CVE-2025-52565), [`Error::Console`].
    pub fn bind_console(&self, root: &Root, pts: BorrowedFd) -> Result<(), Error> {
        let failed = |step| move |errno| Error::Console { step, errno };
        if !is_pts(pts).map_err(failed("looking at the terminal"))? {
            return Err(Error::NotATerminal);
        }
        let dev = directory(root, Path::new("dev")).map_err(target_failed("/dev/console"))?;
        let name = OsStr::new("console").to_owned();
        let target = resolve::make_file(dev.as_fd(), &name).map_err(failed("making the file to mount on"))?;
        let tree = tree::clone_open(pts, false).map_err(failed("cloning the terminal's mount"))?;
        tree::attach(tree.as_fd(), target.as_fd()).map_err(failed("attaching the terminal"))
    }
}

/// Makes an image's own node of the right numbers ours; refuses any other thing in its place.
fn take_over(parent: BorrowedFd, name: &OsStr, node: &Node) -> Result<(), Error> {
    let found = resolve::open(parent, Path::new(name), OFlags::PATH | OFlags::NOFOLLOW, ResolveFlags::empty())
        .map_err(node.failed("opening what is there"))?;
    let stat = tree::stat(found.as_fd()).map_err(node.failed("looking at what is there"))?;
    if !node.is(&stat) {
        return Err(mismatch(node, "the image has something else at this path", &stat));
    }
    if u32::from(stat.stx_mode) & 0o7777 != node.mode {
        // An O_PATH descriptor has no fchmod(2) before Linux 6.6; its link in the host's procfs leads to this very node.
        let link = format!("/proc/self/fd/{}", found.as_raw_fd());
        rustix::fs::chmod(link, Mode::from_raw_mode(node.mode)).map_err(|error| node.failed("chmod")(errno(error)))?;
    }
    if (stat.stx_uid, stat.stx_gid) == (node.uid, node.gid) { Ok(()) } else { own(parent, name, node) }
}

fn own(parent: BorrowedFd, name: &OsStr, node: &Node) -> Result<(), Error> {
    let (uid, gid) = (Uid::from_raw(node.uid), Gid::from_raw(node.gid));
    rustix::fs::chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|error| node.failed("chown")(errno(error)))
}

/// Binds the host's node of the same path, or wherever in its /dev the same device is: callers rename devices.
fn bind_node(parent: BorrowedFd, name: &OsStr, node: &Node) -> Result<(), Error> {
    let tree = host_node(&Path::new("/").join(&node.path), node).or_else(|error| {
        let elsewhere = find_node(Path::new("/dev"), node);
        elsewhere.map_or(Err(error), |path| host_node(&path, node))
    })?;
    let target = resolve::make_file(parent, &name.to_owned()).map_err(node.failed("making the file to mount on"))?;
    tree::attach(tree.as_fd(), target.as_fd()).map_err(node.failed("attaching the host's node"))
}

/// Looks through a directory and those below it, links not followed.
fn find_node(directory: &Path, node: &Node) -> Option<PathBuf> {
    let mut entries = std::fs::read_dir(directory).ok()?.flatten();
    entries.find_map(|entry| {
        let metadata = entry.metadata().ok()?;
        let number = rustix::fs::makedev(node.major, node.minor);
        if metadata.is_dir() {
            find_node(&entry.path(), node)
        } else {
            let same = FileType::from_raw_mode(metadata.mode()) == node.kind && metadata.rdev() == number;
            same.then(|| entry.path())
        }
    })
}

fn host_node(path: &Path, node: &Node) -> Result<OwnedFd, Error> {
    let tree = tree::clone(path, false, false).map_err(node.failed("opening the host's node"))?;
    let stat = tree::stat(tree.as_fd()).map_err(node.failed("looking at the host's node"))?;
    if node.is(&stat) { Ok(tree) } else { Err(mismatch(node, "the host has another device at this path", &stat)) }
}

fn mismatch(node: &Node, what: &str, found: &Statx) -> Error {
    let wanted = format!("{:?} {}:{}", node.kind, node.major, node.minor);
    let kind = FileType::from_raw_mode(found.stx_mode.into());
    let reason = format!("{what}: {kind:?} {}:{}, not {wanted}", found.stx_rdev_major, found.stx_rdev_minor);
    Error::DeviceMismatch { subject: node.subject(), reason }
}

fn link(dev: BorrowedFd, target: &str, name: &str) -> Result<(), Error> {
    let failed = |error| Error::Device { subject: format!("/dev/{name}"), step: "symlink", errno: errno(error) };
    match rustix::fs::symlinkat(target, dev, name) {
        Err(rustix::io::Errno::EXIST) => {}
        result => return result.map_err(failed),
    }
    if name != "ptmx"
        || rustix::fs::readlinkat(dev, name, Vec::new()).is_ok_and(|link| link.as_bytes() == target.as_bytes())
    {
        return Ok(());
    }
    // An image's own ptmx would lead to another devpts.
    rustix::fs::unlinkat(dev, name, AtFlags::empty()).map_err(failed)?;
    rustix::fs::symlinkat(target, dev, name).map_err(failed)
}

fn directory(root: &Root, path: &Path) -> Result<OwnedFd, TargetError> {
    match resolve::existing(root.as_fd(), path, OFlags::DIRECTORY) {
        Err(TargetError::Kernel(Errno::ENOENT)) => resolve::make(root.as_fd(), path, Make::Directory),
        result => result,
    }
}

fn target_failed(subject: &str) -> impl Fn(TargetError) -> Error + '_ {
    move |source| Error::Target { subject: subject.to_owned(), source }
}

/// Whether this is the slave of a pseudo terminal: majors 136 to 143 on a devpts.
fn is_pts(terminal: BorrowedFd) -> Result<bool, Errno> {
    const DEVPTS: i64 = 0x1cd1;
    let stat = tree::stat(terminal)?;
    let filesystem = rustix::fs::fstatfs(terminal).map_err(errno)?;
    Ok(u32::from(stat.stx_mode) & libc::S_IFMT == libc::S_IFCHR
        && (136..144).contains(&stat.stx_rdev_major)
        && filesystem.f_type as i64 == DEVPTS)
}
