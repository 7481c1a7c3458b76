//! The floor: what the kernel alone asks for a container's life, with nothing read, parsed or checked.
//!
//! It does the kernel work of `runc spec`'s bundle (five namespaces, its mounts, devices, masks, cgroups, device rules,
//! capabilities, pivot_root, execve) on paths that its caller hands to it ready-made. Two ways:
//!
//! * `one DIR HIERARCHY…`: the whole life in one process; returns when the container's process has ended.
//! * `create DIR HIERARCHY…`, `start DIR`, `delete DIR HIERARCHY…`: three process starts, as an OCI caller asks for.
//!
//! `DIR` holds `rootfs/` and takes the floor's own state; a `HIERARCHY` is the directory of the container's cgroup to be
//! made in one cgroup hierarchy, and its parents exist.

mod cgroup;
mod init;
mod rootfs;
mod sys;

use std::ffi::CString;
use std::path::{Path, PathBuf};

use sys::{Failure, Result, check};

/// What a container of the floor is made from.
struct Container {
    /// Where `rootfs/` is and the state goes.
    dir: PathBuf,
    /// The container's cgroup directory in every hierarchy.
    cgroups: Vec<PathBuf>,
}

impl Container {
    fn fifo(&self) -> PathBuf {
        self.dir.join("exec.fifo")
    }
    fn state(&self) -> PathBuf {
        self.dir.join("state.json")
    }
    fn pid_file(&self) -> PathBuf {
        self.dir.join("pid")
    }
}

fn main() {
    if let Err(failure) = run() {
        eprintln!("rtrun-bench-floor: {failure}");
        std::process::exit(1);
    }
}

fn run() -> Result<()> {
    let mut args = std::env::args_os().skip(1);
    let command = args.next().unwrap_or_default();
    let dir = args.next().map(PathBuf::from).ok_or(Failure::Usage)?;
    let container = Container { dir, cgroups: args.map(PathBuf::from).collect() };
    match command.to_str() {
        Some("one") => {
            let pid = launch(&container, false)?;
            sys::wait_end(pid)?;
            cgroup::remove(&container.cgroups)
        }
        Some("create") => create(&container),
        Some("start") => start(&container),
        Some("delete") => delete(&container),
        _ => Err(Failure::Usage),
    }
}

/// Makes the cgroups and the init, returns the init's pid once it has been cloned.
fn launch(container: &Container, park: bool) -> Result<libc::pid_t> {
    let rootfs = sys::path(&container.dir.join("rootfs"))?;
    let fifo = sys::path(&container.fifo())?;
    let entry = cgroup::create(&container.cgroups)?;
    let plan = init::Plan::new(rootfs, &container.cgroups, park.then_some(fifo))?;
    let flags = libc::CLONE_NEWPID | libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWNS;
    let pid = sys::clone3(flags as u64, entry.unified.as_ref())?;
    if pid == 0 {
        init::run(&plan, &entry.tasks);
    }
    Ok(pid)
}

/// As an OCI `create`: the init is parked before its execve, its pid and a state file of usual size are written.
fn create(container: &Container) -> Result<()> {
    let fifo = sys::path(&container.fifo())?;
    // SAFETY: the path is a NUL-terminated string that lives across the call.
    check("mkfifo", unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) })?;
    let (ready, signal) = sys::pipe_cloexec()?;
    let pid = launch(container, true)?;
    drop(signal);
    // The init's copy of the write end closes when it is parked and ready: it is closed by hand just before the wait.
    sys::read_to_end(&ready)?;
    write(&container.pid_file(), pid.to_string().as_bytes())?;
    write(&container.state(), &[b' '; 1024])
}

/// As an OCI `start`: lets the parked init go on.
fn start(container: &Container) -> Result<()> {
    let fifo = std::fs::File::open(container.fifo()).map_err(|e| Failure::File("open", container.fifo(), e))?;
    std::fs::read(container.state()).map_err(|e| Failure::File("read", container.state(), e))?;
    sys::read_to_end(&fifo)
}

/// As an OCI `delete` of a container whose process has ended.
fn delete(container: &Container) -> Result<()> {
    std::fs::read(container.state()).map_err(|e| Failure::File("read", container.state(), e))?;
    cgroup::remove(&container.cgroups)?;
    for path in [container.fifo(), container.state(), container.pid_file()] {
        std::fs::remove_file(&path).map_err(|e| Failure::File("unlink", path, e))?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|e| Failure::File("write", path.into(), e))
}

/// A C string from text that is known to hold no NUL.
fn text(s: &str) -> Result<CString> {
    CString::new(s).map_err(|_| Failure::Usage)
}
