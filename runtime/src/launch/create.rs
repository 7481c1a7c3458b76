//! `create`, the parent's side: plan whole, clone, make the cgroups while the child makes its mounts, record.

use super::init::{self, InitPlan};
use super::namespaces::{Joined, Namespaces};
use super::process::ProcessPlan;
use super::realtime;
use super::sync::{Channel, Message, Recorded, Signal};
use super::{CreateOptions, Error, console, hooks, userns};
use crate::cgroup::Cgroup;
use crate::device::net;
use crate::host::Host;
use crate::plan::Plan;
use crate::rdt;
use crate::rootfs::{self, Rootfs};
use crate::spec::{self, Hooks, Spec, validate};
use crate::state::{Container, Init, ProcessStat, State, Status, Store, boot, process_stat};
use crate::sys::clone::{Forked, fork_into};
use crate::sys::{self, pidfd, self_exe};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, bind, listen, socket};
use nix::sys::stat::{Mode, fchmod};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// A container whose init is parked.
#[derive(Debug)]
pub(crate) struct Created {
    pub(crate) container: Container,
    pub(crate) pid: Pid,
    pub(crate) pidfd: OwnedFd,
}

/// Makes the container, up to the parked init; on failure everything made is undone.
pub(crate) fn create(
    store: &Store,
    options: &CreateOptions,
    console: Option<OwnedFd>,
    warn: &mut dyn FnMut(String),
) -> Result<Created, Error> {
    validate::id(&options.id)?;
    let bundle = absolute(&options.bundle)?;
    let config = options.config.clone().unwrap_or_else(|| bundle.join("config.json"));
    let text = spec::read(&config)?;
    let mut spec = spec::parse(&text, &config.display().to_string())?;
    validate::validate(&spec, &bundle)?.into_iter().for_each(&mut *warn);
    let cgroup = Cgroup::plan(&spec, &options.id, options.manager, options.rootless)?;
    let realtime = Plan::for_container(&mut spec, &cgroup, &Host::default()).map_err(Box::new)?;
    realtime.iter().flat_map(|plan| &plan.warnings).for_each(|warning| warn(warning.clone()));
    let process = spec.process.clone().unwrap_or_default();

    let namespaces = Namespaces::plan(&spec.linux)?;
    if !namespaces.new_pid() {
        self_exe::ensure_unwritable()?;
    }
    let in_user_namespace = namespaces.new_user() || namespaces.user.is_some();
    let rootfs = Rootfs::plan(&rootfs::Context {
        spec: &spec,
        bundle: &bundle,
        no_pivot: options.no_pivot,
        new_userns: in_user_namespace,
        userns_fd: namespaces.user.as_ref().map(AsFd::as_fd),
    })?;
    let process_plan = ProcessPlan::plan(&process, &spec.linux, options.preserve_fds, warn)?;
    let console = match (console, &options.console_socket) {
        (Some(console), _) => Some(console),
        (None, Some(_)) if !process.terminal => return Err(Error::UnusedConsoleSocket),
        (None, Some(path)) => Some(console::connect_socket(path)?),
        (None, None) if process.terminal => return Err(Error::NoConsoleSocket),
        (None, None) => None,
    };

    let rdt = spec.linux.intel_rdt.as_ref().map(|rdt| rdt::Group::plan(rdt, &options.id)).transpose()?;

    let cover = rootfs.cover().cloned();
    let mut state = State { rdt, cover, ..initial_state(&spec, &bundle, options, &cgroup) };
    if let Some(plan) = &realtime {
        state.scheduler.clone_from(&plan.profile.scheduler);
        state.realtime = Some(Box::new(plan.realtime()));
    }
    let mut container = store.create(state)?;
    let prepared = prepare(&container, &text).and_then(|start_socket| {
        // As hooks see it: `created` begins with step 2 of the lifecycle, the hooks of create are its step 3 and later.
        let state = container.oci_state_as(Status::Created);
        let plan = InitPlan {
            spec,
            namespaces,
            rootfs,
            process: process_plan,
            cgroup: cgroup.clone(),
            entry: None,
            console,
            realtime,
            start_socket,
            state,
        };
        launch(&mut container, plan, options, warn)
    });
    match prepared {
        Ok((pid, pidfd)) => Ok(Created { container, pid, pidfd }),
        Err(error) => {
            undo(&container, &cgroup, warn);
            Err(error)
        }
    }
}

