//! The user's process as plain data, and the steps by which a child becomes it: for the init and for `exec` alike.

use crate::sched::{self, MemPolicy, Persona, Rlimits};
use crate::security::capabilities::{self, CapabilitySets};
use crate::security::lsm::{self, ExecLabel};
use crate::security::seccomp::{self, Filter};
use crate::spec::{Linux, NamespaceType, Process, User};
use crate::state::OciState;
use nix::errno::Errno;
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, chdir};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ffi::{CString, NulError};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How much of /etc/passwd is read, bytes: some twenty thousand users.
const PASSWD_LIMIT: u64 = 1 << 20;

/// Why the process can't be made.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each text says its variant")]
pub enum Error {
    #[error("process.{field}: {source}")]
    Nul { field: &'static str, source: NulError },
    #[error(transparent)]
    Sched(#[from] sched::Error),
    #[error(transparent)]
    Capabilities(#[from] capabilities::Error),
    #[error(transparent)]
    Label(#[from] lsm::Error),
    #[error(transparent)]
    Seccomp(#[from] seccomp::Error),
    #[error("process.cwd {path}: {errno}")]
    Cwd { path: PathBuf, errno: Errno },
    #[error("process.cwd {0} is outside of the container's root (CVE-2024-21626)")]
    CwdOutside(PathBuf),
    #[error("exec: \"{0}\": executable file not found in $PATH")]
    NotFound(String),
    #[error("exec: \"{path}\": {errno}")]
    Exec { path: String, errno: Errno },
    #[error("exec: \"{0}\": no such file or directory")]
    NoFile(String),
    #[error("exec: \"{0}\": permission denied")]
    NotExecutable(String),
    #[error("{step}: {errno}")]
    Identity { step: String, errno: Errno },
    #[error("{step}: {errno}")]
    Prctl { step: &'static str, errno: Errno },
}

/// Everything that turns a child into the user's process.
#[derive(Debug)]
pub(crate) struct ProcessPlan {
    arguments: Vec<CString>,
    environment: Vec<CString>,
    search_path: String,
    home_missing: bool,
    cwd: PathBuf,
    user: User,
    capabilities: CapabilitySets,
    no_new_privileges: bool,
    pub(crate) rlimits: Rlimits,
    label: ExecLabel,
    filter: Option<Filter>,
    listener: Option<OwnedFd>,
    memory_policy: Option<MemPolicy>,
    personality: Option<Persona>,
    preserve_fds: u32,
    /// The signals that this process has inherited as ignored, bit N-1 for signal N.
    pub(crate) ignored: u64,
    /// A user namespace of one's own single ID forbids setgroups(2).
    setgroups_denied: bool,
}

impl ProcessPlan {
    pub(crate) fn plan(
        process: &Process,
        linux: &Linux,
        preserve_fds: u32,
        warn: &mut dyn FnMut(String),
    ) -> Result<ProcessPlan, Error> {
        let nul = |field| move |source| Error::Nul { field, source };
        let text = |list: &[&str], field| {
            list.iter().map(|item| CString::new(*item)).collect::<Result<Vec<_>, _>>().map_err(nul(field))
        };
        let mut environment = text(&last_of_each(&process.env), "env")?;
        let inherited = socket_activation();
        if let Some(count) = inherited {
            environment.push(CString::new(format!("LISTEN_FDS={count}")).map_err(nul("env"))?);
            environment.push(c"LISTEN_PID=1".to_owned());
        }
        sched::check(process)?;
        // None named is none granted, as runc and crun have it: rtrun's own must not pass on by omission.
        let (capabilities, warnings) = CapabilitySets::plan(&process.capabilities.clone().unwrap_or_default());
        warnings.into_iter().for_each(&mut *warn);
        // In a user namespace of its own, new or joined, the container's capabilities are not ours to give.
        if linux.namespaces.iter().all(|namespace| namespace.kind != NamespaceType::User) {
            capabilities.beyond_the_callers().unwrap_or_default().into_iter().for_each(&mut *warn);
        }
        let variable = |name: &str| process.env.iter().rev().find_map(|item| item.strip_prefix(name));
        Ok(ProcessPlan {
            arguments: text(&process.args.iter().map(String::as_str).collect::<Vec<_>>(), "args")?,
            environment,
            search_path: variable("PATH=").unwrap_or_default().to_owned(),
            home_missing: variable("HOME=").is_none(),
            cwd: process.cwd.clone(),
            user: process.user.clone(),
            capabilities,
            no_new_privileges: process.no_new_privileges,
            rlimits: Rlimits::plan(&process.rlimits)?,
            label: ExecLabel::plan(process)?,
            filter: linux.seccomp.as_ref().map(Filter::compile).transpose()?,
            listener: None,
            memory_policy: linux.memory_policy.as_ref().map(MemPolicy::plan).transpose()?,
            personality: linux.personality.as_ref().map(Persona::plan).transpose()?,
            preserve_fds: preserve_fds + inherited.unwrap_or(0),
            ignored: 0,
            setgroups_denied: !Uid::effective().is_root() && linux.uid_mappings.len() == 1,
        })
    }

    /// Opens what is on the host: labels' procfs files and the seccomp agent's socket. Nothing of the container's own
    /// /proc is ever trusted.
    pub(crate) fn open_host_files(&mut self) -> Result<(), Error> {
        self.label.open()?;
        if let Some((path, _)) = self.filter.as_ref().and_then(Filter::listener) {
            self.listener = Some(seccomp::connect_listener(path)?.into());
        }
        Ok(())
    }

    /// Reads the program's file into memory, so that its first pages cost no wait for a disk (`readahead(2)`). A file that
    /// can't be read ahead, as one on tmpfs, is in memory already or read as any other.
    pub(crate) fn read_ahead(&self, executable: &CString) {
        let Ok(file) = std::fs::File::open(Path::new(std::ffi::OsStr::from_bytes(executable.as_bytes()))) else {
            return;
        };
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        // SAFETY: readahead takes a live descriptor and integers.
        unsafe { libc::readahead(file.as_raw_fd(), 0, usize::try_from(length).unwrap_or(usize::MAX)) };
    }

    /// Whether [`ProcessPlan::become_process`] needs the container's state for a seccomp agent.
    pub(crate) fn notifies(&self) -> bool {
        self.filter.as_ref().is_some_and(Filter::notifies)
    }

    /// Goes to the working directory, which is made if missing, and proves that it is below the root.
    pub(crate) fn enter_cwd(&self) -> Result<(), Error> {
        let failed = |errno| Error::Cwd { path: self.cwd.clone(), errno };
        match chdir(&self.cwd) {
            Err(Errno::ENOENT) => {
                std::fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o755)
                    .create(&self.cwd)
                    .map_err(|error| failed(crate::sys::errno(error)))?;
                chdir(&self.cwd).map_err(failed)?;
            }
            // The user may be let in where root without CAP_DAC_OVERRIDE is not: tried again as the user.
            Err(Errno::EACCES) => return Ok(()),
            other => other.map_err(failed)?,
        }
        self.check_cwd(false)
    }

    /// The kernel names a directory outside of the root "(unreachable)", which getcwd(3) makes ENOENT. Any other error
    /// can be the container's own filter forbidding the call, once that is loaded.
    fn check_cwd(&self, filtered: bool) -> Result<(), Error> {
        match nix::unistd::getcwd() {
            Ok(path) if path.is_absolute() => Ok(()),
            Ok(_) | Err(Errno::ENOENT) => Err(Error::CwdOutside(self.cwd.clone())),
            Err(_) if filtered => Ok(()),
            Err(errno) => Err(Error::Cwd { path: self.cwd.clone(), errno }),
        }
    }

    /// Looks `args[0]` up as execvp(3), in the process's own PATH.
    pub(crate) fn find_executable(&self) -> Result<CString, Error> {
        let name = self.arguments.first().map(|name| name.as_bytes()).unwrap_or_default();
        let shown = || String::from_utf8_lossy(name).into_owned();
        if name.contains(&b'/') {
            return match executable(Path::new(std::ffi::OsStr::from_bytes(name))) {
                Ok(()) => Ok(self.arguments[0].clone()),
                Err(Errno::ENOENT | Errno::ENOTDIR) => Err(Error::NoFile(shown())),
                Err(Errno::EACCES | Errno::EISDIR) => Err(Error::NotExecutable(shown())),
                Err(errno) => Err(Error::Exec { path: shown(), errno }),
            };
        }
        let mut denied = false;
        for directory in self.search_path.split(':').filter(|directory| directory.starts_with('/')) {
            let path = Path::new(directory).join(std::ffi::OsStr::from_bytes(name));
            match executable(&path) {
                Ok(()) => {
                    return CString::new(path.as_os_str().as_bytes())
                        .map_err(|source| Error::Nul { field: "args", source });
                }
                Err(Errno::EACCES | Errno::EISDIR) => denied = true,
                // As in execvp(3): the others mean that it isn't there.
                Err(errno @ (Errno::EIO | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE)) => {
                    return Err(Error::Exec { path: path.display().to_string(), errno });
                }
                Err(_) => {}
            }
        }
        if denied { Err(Error::NotExecutable(shown())) } else { Err(Error::NotFound(shown())) }
    }

    /// The variables of the user's program.
    pub(crate) fn environment(&self) -> &[CString] {
        &self.environment
    }

    /// HOME from the container's own /etc/passwd, read as text: NSS would load the image's code.
    pub(crate) fn complete_environment(&mut self) {
        if !self.home_missing {
            return;
        }
        let uid = self.user.uid.to_string();
        let home = read_passwd().ok().and_then(|text| {
            let line = text.lines().find(|line| line.split(':').nth(2) == Some(uid.as_str()))?;
            line.split(':').nth(5).filter(|home| !home.is_empty()).map(str::to_owned)
        });
        if let Ok(variable) = CString::new(format!("HOME={}", home.as_deref().unwrap_or("/"))) {
            self.environment.push(variable);
        }
    }

    /// The last steps, after which this is the user's process: nothing here opens a file or trusts the container.
    pub(crate) fn become_process(&self, executable: &CString, state: Option<&OciState>) -> Result<Infallible, Error> {
        if let Some(policy) = &self.memory_policy {
            policy.apply()?;
        }
        if let Some(personality) = &self.personality {
            personality.apply()?;
        }
        // Before the filter, which may forbid these calls, getcwd(2) among them.
        self.close_descriptors()?;
        self.restore_signals()?;
        let arrived = nix::unistd::getcwd().is_ok_and(|path| path == self.cwd);
        // Without no_new_privs a filter needs CAP_SYS_ADMIN, which the next step may drop.
        if !self.no_new_privileges {
            self.load_filter(state)?;
        }
        self.change_identity()?;
        if !arrived {
            chdir(&self.cwd).map_err(|errno| Error::Cwd { path: self.cwd.clone(), errno })?;
            self.check_cwd(self.filter.is_some() && !self.no_new_privileges)?;
        }
        if self.no_new_privileges {
            prctl("prctl(PR_SET_NO_NEW_PRIVS)", libc::PR_SET_NO_NEW_PRIVS, 1)?;
        }
        self.label.set()?;
        if self.no_new_privileges {
            self.load_filter(state)?;
        }
        let Err(errno) = nix::unistd::execve(executable, &self.arguments, &self.environment);
        Err(Error::Exec { path: executable.to_string_lossy().into_owned(), errno })
    }

    fn load_filter(&self, state: Option<&OciState>) -> Result<(), Error> {
        let Some(filter) = &self.filter else { return Ok(()) };
        let notify = filter.load()?;
        if let (Some(notify), Some(socket), Some(state), Some((_, metadata))) =
            (notify, &self.listener, state, filter.listener())
        {
            seccomp::send_listener(socket.as_fd(), notify.as_fd(), &state.oci_version, state.pid, metadata, state)?;
        }
        Ok(())
    }

    fn change_identity(&self) -> Result<(), Error> {
        let identity = |step: String| move |errno| Error::Identity { step, errno };
        let user = &self.user;
        if user.uid != 0 {
            hand_over_streams(user.uid).map_err(identity("owner of the standard streams".to_owned()))?;
        }
        self.capabilities.drop_bounding()?;
        prctl("prctl(PR_SET_KEEPCAPS)", libc::PR_SET_KEEPCAPS, 1)?;
        if !self.setgroups_denied {
            let groups: Vec<Gid> = user.additional_gids.iter().map(|&gid| Gid::from_raw(gid)).collect();
            nix::unistd::setgroups(&groups)
                .map_err(identity(format!("process.user.additionalGids {:?}", user.additional_gids)))?;
        }
        let gid = Gid::from_raw(user.gid);
        nix::unistd::setresgid(gid, gid, gid).map_err(identity(format!("process.user.gid {gid}")))?;
        let uid = Uid::from_raw(user.uid);
        nix::unistd::setresuid(uid, uid, uid).map_err(identity(format!("process.user.uid {uid}")))?;
        self.capabilities.apply()?;
        nix::sys::stat::umask(Mode::from_bits_truncate(user.umask.unwrap_or(0o022)));
        Ok(())
    }

    /// Nothing of the host goes over execve but what `--preserve-fds` names (CVE-2024-21626).
    fn close_descriptors(&self) -> Result<(), Error> {
        // SAFETY: close_range with CLOEXEC only marks descriptors.
        let marked = unsafe {
            libc::syscall(libc::SYS_close_range, 3 + self.preserve_fds, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
        };
        Errno::result(marked).map(drop).map_err(|errno| Error::Prctl { step: "close_range", errno })
    }

    /// Ignored and blocked signals outlive execve: SIGPIPE is the Rust runtime's, SIGINT and SIGQUIT a shell's for what
    /// it starts with `&`, SIGHUP nohup's, and a foreground command blocks what it forwards.
    fn restore_signals(&self) -> Result<(), Error> {
        let failed = |errno| Error::Prctl { step: "restoring signals", errno };
        for ignored in Signal::iterator().filter(|&signal| self.ignored & 1 << (signal as i32 - 1) != 0) {
            // SAFETY: the default disposition runs no code of ours.
            unsafe { signal(ignored, SigHandler::SigDfl) }.map_err(failed)?;
        }
        SigSet::empty().thread_set_mask().map_err(failed)
    }
}

/// The image's file may be anything: a FIFO or a device must not make us wait, nor an endless file fill our memory.
fn read_passwd() -> Result<String, std::io::Error> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open("/etc/passwd")?;
    let mut text = Vec::new();
    if file.metadata()?.is_file() {
        file.take(PASSWD_LIMIT).read_to_end(&mut text)?;
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Gives descriptors 0 to 2 to the user, who could not open /dev/stdout or the terminal again otherwise. The null
/// device is left alone, for it may be the host's; so is what the user namespace or the filesystem does not let us have.
fn hand_over_streams(uid: u32) -> Result<(), Errno> {
    let null = nix::sys::stat::makedev(1, 3);
    for fd in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: descriptors 0 to 2 stay open until execve; a closed one gives EBADF.
        let stream = unsafe { BorrowedFd::borrow_raw(fd) };
        let Ok(stat) = nix::sys::stat::fstat(stream) else { continue };
        if stat.st_uid == uid || stat.st_rdev == null {
            continue;
        }
        match nix::unistd::fchown(stream, Some(Uid::from_raw(uid)), None) {
            Ok(()) | Err(Errno::EPERM | Errno::EINVAL | Errno::EROFS) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Of a variable given twice the last counts, as in runc: `getenv(3)` would find the first.
fn last_of_each(variables: &[String]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let mut kept: Vec<&str> = variables.iter().rev().map(String::as_str).collect();
    kept.retain(|variable| seen.insert(variable.split_once('=').map(|(name, _)| name)));
    kept.reverse();
    kept
}

/// Descriptors handed on by systemd's socket activation to this very command.
fn socket_activation() -> Option<u32> {
    let pid = std::env::var("LISTEN_PID").ok()?;
    if pid != std::process::id().to_string() {
        return None;
    }
    std::env::var("LISTEN_FDS").ok()?.parse().ok().filter(|&count| count > 0)
}

fn executable(path: &Path) -> Result<(), Errno> {
    let stat = nix::sys::stat::stat(path)?;
    if stat.st_mode & libc::S_IFMT == libc::S_IFDIR {
        return Err(Errno::EISDIR);
    }
    crate::sys::may_execute(path)
}

fn prctl(step: &'static str, option: libc::c_int, value: libc::c_ulong) -> Result<(), Error> {
    // SAFETY: these options take integers only; the kernel wants the unused ones to be zero.
    let done = unsafe { libc::prctl(option, value, 0 as libc::c_ulong, 0 as libc::c_ulong, 0 as libc::c_ulong) };
    Errno::result(done).map(drop).map_err(|errno| Error::Prctl { step, errno })
}

#[cfg(test)]
mod tests {
    use super::last_of_each;

    #[test]
    fn the_last_of_a_variable_counts() {
        let given = ["A=1", "B=2", "A=3"].map(str::to_owned);
        assert_eq!(last_of_each(&given), ["B=2", "A=3"]);
    }
}
