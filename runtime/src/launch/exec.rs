//! `exec`: one more process in a running container.

use super::console;
use super::create::{reap, send, wait_for, wait_for_execve, write_pid_file};
use super::namespaces;
use super::process::{self, ProcessPlan};
use super::start::set_scheduler;
use super::supervise::{Supervisor, receive_master};
use super::sync::{Channel, Recorded, Signal};
use super::{Error, ExecOptions};
use crate::cgroup::{Cgroup, Entry};
use crate::sched::{self, CpuSet};
use crate::spec::{self, NamespaceType, Process, Scheduler, Spec};
use crate::state::{Container, Status, Store, process_stat};
use crate::sys::clone::{Forked, fork_into};
use crate::sys::{self, self_exe};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Pid, Uid};
use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Everything that the new process's child side needs.
struct Joining {
    id: String,
    process: ProcessPlan,
    init: OwnedFd,
    namespaces: CloneFlags,
    /// Whether a user namespace is among them.
    user: bool,
    /// The root of a container without a mount namespace of its own.
    root: Option<OwnedFd>,
    entry: Option<Entry>,
    /// The container's cgroup where systemd governs it, and can move a process in.
    scope: Option<Cgroup>,
    terminal: Option<(OwnedFd, Option<spec::ConsoleSize>)>,
}

/// A running container that a process is to join.
#[derive(Debug)]
pub struct Target {
    container: Container,
    init: OwnedFd,
    spec: Spec,
}

impl Target {
    /// Finds the container, once the container can't write to this binary: rtrun is executed again where it must be.
    ///
    /// # Errors
    /// [`Error::OwnBinary`], [`Error::ExecNotRunning`], [`Error::Paused`], and why its files can't be read.
    pub fn find(store: &Store, id: &str, ignore_paused: bool) -> Result<Target, Error> {
        self_exe::ensure_unwritable()?;
        let container = store.load(id)?;
        let not_running = |status| Error::ExecNotRunning { id: id.to_owned(), status };
        let init = match container.pidfd() {
            Err(Errno::ESRCH) => return Err(not_running(container.status()?)),
            opened => opened.map_err(|errno| Error::of_init(&container, errno))?,
        };
        match container.status_alive()? {
            Status::Running => {}
            Status::Paused if ignore_paused => {}
            Status::Paused => return Err(Error::Paused(id.to_owned())),
            status => return Err(not_running(status)),
        }
        let spec = container.config()?;
        Ok(Target { container, init, spec })
    }

    /// The policy of the container's process, by annotations too.
    pub fn scheduler(&self) -> Option<&Scheduler> {
        self.container.state.scheduler.as_ref()
    }

    /// The process of the container's own configuration.
    pub fn process(&self) -> Option<&Process> {
        self.spec.process.as_ref()
    }
}

/// Runs a process in a container; its exit code, 128 + signal, or 0 when detached.
///
/// # Errors
/// What the launch of a process can fail with.
pub fn exec(
    target: Target,
    mut process: Process,
    options: &ExecOptions,
    warn: &mut dyn FnMut(String),
) -> Result<i32, Error> {
    if process.capabilities.is_none() {
        process.capabilities = target.process().and_then(|own| own.capabilities.clone());
    }
    spec::validate::validate_process(&process)?;
    let mut supervisor = if options.detach { None } else { Some(Supervisor::new()?) };
    let (master_end, console) = console_ends(options, &process)?;
    let joining = plan(target, &process, options, console, warn)?;
    let (pid, pidfd) = launch(joining, &process, options)?;
    if let (Some(supervisor), Some(socket)) = (&mut supervisor, &master_end) {
        supervisor.attach(receive_master(socket)?)?;
    }
    match &mut supervisor {
        Some(supervisor) => supervisor.wait(pid, &pidfd),
        None => Ok(0),
    }
}

