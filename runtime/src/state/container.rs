use super::{CONFIG, Error, Init, START_SOCKET, STATE, State};
use crate::cgroup::Cgroup;
use crate::spec::Spec;
use crate::sys::pidfd;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use nix::sys::stat::Mode;
use nix::unistd::Pid;
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Where a container is in its life (`runtime.md`, State).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// create is at work.
    Creating,
    /// The init is parked.
    Created,
    /// The user's process runs.
    Running,
    /// The user's process is frozen.
    Paused,
    /// The process has ended, or create was killed.
    Stopped,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Creating => "creating",
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopped => "stopped",
        })
    }
}

/// What `state` prints and hooks get on standard input: the specification's state, and runc's additions.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OciState {
    /// Specification version of the bundle.
    pub oci_version: String,
    /// The container's name.
    pub id: String,
    /// pid of the init on the host; 0 when stopped.
    pub pid: i32,
    /// Lower-case status.
    pub status: Status,
    /// Absolute path of the bundle.
    pub bundle: PathBuf,
    /// Absolute path of the root filesystem.
    pub rootfs: PathBuf,
    /// RFC 3339.
    pub created: String,
    /// The configuration's annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Name of the owner, empty when it is root as in runc's.
    pub owner: String,
}

/// One container, as its directory tells.
#[derive(Debug)]
pub struct Container {
    /// What is kept between commands.
    pub state: State,
    path: PathBuf,
    /// The directory, open and locked until it is closed.
    lock: Option<OwnedFd>,
}

impl Container {
    pub(super) fn lock_new(path: PathBuf, state: State) -> Result<Self, Error> {
        let lock = take_lock(&path, FlockOperation::LockExclusive)?;
        Ok(Container { state, path, lock: Some(lock) })
    }

    pub(super) fn open(path: PathBuf, id: &str) -> Result<Self, Error> {
        let state = read_state(&path, id)?;
        Ok(Container { state, path, lock: None })
    }

    pub(super) fn open_locked(path: PathBuf, id: &str) -> Result<Self, Error> {
        let lock = match take_lock(&path, FlockOperation::LockExclusive) {
            Err(Error::File { errno: Errno::ENOENT, .. }) => return Err(Error::Absent(id.to_owned())),
            other => other?,
        };
        // A directory that the last holder removed has no links; by its path another container may be there by now.
        match nix::sys::stat::fstat(&lock) {
            Ok(stat) if stat.st_nlink > 0 => {}
            Ok(_) => return Err(Error::Absent(id.to_owned())),
            Err(errno) => return Err(Error::File { step: "looking at", path, errno }),
        }
        // Read only now: the last holder may have changed it.
        let state = read_state(&path, id)?;
        Ok(Container { state, path, lock: Some(lock) })
    }

    /// Closes our copy of the lock. In a cloned child it stays the parent's alone: flock(2) locks an open file, not a
    /// process, and a parked init would keep the container locked after a create that was killed.
    pub(crate) fn leave_lock(&mut self) {
        self.lock = None;
    }

    /// Whether we hold the lock.
    pub(crate) fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    /// The container's directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The container's name.
    pub fn id(&self) -> &str {
        &self.state.id
    }

    /// The container's cgroup; absent in what is left of a create that was killed very early.
    pub fn cgroup(&self) -> Option<&Cgroup> {
        self.state.cgroup.as_ref()
    }

    /// pid of the init, which may have ended.
    pub fn init(&self) -> Option<Pid> {
        self.state.init.map(|init| Pid::from_raw(init.pid))
    }

    /// pid of the init while it lives.
    ///
    /// # Errors
    /// [`Error::Status`]: it may live or not.
    pub fn pid(&self) -> Result<Option<Pid>, Error> {
        let live = self.live_init().map_err(|errno| self.unseen("its init", errno))?;
        Ok(live.map(|init| Pid::from_raw(init.pid)))
    }

    /// A pidfd of the init while it lives; the check after the open makes it this process and no other.
    ///
    /// # Errors
    /// ESRCH when it has ended; EMFILE.
    pub fn pidfd(&self) -> Result<OwnedFd, Errno> {
        let init = self.state.init.ok_or(Errno::ESRCH)?;
        let fd = pidfd::open(Pid::from_raw(init.pid))?;
        self.live_init()?.map(|_| fd).ok_or(Errno::ESRCH)
    }

