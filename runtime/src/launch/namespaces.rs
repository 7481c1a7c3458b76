//! Which namespaces are made by whom: PID and user by clone3, because only a child is born into them; the others by the
//! child itself, so that the parent goes on at the same time.

use crate::spec::{Linux, NamespaceType, TimeOffset};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Why a namespace can't be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path doesn't open.
    #[error("linux.namespaces: opening the {kind:?} namespace {path}: {errno}")]
    Open {
        /// Which kind.
        kind: NamespaceType,
        /// Its path.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// setns(2) refused.
    #[error("linux.namespaces: joining the {kind:?} namespace {path}: {errno}; is it a namespace of that type?")]
    Join {
        /// Which kind.
        kind: NamespaceType,
        /// Its path.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// unshare(2) refused.
    #[error("linux.namespaces: making new namespaces ({flags:?}): {errno}")]
    Unshare {
        /// `CLONE_NEW*`.
        flags: CloneFlags,
        /// What the kernel said.
        errno: Errno,
    },
    /// The clock offsets were refused.
    #[error("linux.timeOffsets: writing `{offsets}` to /proc/self/timens_offsets: {error}")]
    TimeOffsets {
        /// What was written.
        offsets: String,
        /// What the kernel said.
        error: std::io::Error,
    },
}

/// An existing namespace to enter.
#[derive(Debug)]
pub(crate) struct Joined {
    kind: NamespaceType,
    path: PathBuf,
    fd: OwnedFd,
}

impl Joined {
    pub(crate) fn enter(&self) -> Result<(), Error> {
        setns(&self.fd, flag(self.kind)).map_err(|errno| Error::Join {
            kind: self.kind,
            path: self.path.clone(),
            errno,
        })
    }
}

impl AsFd for Joined {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The container's namespaces.
#[derive(Debug)]
pub(crate) struct Namespaces {
    new: CloneFlags,
    /// A user namespace to join, before everything that it shall own.
    pub(crate) user: Option<Joined>,
    /// A PID namespace to join, by the parent: setns(2) moves only later children.
    pub(crate) pid: Option<Joined>,
    joined: Vec<Joined>,
    time_offsets: String,
}

impl Namespaces {
    pub(crate) fn plan(linux: &Linux) -> Result<Namespaces, Error> {
        let mut plan = Namespaces {
            new: CloneFlags::empty(),
            user: None,
            pid: None,
            joined: Vec::new(),
            time_offsets: String::new(),
        };
        for namespace in &linux.namespaces {
            match namespace.path.as_deref().filter(|path| !path.as_os_str().is_empty()) {
                None => plan.new |= flag(namespace.kind),
                Some(path) => plan.join(namespace.kind, path)?,
            }
        }
        // Whoever joins a mount namespace sees its files: last, so that the other paths are the host's.
        plan.joined.sort_by_key(|joined| joined.kind == NamespaceType::Mount);
        if let Some(offsets) = &linux.time_offsets {
            let line = |clock: &str, offset: Option<TimeOffset>| {
                offset.map(|offset| format!("{clock} {} {}\n", offset.secs, offset.nanosecs)).unwrap_or_default()
            };
            plan.time_offsets = line("monotonic", offsets.monotonic) + &line("boottime", offsets.boottime);
        }
        Ok(plan)
    }

    fn join(&mut self, kind: NamespaceType, path: &Path) -> Result<(), Error> {
        let joined = open_namespace(kind, path)?;
        match kind {
            NamespaceType::User => self.user = Some(joined),
            NamespaceType::Pid => self.pid = Some(joined),
            _ => self.joined.push(joined),
        }
        Ok(())
    }

    /// What clone3 is to make.
    pub(crate) fn clone_flags(&self) -> u64 {
        (self.new & (CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWUSER)).bits() as u64
    }

    /// Whether the container gets a user namespace of its own.
    pub(crate) fn new_user(&self) -> bool {
        self.new.contains(CloneFlags::CLONE_NEWUSER)
    }

    /// Whether the container gets an empty PID namespace.
    pub(crate) fn new_pid(&self) -> bool {
        self.new.contains(CloneFlags::CLONE_NEWPID)
    }

    /// Whether the container gets an empty network namespace.
    pub(crate) fn new_network(&self) -> bool {
        self.new.contains(CloneFlags::CLONE_NEWNET)
    }

    /// Whether the container gets a cgroup namespace of its own.
    pub(crate) fn new_cgroup(&self) -> bool {
        self.new.contains(CloneFlags::CLONE_NEWCGROUP)
    }

    /// The child: joins what exists, then makes what is new but the cgroup namespace, whose root is the cgroup that
    /// the child is in at that moment.
    pub(crate) fn enter(&self) -> Result<(), Error> {
        self.joined.iter().try_for_each(Joined::enter)?;
        let by_us =
            CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWNS;
        let flags = self.new & by_us;
        if flags.is_empty() {
            return Ok(());
        }
        unshare(flags).map_err(|errno| Error::Unshare { flags, errno })
    }

    /// The child, once it is in its cgroup.
    pub(crate) fn enter_cgroup(&self) -> Result<(), Error> {
        let flags = self.new & CloneFlags::CLONE_NEWCGROUP;
        if flags.is_empty() {
            return Ok(());
        }
        unshare(flags).map_err(|errno| Error::Unshare { flags, errno })
    }

    /// The child, before it changes its user ID: that makes it undumpable, and its procfs files the host root's. The
    /// offsets can be written only while nobody is inside (time_namespaces(7)).
    pub(crate) fn enter_time(&self) -> Result<(), Error> {
        if !self.new.contains(NEWTIME) {
            return Ok(());
        }
        unshare(NEWTIME).map_err(|errno| Error::Unshare { flags: NEWTIME, errno })?;
        if !self.time_offsets.is_empty() {
            fs::write("/proc/self/timens_offsets", &self.time_offsets)
                .map_err(|error| Error::TimeOffsets { offsets: self.time_offsets.trim_end().to_owned(), error })?;
        }
        open_namespace(NamespaceType::Time, Path::new("/proc/self/ns/time_for_children"))?.enter()
    }
}

fn open_namespace(kind: NamespaceType, path: &Path) -> Result<Joined, Error> {
    let fd = open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).map_err(|errno| Error::Open {
        kind,
        path: path.to_path_buf(),
        errno,
    })?;
    Ok(Joined { kind, path: path.to_path_buf(), fd })
}

/// `CLONE_NEWTIME` (0x80), which nix doesn't name.
const NEWTIME: CloneFlags = CloneFlags::from_bits_retain(libc::CLONE_NEWTIME);

/// The kernel's flag of a namespace type.
pub(crate) fn flag(kind: NamespaceType) -> CloneFlags {
    match kind {
        NamespaceType::Pid => CloneFlags::CLONE_NEWPID,
        NamespaceType::Network => CloneFlags::CLONE_NEWNET,
        NamespaceType::Mount => CloneFlags::CLONE_NEWNS,
        NamespaceType::Ipc => CloneFlags::CLONE_NEWIPC,
        NamespaceType::Uts => CloneFlags::CLONE_NEWUTS,
        NamespaceType::User => CloneFlags::CLONE_NEWUSER,
        NamespaceType::Cgroup => CloneFlags::CLONE_NEWCGROUP,
        NamespaceType::Time => NEWTIME,
    }
}
