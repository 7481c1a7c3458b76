use super::{console, hooks, init, namespaces, process, userns};
use crate::state::Status;
use crate::{cgroup, device, plan, rdt, rootfs, sched, spec, state, sys};
use nix::errno::Errno;
use nix::sched::CloneFlags;
use std::path::PathBuf;

/// Why a command on a container's life failed; one variant a step.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each text says its variant")]
pub enum Error {
    #[error(transparent)]
    State(#[from] state::Error),
    #[error(transparent)]
    Spec(#[from] spec::Error),
    #[error(transparent)]
    Invalid(#[from] spec::validate::Error),
    #[error(transparent)]
    Namespaces(#[from] namespaces::Error),
    #[error(transparent)]
    UserMappings(#[from] userns::Error),
    #[error(transparent)]
    Rootfs(#[from] rootfs::Error),
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
    #[error(transparent)]
    Process(#[from] process::Error),
    #[error(transparent)]
    Sched(#[from] sched::Error),
    #[error(transparent)]
    Console(#[from] console::Error),
    #[error(transparent)]
    Hooks(#[from] hooks::Error),
    #[error(transparent)]
    Setup(#[from] init::Error),
    #[error(transparent)]
    NetDevices(#[from] device::net::Error),
    #[error(transparent)]
    Plan(#[from] Box<plan::Error>),
    #[error(transparent)]
    Ledger(#[from] Box<rtrun_hooks::ledger::Error>),
    #[error(transparent)]
    Clock(#[from] Box<rtrun_hooks::clock::Error>),
    #[error("not in effect: {0}; org.rtrun.verify=warn starts the container all the same")]
    NotInEffect(String),
    #[error(transparent)]
    Rdt(#[from] rdt::Error),
    #[error(transparent)]
    OwnBinary(#[from] sys::self_exe::Error),
    #[error("bundle {path}: {errno}")]
    Bundle { path: PathBuf, errno: Errno },
    #[error("process.terminal is true: --console-socket is needed unless in the foreground of run or exec")]
    NoConsoleSocket,
    #[error("--console-socket is given, but process.terminal is not true: nothing would ever come over it")]
    UnusedConsoleSocket,
    #[error("the socket on which the init waits for start: {step}: {errno}")]
    StartSocket { step: &'static str, errno: Errno },
    #[error("talking with the container's init: {0}")]
    Channel(Errno),
    #[error("clone3({}): {errno}", flag_names(*flags))]
    Clone { flags: u64, errno: Errno },
    #[error("rtrun's own PID namespace: {0}")]
    OwnPid(Errno),
    #[error("{path}: {errno}")]
    Namespace { path: String, errno: Errno },
    #[error("process.oomScoreAdj {score}: {errno}; lowering it needs CAP_SYS_RESOURCE")]
    OomScore { score: i32, errno: Errno },
    #[error("{0}")]
    Child(String),
    #[error("the container's init died while it came up: {status}")]
    Died { status: String },
    #[error("looking at the init of {id}: {errno}")]
    Init { id: String, errno: Errno },
    #[error("--pid-file {path}: {errno}")]
    PidFile { path: PathBuf, errno: Errno },
    #[error("cannot start a container that is not created: {id} is {status}")]
    NotCreated { id: String, status: Status },
    #[error("process.scheduler is not in effect on the container's init: {0}")]
    SchedulerNotInEffect(String),
    #[error("container not running: {0}")]
    NotRunning(String),
    #[error("cannot exec in a container that is not running: {id} is {status}")]
    ExecNotRunning { id: String, status: Status },
    #[error("cannot exec in paused container {0}: resume it, or use --ignore-paused")]
    Paused(String),
    #[error("sending signal {number} to {id}: {errno}")]
    Kill { number: i32, id: String, errno: Errno },
    #[error("cannot delete container {id} that is not stopped: {status}; stop it, or use --force")]
    NotStopped { id: String, status: Status },
    #[error("the init of {0} did not end within 10 s of SIGKILL: it hangs in the kernel, see /proc/PID/stack")]
    Unkillable(String),
    #[error("waiting for the process: {0}")]
    Supervise(Errno),
    #[error("process {pid} ended in a way unknown to waitid(2): {status}")]
    UnexpectedEnd { pid: i32, status: String },
    #[error("joining cgroup hierarchy {index}: {errno}")]
    JoinCgroup { index: usize, errno: Errno },
    #[error("entering the container's root: {0}")]
    Chroot(Errno),
    #[error("setsid: {0}")]
    Session(Errno),
}

impl Error {
    /// Why there is no pidfd of a container's init.
    pub(crate) fn of_init(container: &state::Container, errno: Errno) -> Error {
        match errno {
            Errno::ESRCH => Error::NotRunning(container.id().to_owned()),
            errno => Error::Init { id: container.id().to_owned(), errno },
        }
    }
}

fn flag_names(flags: u64) -> String {
    format!(
        "{:?}",
        CloneFlags::from_bits_retain(flags as libc::c_int).iter_names().map(|(name, _)| name).collect::<Vec<_>>()
    )
}