    fn live_init(&self) -> Result<Option<Init>, Errno> {
        let Some(init) = self.state.init else { return Ok(None) };
        match process_stat(Pid::from_raw(init.pid)) {
            Ok(stat) if stat.start_time != init.start_time || matches!(stat.state, b'Z' | b'X') => Ok(None),
            // Pids and ticks since boot come again: state on a disk can be of the boot before.
            Ok(_) if init.boot != 0 && init.boot != boot()? => Ok(None),
            Ok(_) => Ok(Some(init)),
            Err(Errno::ENOENT | Errno::ESRCH) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Asks the kernel, not the file: whether the process lives, listens for `start`, or is frozen.
    ///
    /// # Errors
    /// [`Error::Status`], [`Error::Cgroup`]: what can't be seen is not guessed.
    pub fn status(&self) -> Result<Status, Error> {
        match self.pid()? {
            Some(_) => self.status_alive(),
            None if self.state.init.is_none() && self.lock.is_none() && is_locked(&self.path)? => Ok(Status::Creating),
            None => Ok(Status::Stopped),
        }
    }

    /// [`Container::status`] of one whose init is known to live.
    ///
    /// # Errors
    /// As [`Container::status`].
    pub fn status_alive(&self) -> Result<Status, Error> {
        match self.connect_start() {
            Ok(_) => return Ok(Status::Created),
            // ENOENT: a delete is at work.
            Err(Errno::ECONNREFUSED | Errno::ENOENT) => {}
            Err(errno) => return Err(self.unseen("its start socket", errno)),
        }
        let frozen = self.cgroup().map_or(Ok(false), Cgroup::frozen).map_err(|error| Error::Cgroup(Box::new(error)))?;
        Ok(if frozen { Status::Paused } else { Status::Running })
    }

    fn unseen(&self, part: &'static str, errno: Errno) -> Error {
        Error::Status { id: self.id().to_owned(), part, errno }
    }

    /// Connects to the parked init. execve closes its listening socket: ECONNREFUSED means that it has started.
    ///
    /// # Errors
    /// As `connect(2)`.
    pub fn connect_start(&self) -> Result<OwnedFd, Errno> {
        let directory = open_directory(&self.path)?;
        let fd = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
        connect(fd.as_raw_fd(), &start_address(&directory)?)?;
        Ok(fd)
    }

    /// The address of the start socket; through the directory's descriptor, since an id may be longer than
    /// `sun_path`'s 108 bytes.
    ///
    /// # Errors
    /// As `open(2)`.
    pub fn start_socket_address(&self) -> Result<(Option<OwnedFd>, UnixAddr), Errno> {
        // The lock is a descriptor of the directory already.
        if let Some(lock) = &self.lock {
            return Ok((None, start_address(lock)?));
        }
        let directory = open_directory(&self.path)?;
        let address = start_address(&directory)?;
        Ok((Some(directory), address))
    }

    /// The state as the specification wants it, with `status` given where it is known already.
    pub fn oci_state_as(&self, status: Status) -> OciState {
        let state = &self.state;
        OciState {
            oci_version: state.oci_version.clone(),
            id: state.id.clone(),
            pid: if status == Status::Stopped { 0 } else { state.init.map_or(0, |init| init.pid) },
            status,
            bundle: state.bundle.clone(),
            rootfs: state.rootfs.clone(),
            created: crate::time::rfc3339(state.created),
            annotations: state.annotations.clone(),
            owner: if state.owner == 0 { String::new() } else { state.owner.to_string() },
        }
    }

    /// The state as the specification wants it.
    ///
    /// # Errors
    /// As [`Container::status`].
    pub fn oci_state(&self) -> Result<OciState, Error> {
        Ok(self.oci_state_as(self.status()?))
    }

    /// Writes state.json whole and renames it into place.
    ///
    /// # Errors
    /// [`Error::File`], ENOSPC and EROFS among them.
    pub fn save(&self) -> Result<(), Error> {
        let text = serde_json::to_vec(&self.state).unwrap_or_default();
        let temporary = self.path.join(".state.json");
        write_file(&temporary, &text)?;
        let path = self.path.join(STATE);
        nix::fcntl::renameat(nix::fcntl::AT_FDCWD, &temporary, nix::fcntl::AT_FDCWD, &path)
            .map_err(|errno| Error::File { step: "renaming into", path, errno })
    }

    /// Keeps the configuration as it was at create.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save_config(&self, text: &[u8]) -> Result<(), Error> {
        write_file(&self.path.join(CONFIG), text)
    }

    /// The configuration as it was at create.
    ///
    /// # Errors
    /// As [`crate::spec::load`].
    pub fn config(&self) -> Result<Spec, crate::spec::Error> {
        crate::spec::load(&self.path, None)
    }

    /// Removes the container's directory; the id is free from then on.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn remove(&self) -> Result<(), Error> {
        // state.json goes last, so that a kill in between leaves a container to delete again.
        for name in [START_SOCKET, CONFIG, ".state.json", STATE] {
            let path = self.path.join(name);
            match nix::unistd::unlink(&path) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(Error::File { step: "removing", path, errno }),
            }
        }
        match std::fs::remove_dir(&self.path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => {
                Err(Error::File { step: "removing", path: self.path.clone(), errno: crate::sys::errno(error) })
            }
        }
    }
}

