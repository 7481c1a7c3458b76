use nix::errno::Errno;
use std::path::PathBuf;

/// Why the container's filesystem could not be planned or made. `subject` is the field with the path in it, as
/// `mounts[3] (/dev/pts)`.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message of each variant says what its fields are")]
pub enum Error {
    #[error("root: config.json names no root filesystem; give root.path")]
    NoRoot,
    #[error("root.path: {path}: {errno}")]
    Root { path: PathBuf, errno: Errno },
    #[error("linux.rootfsPropagation: {value:?} is none of shared, slave, private, unbindable and their r-forms")]
    Propagation { value: String },
    #[error("{field}: needs a mount namespace; add {{\"type\": \"mount\"}} to linux.namespaces")]
    NoMountNamespace { field: &'static str },
    #[error("{subject}: {reason}")]
    Invalid { subject: String, reason: String },
    #[error("linux.mountLabel: this host has no SELinux")]
    NoSelinux,
    #[error("{subject}: user namespace for the idmapped mount: {step}: {errno}")]
    IdmapNamespace { subject: String, step: &'static str, errno: Errno },
    #[error("{subject}: idmapping {origin}: {errno}{}", idmap_hint(*.errno))]
    Idmap { subject: String, origin: PathBuf, errno: Errno },
    #[error("{subject}: source {origin}: {errno}")]
    Source { subject: String, origin: PathBuf, errno: Errno },
    #[error("{subject}: target: {source}")]
    Target { subject: String, source: TargetError },
    #[error("propagation of {path}: {errno}")]
    SetPropagation { path: PathBuf, errno: Errno },
    #[error("binding the root filesystem {path} on itself: {errno}")]
    BindRoot { path: PathBuf, errno: Errno },
    #[error("unmounting what lies over the root filesystem {path} on the host: {errno}")]
    Uncover { path: PathBuf, errno: Errno },
    #[error("{path} on the host: a mount lies over the container's own; unmount it (umount {path}) and try again")]
    Covered { path: PathBuf },
    #[error("{subject}: making filesystem {kind}: {step}: {errno}{message}")]
    Filesystem { subject: String, kind: String, step: String, errno: Errno, message: String },
    #[error("{subject}: attaching the mount: {errno}")]
    Attach { subject: String, errno: Errno },
    #[error("{subject}: changing mount attributes: {errno}{}", locked_hint(*.errno))]
    Attributes { subject: String, errno: Errno },
    #[error("{subject}: copying up {path}: {errno}")]
    CopyUp { subject: String, path: PathBuf, errno: Errno },
    #[error("{subject}: joining the cgroups: {reason}")]
    Cgroups { subject: String, reason: String },
    #[error("{subject}: the host has no cgroup2 hierarchy to mount")]
    NoUnifiedHierarchy { subject: String },
    #[error("{subject}: {step}: {errno}")]
    Device { subject: String, step: &'static str, errno: Errno },
    #[error("{subject}: {reason}")]
    DeviceMismatch { subject: String, reason: String },
    #[error("/dev/console: {step}: {errno}")]
    Console { step: &'static str, errno: Errno },
    #[error("/dev/console: the terminal is not a devpts slave")]
    NotATerminal,
    #[error("changing root to {path}: {step}: {errno}")]
    Pivot { path: PathBuf, step: &'static str, errno: Errno },
    #[error("the host's /dev/null, source of masked files: {reason}")]
    HostNull { reason: String },
    #[error("{subject}: the path is not what was mounted on it; something replaced it meanwhile")]
    NotMasked { subject: String },
}

/// Why a path inside the root can't be mounted on or made.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message of each variant says what its fields are")]
pub enum TargetError {
    #[error("{0}")]
    Kernel(Errno),
    #[error("it is the root itself")]
    IsRoot,
    #[error("mounts inside /proc are refused, but for its lxcfs files")]
    InProc,
    #[error("it leads into procfs through a symbolic link")]
    LinkIntoProc,
    #[error("only procfs may be mounted on /proc")]
    NotProc,
    #[error("proc and sysfs must be mounted on ordinary directory; a part of the path is a symbolic link")]
    Link,
    #[error("a symbolic link of the image leads through a directory that does not exist and back")]
    BackFromNowhere,
}

impl From<Errno> for TargetError {
    fn from(errno: Errno) -> Self {
        Self::Kernel(errno)
    }
}

fn idmap_hint(errno: Errno) -> &'static str {
    match errno {
        Errno::EINVAL => " (the filesystem can't be idmapped, or is already)",
        Errno::EPERM => " (needs CAP_SYS_ADMIN in the user namespace of the filesystem)",
        _ => "",
    }
}

fn locked_hint(errno: Errno) -> &'static str {
    if errno == Errno::EPERM {
        " (a flag of the source is locked in this user namespace and can't be cleared)"
    } else {
        ""
    }
}