/// state.json, config.json and the socket on which the init will wait for `start`.
fn prepare(container: &Container, config: &[u8]) -> Result<OwnedFd, Error> {
    container.save()?;
    container.save_config(config)?;
    let failed = |step| move |errno| Error::StartSocket { step, errno };
    let (_directory, address) = container.start_socket_address().map_err(failed("opening its directory"))?;
    let listener =
        socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).map_err(failed("making it"))?;
    // Before bind(2), whose file takes the socket's mode: a caller's umask may be 0.
    fchmod(&listener, Mode::S_IRUSR | Mode::S_IWUSR).map_err(failed("its mode"))?;
    bind(listener.as_raw_fd(), &address).map_err(failed("binding it"))?;
    listen(&listener, Backlog::new(8).unwrap_or(Backlog::MAXCONN)).map_err(failed("listening"))?;
    Ok(listener)
}

/// Clones the init, does the host's part beside it, and records it.
fn launch(
    container: &mut Container,
    mut plan: InitPlan,
    options: &CreateOptions,
    warn: &mut dyn FnMut(String),
) -> Result<(Pid, OwnedFd), Error> {
    let resources = plan.spec.linux.resources.clone();
    // The child is born in its v2 cgroup, which costs a twentieth of a write to cgroup.procs.
    if !plan.cgroup.needs_init_first() {
        plan.entry = Some(plan.cgroup.create(resources.as_ref(), None)?);
    }
    let (ours, theirs) = Channel::pair().map_err(Error::Channel)?;
    let forked = match (&plan.namespaces.user, &plan.namespaces.pid) {
        (None, None) => clone_init(plan.namespaces.clone_flags(), &plan)?,
        (None, Some(pid)) => clone_into_pid(pid, &plan)?,
        (Some(_), _) => return joined_user(container, plan, (ours, theirs), options, warn),
    };
    match forked {
        Forked::Child => {
            container.leave_lock();
            drop(ours);
            std::mem::forget(init::main(plan, theirs));
            // SAFETY: ends this child at once; nothing of the parent's may run its destructors here.
            unsafe { libc::_exit(1) }
        }
        Forked::Parent { pid, pidfd } => {
            drop(theirs);
            attend(container, &plan, &ours, (pid, &pidfd), options, warn)
                .inspect_err(|_| reap(pid, &pidfd))
                .map(|()| (pid, pidfd))
        }
    }
}

fn clone_init(flags: u64, plan: &InitPlan) -> Result<Forked, Error> {
    let into = plan.entry.as_ref().and_then(|entry| entry.into.as_ref()).map(AsFd::as_fd);
    // SAFETY: rtrun starts no threads.
    unsafe { fork_into(flags, into) }.map_err(|errno| Error::Clone { flags, errno })
}

/// setns(2) to a PID namespace moves later children only; we come back for the hooks' sake.
fn clone_into_pid(target: &Joined, plan: &InitPlan) -> Result<Forked, Error> {
    let own = std::fs::File::open("/proc/self/ns/pid").map_err(|error| Error::OwnPid(sys::errno(error)))?;
    target.enter()?;
    let forked = clone_init(plan.namespaces.clone_flags(), plan)?;
    if matches!(forked, Forked::Parent { .. }) {
        setns(&own, CloneFlags::CLONE_NEWPID).map_err(Error::OwnPid)?;
    }
    Ok(forked)
}

/// A joined user namespace must own the new ones, so somebody enters it first and clones the init as our child.
fn joined_user(
    container: &mut Container,
    plan: InitPlan,
    (ours, theirs): (Channel, Channel),
    options: &CreateOptions,
    warn: &mut dyn FnMut(String),
) -> Result<(Pid, OwnedFd), Error> {
    match clone_init(0, &plan)? {
        Forked::Child => {
            container.leave_lock();
            drop(ours);
            if let Err(error) = intermediate(plan, &theirs) {
                let _ = theirs.send(Signal::Failed, error.to_string().as_bytes(), &[]);
            }
            // SAFETY: ends this child at once; nothing of the parent's may run its destructors here.
            unsafe { libc::_exit(1) }
        }
        Forked::Parent { pid: intermediate, pidfd: _ } => {
            let message = wait_for(&ours, Signal::Pid);
            waitpid(intermediate, None).map_err(Error::Channel)?;
            let pid = Pid::from_raw(message?.pid());
            drop(theirs);
            let pidfd = pidfd::open(pid).map_err(Error::Channel)?;
            attend(container, &plan, &ours, (pid, &pidfd), options, warn)
                .inspect_err(|_| reap(pid, &pidfd))
                .map(|()| (pid, pidfd))
        }
    }
}

