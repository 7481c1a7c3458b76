//! The container's init, from the clone to the user's program: each function reads as the kernel steps it performs.

use super::namespaces::{self, Namespaces};
use super::process::{self, ProcessPlan};
use super::sync::{Channel, Message, Signal};
use super::{console, hooks};
use crate::cgroup::{Cgroup, Entry};
use crate::plan::Plan;
use crate::rootfs::{self, CgroupMount, CgroupView, Root, Rootfs};
use crate::spec::{Hooks, Spec};
use crate::state::{OciState, Status};
use nix::errno::Errno;
use nix::sys::socket::{Shutdown, accept4, shutdown};
use nix::unistd::{Gid, Uid};
use std::convert::Infallible;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// How long an init that can't accept a call waits before it tries again.
const ACCEPT_AGAIN: std::time::Duration = std::time::Duration::from_millis(1);
const ACCEPT_TRIES: u32 = 1000;

/// Why the init can't come up.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each text says its variant")]
pub enum Error {
    #[error("talking with rtrun: {0}")]
    Channel(Errno),
    #[error(transparent)]
    Namespaces(#[from] namespaces::Error),
    #[error(
        "becoming root in the user namespace: {0}; linux.uidMappings and gidMappings must map container ID 0 or process.user"
    )]
    UserNamespace(Errno),
    #[error("bringing the loopback device up: {0}")]
    Loopback(Errno),
    #[error("{field} {name:?}: {errno}")]
    Name { field: &'static str, name: String, errno: Errno },
    #[error(transparent)]
    Rootfs(#[from] rootfs::Error),
    #[error("joining cgroup hierarchy {index}: {errno}")]
    JoinCgroup { index: usize, errno: Errno },
    #[error("linux.sysctl.{name}={value}: {error}")]
    Sysctl { name: String, value: String, error: std::io::Error },
    #[error(transparent)]
    Hooks(#[from] hooks::Error),
    #[error(transparent)]
    Console(#[from] console::Error),
    #[error("setsid: {0}")]
    Session(Errno),
    #[error("process: config.json has none to start; create the container with one")]
    NoProcess,
    #[error(transparent)]
    Process(#[from] process::Error),
}

/// Everything that the init needs, made by the parent before the clone.
#[derive(Debug)]
pub(crate) struct InitPlan {
    pub(crate) spec: Spec,
    pub(crate) namespaces: Namespaces,
    pub(crate) rootfs: Rootfs,
    pub(crate) process: ProcessPlan,
    pub(crate) cgroup: Cgroup,
    /// Made before the clone, unless the manager wants a pid.
    pub(crate) entry: Option<Entry>,
    pub(crate) console: Option<OwnedFd>,
    /// For a container that asks for real-time treatment.
    pub(crate) realtime: Option<Plan>,
    pub(crate) start_socket: OwnedFd,
    /// As hooks get it; pid and status are filled in.
    pub(crate) state: OciState,
}

impl InitPlan {
    /// Whether the child has a user namespace of its own, new or joined.
    pub(crate) fn in_user_namespace(&self) -> bool {
        self.namespaces.new_user() || self.namespaces.user.is_some()
    }

    /// Whether something is to be done on the host between the mounts and pivot_root.
    pub(crate) fn wants_host_step(&self) -> bool {
        let hooks = self.spec.hooks.as_ref();
        !self.spec.linux.net_devices.is_empty()
            || hooks.is_some_and(|hooks| {
                !(hooks.prestart.is_empty() && hooks.create_runtime.is_empty() && hooks.create_container.is_empty())
            })
    }

    fn hooks(&self) -> Hooks {
        self.spec.hooks.clone().unwrap_or_default()
    }
}

/// The child's whole life before the user's program. Returns only with a failure, already told to the parent.
pub(crate) fn main(mut plan: InitPlan, channel: Channel) -> Error {
    let recorded = build(&mut plan, &channel).and_then(|()| channel.expect_recorded().map_err(Error::Channel));
    match recorded {
        Ok(recorded) => {
            (plan.state.pid, plan.state.status) = (recorded.pid, Status::Created);
            plan.process.ignored = recorded.ignored;
            drop(channel);
            park(&mut plan)
        }
        Err(error) => {
            // The parent may be gone; then there is nobody left to tell.
            let _ = channel.send(Signal::Failed, error.to_string().as_bytes(), &[]);
            error
        }
    }
}

/// From the clone to the parked init.
fn build(plan: &mut InitPlan, channel: &Channel) -> Result<(), Error> {
    if plan.namespaces.new_user() {
        channel.expect(Signal::Mapped).map_err(Error::Channel)?;
    }
    plan.namespaces.enter_time()?;
    if plan.in_user_namespace() {
        become_root().map_err(Error::UserNamespace)?;
    }
    plan.namespaces.enter()?;
    name_host(&plan.spec)?;
    if plan.namespaces.new_network() {
        loopback_up().map_err(Error::Loopback)?;
    }
    let root = plan.rootfs.enter()?;
    let mut joined = false;
    plan.rootfs.mount_all(&root, &mut || {
        joined = true;
        join_cgroups(plan, channel).map_err(|error| error.to_string())?;
        Ok(view(&plan.cgroup, plan.namespaces.new_cgroup()))
    })?;
    if !joined {
        join_cgroups(plan, channel)?;
    }
    plan.rootfs.make_devices(&root)?;
    let terminal = open_terminal(plan, &root)?;
    if plan.wants_host_step() {
        host_step(plan, channel)?;
    }
    write_sysctls(&plan.spec)?;
    plan.process.open_host_files()?;
    plan.rootfs.pivot(root)?;
    plan.rootfs.seal()?;
    nix::unistd::setsid().map_err(Error::Session)?;
    // Taken, not lent: a parked init that kept the connection would leave its receiver waiting for the end.
    if let (Some(terminal), Some(socket)) = (terminal, plan.console.take()) {
        terminal.attach(&socket)?;
    }
    // Without a process there is nothing to prepare, and nothing wrong yet: `start` alone needs one.
    if plan.spec.process.is_some() {
        plan.process.enter_cwd()?;
        plan.process.complete_environment();
        plan.process.find_executable()?;
    }
    channel.send(Signal::Ready, &[], &[]).map_err(Error::Channel)
}

/// Waits for a `start` with a process to become, runs the startContainer hooks, and becomes it.
fn park(plan: &mut InitPlan) -> Error {
    loop {
        let connection = match accept_start(&plan.start_socket) {
            Ok(connection) => Channel::from_socket(connection),
            Err(errno) => return Error::Channel(errno),
        };
        // `state` connects too, to see whether anybody listens: it sends nothing.
        match connection.receive() {
            Ok(Some(Message { signal: Signal::Hooks, .. })) if plan.spec.process.is_none() => {
                let _ = connection.send(Signal::Failed, Error::NoProcess.to_string().as_bytes(), &[]);
            }
            Ok(Some(Message { signal: Signal::Hooks | Signal::Continue, .. })) => {
                let Err(error) = start(plan, &connection);
                let _ = connection.send(Signal::Failed, error.to_string().as_bytes(), &[]);
                return error;
            }
            Ok(_) => {}
            // One call is lost, not the container.
            Err(errno) => {
                let _ = connection.send(Signal::Failed, Error::Channel(errno).to_string().as_bytes(), &[]);
            }
        }
    }
}

/// Everything after `start` has called: hooks first, so that the policy and affinity which `start` sets from outside
/// are the user's process's alone.
fn start(plan: &mut InitPlan, connection: &Channel) -> Result<Infallible, Error> {
    let hooks = plan.hooks().start_container;
    hooks::run("startContainer", &hooks, &plan.state, Some(plan.process.environment()))?;
    if plan.realtime.as_ref().is_some_and(|plan| plan.profile.prefault) {
        plan.process.read_ahead(&plan.process.find_executable()?);
    }
    connection.send(Signal::Ready, &[], &[]).map_err(Error::Channel)?;
    connection.expect(Signal::Continue).map_err(Error::Channel)?;
    let executable = plan.process.find_executable()?;
    // execve(2) closes this listener after the connection: who sees the one's end must not find the other open still.
    let _ = shutdown(plan.start_socket.as_raw_fd(), Shutdown::Both);
    let state = plan.process.notifies().then_some(&plan.state);
    Ok(plan.process.become_process(&executable, state)?)
}

fn accept_start(listener: &OwnedFd) -> Result<OwnedFd, Errno> {
    let mut tries = 0;
    loop {
        match accept4(listener.as_raw_fd(), nix::sys::socket::SockFlag::SOCK_CLOEXEC) {
            Err(Errno::EINTR | Errno::ECONNABORTED) => {}
            // A want of these passes, and the caller waits meanwhile.
            Err(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS) if tries < ACCEPT_TRIES => {
                tries += 1;
                std::thread::sleep(ACCEPT_AGAIN);
            }
            // SAFETY: the kernel made this descriptor for us, and nobody else has it.
            other => return other.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }),
        }
    }
}

/// IDs 0 inside. Where 0 is not mapped the kernel's overflow ID stays, with all capabilities.
fn become_root() -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(0), Gid::from_raw(0));
    match nix::unistd::setresgid(gid, gid, gid).and_then(|()| nix::unistd::setresuid(uid, uid, uid)) {
        Err(Errno::EINVAL) => Ok(()),
        other => other,
    }
}