fn console_ends(options: &ExecOptions, process: &Process) -> Result<(Option<OwnedFd>, Option<OwnedFd>), Error> {
    match &options.console_socket {
        _ if !process.terminal => Ok((None, None)),
        Some(path) => Ok((None, Some(console::connect_socket(path)?))),
        None if options.detach => Err(Error::NoConsoleSocket),
        None => {
            let pair = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC);
            let (ours, theirs) = pair.map_err(Error::Supervise)?;
            Ok((Some(ours), Some(theirs)))
        }
    }
}

fn plan(
    Target { container, init, spec }: Target,
    process: &Process,
    options: &ExecOptions,
    console: Option<OwnedFd>,
    warn: &mut dyn FnMut(String),
) -> Result<Joining, Error> {
    let pid = container.init().ok_or_else(|| Error::NotRunning(container.id().to_owned()))?;
    let mut flags = CloneFlags::empty();
    for namespace in &spec.linux.namespaces {
        // setns(2) to the user namespace that one is in already is EINVAL; to the others it does nothing.
        if namespace.kind != NamespaceType::User || !shares_user_namespace(pid) {
            flags |= namespaces::flag(namespace.kind);
        }
    }
    let root = if flags.contains(CloneFlags::CLONE_NEWNS) {
        None
    } else {
        let path = format!("/proc/{pid}/root");
        let opened = open(path.as_str(), OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty());
        Some(opened.map_err(|errno| Error::Namespace { path, errno })?)
    };
    let entry = container.cgroup().map(|cgroup| cgroup.entry_at(&options.cgroup)).transpose()?;
    Ok(Joining {
        id: container.id().to_owned(),
        process: ProcessPlan::plan(process, &spec.linux, options.preserve_fds, warn)?,
        init,
        namespaces: flags,
        user: flags.contains(CloneFlags::CLONE_NEWUSER),
        root,
        entry,
        scope: container.cgroup().filter(|cgroup| cgroup.needs_init_first()).cloned(),
        terminal: console.map(|socket| (socket, process.console_size)),
    })
}

fn shares_user_namespace(pid: Pid) -> bool {
    let inode = |path: &str| nix::sys::stat::stat(path).map(|stat| (stat.st_dev, stat.st_ino));
    inode("/proc/self/ns/user").is_ok_and(|own| inode(&format!("/proc/{pid}/ns/user")) == Ok(own))
}

fn launch(mut joining: Joining, process: &Process, options: &ExecOptions) -> Result<(Pid, OwnedFd), Error> {
    let (ours, theirs) = Channel::pair().map_err(Error::Channel)?;
    let failed = |errno| Error::Namespace { path: "the container's PID namespace".to_owned(), errno };
    // An ordinary user has rights over the PID namespace only inside the user namespace that owns it.
    let mut first = CloneFlags::CLONE_NEWPID;
    if !nix::unistd::geteuid().is_root() {
        first |= CloneFlags::CLONE_NEWUSER;
    }
    first &= joining.namespaces;
    if !first.is_empty() {
        setns(&joining.init, first).map_err(failed)?;
        joining.namespaces -= first;
    }
    if let Some(list) = process.exec_cpu_affinity.as_ref().and_then(|affinity| affinity.initial.as_deref()) {
        sched::set_affinity(Pid::from_raw(0), &CpuSet::parse(list).map_err(sched::Error::from)?)?;
    }
    let into = joining.entry.as_ref().and_then(|entry| entry.into.as_ref()).map(AsFd::as_fd);
    // SAFETY: rtrun starts no threads.
    let mut forked = unsafe { fork_into(0, into) };
    let not_ours = forked.as_ref().is_err_and(|&errno| errno == Errno::EACCES);
    let scope = joining.scope.take().filter(|_| not_ours);
    if scope.is_some() {
        // SAFETY: as above.
        forked = unsafe { fork_into(0, None) };
    }
    match forked.map_err(|errno| Error::Clone { flags: 0, errno })? {
        Forked::Child => {
            drop(ours);
            let Err(error) = become_member(joining, &theirs);
            // The parent may be gone; then there is nobody left to tell.
            let _ = theirs.send(Signal::Failed, error.to_string().as_bytes(), &[]);
            // SAFETY: ends this child at once; nothing of the parent's may run its destructors here.
            unsafe { libc::_exit(1) }
        }
        Forked::Parent { pid, pidfd } => {
            drop(theirs);
            let moved = scope.map_or(Ok(()), |scope| scope.attach(&options.cgroup, pid).map_err(Error::from));
            moved
                .and_then(|()| attend(&joining, process, options, &ours, pid))
                .inspect_err(|_| reap(pid, &pidfd))
                .map(|()| (pid, pidfd))
        }
    }
}