fn intermediate(plan: InitPlan, channel: &Channel) -> Result<(), Error> {
    // The PID namespace first: it may belong to ours, and entering it needs rights over it.
    for joined in plan.namespaces.pid.iter().chain(&plan.namespaces.user) {
        joined.enter()?;
    }
    match clone_init(plan.namespaces.clone_flags() | libc::CLONE_PARENT as u64, &plan)? {
        Forked::Child => {
            std::mem::forget(init::main(plan, channel.duplicate().map_err(Error::Channel)?));
            // SAFETY: ends this child at once; nothing of the parent's may run its destructors here.
            unsafe { libc::_exit(1) }
        }
        Forked::Parent { pid, .. } => {
            channel.send(Signal::Pid, &pid.as_raw().to_ne_bytes(), &[]).map_err(Error::Channel)
        }
    }
}

/// The host's part of the launch, in the order in which the child waits for it.
fn attend(
    container: &mut Container,
    plan: &InitPlan,
    channel: &Channel,
    (pid, pidfd): (Pid, &OwnedFd),
    options: &CreateOptions,
    warn: &mut dyn FnMut(String),
) -> Result<(), Error> {
    let spec = &plan.spec;
    if plan.namespaces.new_user() {
        userns::write_maps(pid, &spec.linux)?;
        send(channel, Signal::Mapped, &[])?;
    }
    if let Some(score) = spec.process.as_ref().and_then(|process| process.oom_score_adj) {
        std::fs::write(format!("/proc/{pid}/oom_score_adj"), score.to_string())
            .map_err(|error| Error::OomScore { score, errno: sys::errno(error) })?;
    }
    if plan.entry.is_none() {
        let entry = plan.cgroup.create(spec.linux.resources.as_ref(), Some(pid))?;
        let fds: Vec<_> = entry.tasks.iter().map(AsRawFd::as_raw_fd).collect();
        channel.send(Signal::Cgroups, &[], &fds).map_err(Error::Channel)?;
    }
    if let Some(group) = &container.state.rdt {
        group.create()?;
        group.add(pid)?;
    }
    if let Some(realtime) = &plan.realtime {
        engage(container, realtime, &plan.cgroup, channel, pid, warn)?;
    }
    if plan.wants_host_step() {
        wait_for(channel, Signal::Hooks)?;
        host_step(plan, pid)?;
        send(channel, Signal::Continue, &pid.as_raw().to_ne_bytes())?;
    }
    wait_for(channel, Signal::Ready)?;
    plan.process.rlimits.apply(pid).map_err(super::process::Error::from)?;
    let stat = process_stat(pid).map_err(|errno| Error::Init { id: options.id.clone(), errno })?;
    container.state.init = Some(known(&options.id, pid, &stat)?);
    container.save()?;
    if let Some(path) = &options.pid_file {
        write_pid_file(path, pid)?;
    }
    if let Some(path) = &options.pidfd_socket {
        super::send_pidfd(path, pidfd)?;
    }
    send(channel, Signal::Recorded, &Recorded { pid: pid.as_raw(), ignored: stat.ignored }.to_bytes())
}

/// The init as later commands tell it from others.
fn known(id: &str, pid: Pid, stat: &ProcessStat) -> Result<Init, Error> {
    let boot = boot().map_err(|errno| Error::Init { id: id.to_owned(), errno })?;
    Ok(Init { pid: pid.as_raw(), start_time: stat.start_time, boot })
}

/// The ledger and the partition, beside the child's mounts.
fn engage(
    container: &mut Container,
    plan: &Plan,
    cgroup: &Cgroup,
    channel: &Channel,
    pid: Pid,
    warn: &mut dyn FnMut(String),
) -> Result<(), Error> {
    let stat = process_stat(pid).map_err(|errno| Error::Init { id: container.id().to_owned(), errno })?;
    let init = known(container.id(), pid, &stat)?;
    match realtime::engage(container, plan, cgroup, init, warn) {
        // It has ended: what it said last is the better error.
        Err(error @ Error::Ledger(_)) if process_stat(pid).is_ok_and(|stat| stat.state == b'Z') => {
            wait_for(channel, Signal::Ready).and(Err(error))
        }
        other => other,
    }
}

fn host_step(plan: &InitPlan, pid: Pid) -> Result<(), Error> {
    if !plan.spec.linux.net_devices.is_empty() {
        let path = format!("/proc/{pid}/ns/net");
        let namespace =
            std::fs::File::open(&path).map_err(|error| Error::Namespace { path, errno: sys::errno(error) })?;
        net::move_devices(&plan.spec.linux.net_devices, namespace.as_fd())?;
    }
    let Some(hooks) = &plan.spec.hooks else { return Ok(()) };
    let mut state = plan.state.clone();
    state.pid = pid.as_raw();
    hooks::run("prestart", &hooks.prestart, &state, None)?;
    Ok(hooks::run("createRuntime", &hooks.create_runtime, &state, None)?)
}