fn name_host(spec: &Spec) -> Result<(), Error> {
    if let Some(name) = spec.hostname.as_deref().filter(|name| !name.is_empty()) {
        nix::unistd::sethostname(name).map_err(|errno| Error::Name {
            field: "hostname",
            name: name.to_owned(),
            errno,
        })?;
    }
    if let Some(name) = spec.domainname.as_deref().filter(|name| !name.is_empty()) {
        // SAFETY: the pointer and length are those of a live string.
        let set = unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) };
        Errno::result(set).map_err(|errno| Error::Name { field: "domainname", name: name.to_owned(), errno })?;
    }
    Ok(())
}

/// `netdevice(7)`: IFF_UP on `lo`, which a new network namespace has down.
fn loopback_up() -> Result<(), Errno> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: ifreq is plain data, for which zero is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_LOOPBACK) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads one ifreq.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) }).map(drop)
}

/// Enters by the descriptors that the parent made, then makes the cgroup namespace: its root is where we are.
fn join_cgroups(plan: &InitPlan, channel: &Channel) -> Result<(), Error> {
    let join = |entry: &Entry| entry.join().map_err(|(index, errno)| Error::JoinCgroup { index, errno });
    match &plan.entry {
        Some(entry) => join(entry)?,
        None => {
            let message = channel.expect(Signal::Cgroups).map_err(Error::Channel)?;
            join(&Entry { into: None, tasks: message.fds })?;
        }
    }
    Ok(plan.namespaces.enter_cgroup()?)
}