/// What `/proc/PID/stat` says of a process (`proc_pid_stat(5)`).
#[derive(Clone, Copy, Debug)]
pub struct ProcessStat {
    /// Field 3: `R`, `S`, `Z`, ….
    pub state: u8,
    /// Field 22: clock ticks from boot to its start.
    pub start_time: u64,
    /// Field 33: bit N-1 for each of the signals 1 to 31 that it ignores.
    pub ignored: u64,
}

/// Reads `/proc/PID/stat`.
///
/// # Errors
/// ENOENT or ESRCH when there is no such process; EMFILE.
pub fn process_stat(pid: Pid) -> Result<ProcessStat, Errno> {
    let text = crate::sys::read_procfs(&format!("/proc/{pid}/stat"))?;
    parse_stat(&text).ok_or(Errno::EPROTO)
}

fn parse_stat(text: &[u8]) -> Option<ProcessStat> {
    // The command name may hold spaces and brackets: count from the last one, field 2.
    let rest = text.get(text.iter().rposition(|&byte| byte == b')')? + 2..)?;
    let fields: Vec<&[u8]> = rest.split(|&byte| byte == b' ').collect();
    let number = |field: usize| std::str::from_utf8(fields.get(field - 3)?).ok()?.parse().ok();
    Some(ProcessStat { state: *fields.first()?.first()?, start_time: number(22)?, ignored: number(33)? })
}

fn read_state(path: &Path, id: &str) -> Result<State, Error> {
    let file = path.join(STATE);
    match std::fs::read(&file) {
        Ok(text) => super::parse(&text).map_err(|message| Error::Malformed { path: file, message }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && path.is_dir() => {
            Ok(State { id: id.to_owned(), oci_version: "1.3.0".to_owned(), ..State::default() })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::Absent(id.to_owned())),
        Err(error) => Err(Error::File { step: "reading", path: file, errno: crate::sys::errno(error) }),
    }
}

fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    nix::fcntl::open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
}

fn take_lock(path: &Path, how: FlockOperation) -> Result<OwnedFd, Error> {
    let file = |step, errno| Error::File { step, path: path.to_path_buf(), errno };
    let directory = open_directory(path).map_err(|errno| file("opening", errno))?;
    rustix::io::retry_on_intr(|| flock(&directory, how))
        .map_err(|error| file("locking", Errno::from_raw(error.raw_os_error())))?;
    Ok(directory)
}

fn is_locked(path: &Path) -> Result<bool, Error> {
    match take_lock(path, FlockOperation::NonBlockingLockShared) {
        Ok(_) => Ok(false),
        Err(Error::File { errno: Errno::EWOULDBLOCK, .. }) => Ok(true),
        Err(Error::File { errno: Errno::ENOENT, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The first half of the kernel's `boot_id` (`random(4)`), which no two boots share.
///
/// # Errors
/// As `open(2)` and `read(2)`.
pub fn boot() -> Result<u64, Errno> {
    let text = crate::sys::read_procfs("/proc/sys/kernel/random/boot_id")?;
    let digits: String = text.iter().map(|&byte| byte as char).filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&digits, 16).map_err(|_| Errno::EPROTO)
}

fn start_address(directory: &OwnedFd) -> Result<UnixAddr, Errno> {
    UnixAddr::new(format!("/proc/self/fd/{}/{START_SOCKET}", directory.as_raw_fd()).as_str())
}

fn write_file(path: &Path, text: &[u8]) -> Result<(), Error> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text)).map_err(|error| Error::File {
        step: "writing",
        path: path.to_path_buf(),
        errno: crate::sys::errno(error),
    })
}