const DIED: &str = "killed before it could say why; see the kernel log (OOM?)";

/// The child's next message; its failure is ours.
pub(crate) fn wait_for(channel: &Channel, wanted: Signal) -> Result<Message, Error> {
    match channel.receive() {
        Ok(Some(message)) if message.signal == wanted => Ok(message),
        Ok(Some(message)) if message.signal == Signal::Failed => Err(Error::Child(message.text())),
        Ok(Some(_)) => Err(Error::Channel(Errno::EPROTO)),
        Ok(None) | Err(Errno::ECONNRESET) => Err(Error::Died { status: DIED.to_owned() }),
        Err(errno) => Err(Error::Channel(errno)),
    }
}

/// execve closes the child's end: the end of the stream is the success. A child that ends instead says why, or leaves
/// unread what it was sent, which the kernel tells as ECONNRESET.
pub(crate) fn wait_for_execve(channel: &Channel) -> Result<(), Error> {
    match channel.receive() {
        Ok(None) => Ok(()),
        Ok(Some(message)) => Err(Error::Child(message.text())),
        Err(Errno::ECONNRESET) => Err(Error::Died { status: DIED.to_owned() }),
        Err(errno) => Err(Error::Channel(errno)),
    }
}

/// Sends to the child; where it is gone, what it said last is the better error.
pub(crate) fn send(channel: &Channel, signal: Signal, payload: &[u8]) -> Result<(), Error> {
    match channel.send(signal, payload, &[]) {
        Err(Errno::EPIPE | Errno::ECONNRESET) => wait_for(channel, signal).map(drop),
        other => other.map_err(Error::Channel),
    }
}

/// Kills and reaps a child that failed to come up.
pub(crate) fn reap(pid: Pid, pidfd: &OwnedFd) {
    let _ = pidfd::signal(pidfd, Some(nix::sys::signal::Signal::SIGKILL));
    let _ = waitpid(pid, None);
}

/// Newest first; each step is tried whatever the others gave, and the first error is the caller's already. Then the
/// poststop hooks: those of create may have made what they undo (runtime.md, Lifecycle, steps 3 to 5).
fn undo(container: &Container, cgroup: &Cgroup, warn: &mut dyn FnMut(String)) {
    let _ = cgroup.kill(nix::sys::signal::Signal::SIGKILL);
    let _ = realtime::release(container);
    let _ = container.state.cover.as_ref().map(rootfs::Cover::remove);
    let _ = cgroup.remove();
    if let Some(group) = &container.state.rdt {
        let _ = group.remove();
    }
    realtime::dissolve(container);
    let _ = container.remove();
    super::delete::run_poststop(container, warn);
}

fn initial_state(spec: &Spec, bundle: &Path, options: &CreateOptions, cgroup: &Cgroup) -> State {
    let process = spec.process.clone().unwrap_or_default();
    let root = spec.root.as_ref().map(|root| root.path.as_path()).unwrap_or(Path::new(""));
    State {
        oci_version: spec.oci_version.clone(),
        id: options.id.clone(),
        bundle: bundle.to_path_buf(),
        rootfs: bundle.join(root),
        created: crate::time::now(),
        owner: nix::unistd::geteuid().as_raw(),
        annotations: spec.annotations.clone(),
        init: None,
        cgroup: Some(cgroup.clone()),
        hooks: spec.hooks.as_ref().map(|hooks| Hooks {
            poststart: hooks.poststart.clone(),
            poststop: hooks.poststop.clone(),
            ..Hooks::default()
        }),
        scheduler: process.scheduler,
        io_priority: process.io_priority,
        ..State::default()
    }
}

/// As runc: no link is followed, so the state shows the path that the caller gave.
fn absolute(bundle: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(bundle).map_err(|error| Error::Bundle { path: bundle.to_path_buf(), errno: sys::errno(error) })
}

/// Written beside and renamed: a watcher never reads half a number.
pub(crate) fn write_pid_file(path: &Path, pid: Pid) -> Result<(), Error> {
    let failed = |error| Error::PidFile { path: path.to_path_buf(), errno: sys::errno(error) };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    std::fs::write(&temporary, pid.to_string()).map_err(failed)?;
    std::fs::rename(&temporary, path).map_err(failed)
}