fn view(cgroup: &Cgroup, in_namespace: bool) -> CgroupView {
    let hierarchies = cgroup.visible().map(|hierarchy| CgroupMount {
        name: hierarchy.name().to_owned(),
        mountpoint: hierarchy.mountpoint().to_path_buf(),
        path: hierarchy.path().to_path_buf(),
    });
    CgroupView { unified: cgroup.is_unified(), in_namespace, hierarchies: hierarchies.collect() }
}

fn open_terminal(plan: &InitPlan, root: &Root) -> Result<Option<console::Pty>, Error> {
    let Some(process) = plan.spec.process.as_ref().filter(|process| process.terminal) else { return Ok(None) };
    let pty = console::open_pty(root.as_fd(), process.console_size)?;
    plan.rootfs.bind_console(root, pty.slave.as_fd())?;
    Ok(Some(pty))
}

/// prestart and createRuntime by the parent, createContainer here: in the container's namespaces, on the host's files.
fn host_step(plan: &InitPlan, channel: &Channel) -> Result<(), Error> {
    channel.send(Signal::Hooks, &[], &[]).map_err(Error::Channel)?;
    let message = channel.expect(Signal::Continue).map_err(Error::Channel)?;
    let state = OciState { pid: message.pid(), ..plan.state.clone() };
    Ok(hooks::run("createContainer", &plan.hooks().create_container, &state, None)?)
}

/// Through the host's /proc/sys, which shows each reader the values of its own namespaces (CVE-2025-52881: the
/// container's own /proc may be anything).
fn write_sysctls(spec: &Spec) -> Result<(), Error> {
    for (name, value) in &spec.linux.sysctl {
        // `net.ipv4.conf.eth0/1.forwarding`: a slash in the dotted form stands for a dot, as sysctl(8) has it.
        let path: String = name
            .chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect();
        std::fs::write(format!("/proc/sys/{path}"), value).map_err(|error| Error::Sysctl {
            name: name.clone(),
            value: value.clone(),
            error,
        })?;
    }
    Ok(())
}