/// The parent's part: what only the host may do to the new process, once it is inside.
fn attend(
    joining: &Joining,
    process: &Process,
    options: &ExecOptions,
    channel: &Channel,
    pid: Pid,
) -> Result<(), Error> {
    if let Some(score) = process.oom_score_adj {
        std::fs::write(format!("/proc/{pid}/oom_score_adj"), score.to_string())
            .map_err(|error| Error::OomScore { score, errno: sys::errno(error) })?;
    }
    wait_for(channel, Signal::Ready)?;
    joining.process.rlimits.apply(pid).map_err(process::Error::from)?;
    if let Some(list) = process.exec_cpu_affinity.as_ref().and_then(|affinity| affinity.last.as_deref()) {
        sched::set_affinity(pid, &CpuSet::parse(list).map_err(sched::Error::from)?)?;
    }
    if let Some(priority) = &process.io_priority {
        sched::set_io_priority(priority, pid)?;
    }
    if let Some(scheduler) = &process.scheduler {
        set_scheduler(scheduler, pid)?;
    }
    if let Some(path) = &options.pid_file {
        write_pid_file(path, pid)?;
    }
    if let Some(path) = &options.pidfd_socket {
        let pidfd = crate::sys::pidfd::open(pid).map_err(Error::Channel)?;
        super::send_pidfd(path, &pidfd)?;
    }
    let ignored = process_stat(pid).map_err(|errno| Error::Init { id: joining.id.clone(), errno })?.ignored;
    send(channel, Signal::Recorded, &Recorded { pid: pid.as_raw(), ignored }.to_bytes())?;
    wait_for_execve(channel)
}

/// The child, from the clone to the user's program: cgroups and host files first, while the host is still in sight.
fn become_member(mut joining: Joining, channel: &Channel) -> Result<Infallible, Error> {
    if let Some(entry) = &joining.entry {
        entry.join().map_err(|(index, errno)| Error::JoinCgroup { index, errno })?;
    }
    joining.process.open_host_files()?;
    if !joining.namespaces.is_empty() {
        setns(&joining.init, joining.namespaces)
            .map_err(|errno| Error::Namespace { path: "the container's namespaces".to_owned(), errno })?;
    }
    if let Some(root) = &joining.root {
        nix::unistd::fchdir(root).and_then(|()| nix::unistd::chroot(".")).map_err(Error::Chroot)?;
    }
    if joining.user {
        let (uid, gid) = (Uid::from_raw(0), Gid::from_raw(0));
        // Where 0 is not mapped the overflow ID stays, with all capabilities.
        let _ = nix::unistd::setresgid(gid, gid, gid).and_then(|()| nix::unistd::setresuid(uid, uid, uid));
    }
    nix::unistd::setsid().map_err(Error::Session)?;
    if let Some((socket, size)) = joining.terminal.take() {
        let root = open(Path::new("/"), OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(Error::Chroot)?;
        console::open_pty(root.as_fd(), size)?.attach(&socket)?;
    }
    joining.process.enter_cwd()?;
    joining.process.complete_environment();
    let executable = joining.process.find_executable()?;
    channel.send(Signal::Ready, &[], &[]).map_err(Error::Channel)?;
    joining.process.ignored = channel.expect_recorded().map_err(Error::Channel)?.ignored;
    Ok(joining.process.become_process(&executable, None)?)
}
