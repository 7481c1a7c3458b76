use super::external::{External, NETWORK, network_path};
use super::{Error, private_directory, run, usable};
use crate::cgroup::{Cgroup, Manager};
use crate::launch;
use crate::spec::{self, Spec, validate};
use crate::state::{Container, Init, State, Store, boot, process_stat};
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// What `restore` is asked.
#[derive(Clone, Debug)]
pub struct RestoreOptions {
    /// The criu binary; the one in `PATH` when absent.
    pub criu: Option<PathBuf>,
    /// The bundle's directory.
    pub bundle: PathBuf,
    /// Where the images are.
    pub images: PathBuf,
    /// Where logs and statistics go; the images' place when absent.
    pub work: Option<PathBuf>,
    /// File that gets the process's pid.
    pub pid_file: Option<PathBuf>,
    /// Return once it runs.
    pub detach: bool,
    /// Who makes cgroups.
    pub manager: Manager,
    /// Whether missing rights over cgroups are to be borne.
    pub rootless: bool,
    /// criu's cgroup mode; `soft` when absent.
    pub manage_cgroups: Option<String>,
    /// criu's own options, with their dashes.
    pub criu_options: Vec<String>,
}

/// Makes a container from a checkpoint's images; the result is 0, or in the foreground its process's exit code.
///
/// # Errors
/// [`Error`]; what was made is undone.
pub fn restore(store: &Store, id: &str, options: &RestoreOptions, warn: &mut dyn FnMut(String)) -> Result<i32, Error> {
    let criu = usable(options.criu.as_deref())?;
    validate::id(id)?;
    let file = |step, path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::File { step, path, source }
    };
    let bundle = fs::canonicalize(&options.bundle).map_err(file("finding the bundle", &options.bundle))?;
    let spec = spec::load(&bundle, None)?;
    validate::validate(&spec, &bundle)?.into_iter().for_each(&mut *warn);
    refuse_hooks(&spec)?;
    refuse_annotations(&spec)?;
    let external = External::load(&options.images)?;
    let work = options.work.as_ref().unwrap_or(&options.images);
    private_directory(work)?;
    let cgroup = Cgroup::plan(&spec, id, options.manager, options.rootless)?;
    let rootfs = bundle.join(spec.root.as_ref().map(|root| root.path.as_path()).unwrap_or(Path::new("rootfs")));

    let mut container = store.create(State {
        oci_version: spec.oci_version.clone(),
        id: id.to_owned(),
        bundle: bundle.clone(),
        rootfs: rootfs.clone(),
        created: crate::time::now(),
        owner: nix::unistd::geteuid().as_raw(),
        annotations: spec.annotations.clone(),
        cgroup: Some(cgroup.clone()),
        hooks: spec.hooks.clone(),
        ..State::default()
    })?;
    let restored = (|| {
        container.save()?;
        let config = bundle.join("config.json");
        container.save_config(&fs::read(&config).map_err(file("reading", &config))?)?;
        if !options.detach {
            // The restored process is criu's child, and ours once criu has ended.
            nix::sys::prctl::set_child_subreaper(true).map_err(Error::Wait)?;
        }
        let first = !cgroup.needs_init_first();
        if first {
            cgroup.create(spec.linux.resources.as_ref(), None)?;
        }
        let pid = resurrect(&criu, &container, &spec, &cgroup, &external, options)?;
        if !first {
            cgroup.create(spec.linux.resources.as_ref(), Some(pid))?;
        }
        let start_time = process_stat(pid).map_err(|_| Error::Gone)?.start_time;
        let boot = boot().map_err(|_| Error::Gone)?;
        container.state.init = Some(Init { pid: pid.as_raw(), start_time, boot });
        container.save()?;
        if let Some(path) = &options.pid_file {
            fs::write(path, pid.to_string()).map_err(file("writing", path))?;
        }
        Ok(pid)
    })();
    drop(container);
    let pid = match restored {
        Ok(pid) => pid,
        Err(error) => {
            // The first error is the one to tell.
            let _ = launch::delete(store, id, true, warn);
            return Err(error);
        }
    };
    if options.detach {
        return Ok(0);
    }
    let code = match waitpid(pid, None).map_err(Error::Wait)? {
        WaitStatus::Signaled(_, signal, _) => 128 + signal as i32,
        WaitStatus::Exited(_, code) => code,
        _ => 1,
    };
    launch::delete(store, id, true, warn)?;
    Ok(code)
}

/// Hooks before the process runs would have to run in the middle of criu, whose command line has no place for them.
fn refuse_hooks(spec: &Spec) -> Result<(), Error> {
    let Some(hooks) = &spec.hooks else { return Ok(()) };
    let early =
        [&hooks.prestart, &hooks.create_runtime, &hooks.create_container, &hooks.start_container, &hooks.poststart];
    if early.iter().all(|list| list.is_empty()) {
        return Ok(());
    }
    let why = "criu's command has no place where hooks other than poststop could run";
    Err(Error::Unsupported { field: "hooks", why })
}

/// Policies and CPUs are in the images; leases, interrupts and the rest of the node's settings are not.
fn refuse_annotations(spec: &Spec) -> Result<(), Error> {
    if !rtrun_hooks::annotation::Annotations::any(&spec.annotations) {
        return Ok(());
    }
    let why = "what org.rtrun annotations ask of the node is not restored: start the container anew";
    Err(Error::Unsupported { field: "annotations", why })
}

/// Runs criu on the root, which must be a mount point of its own meanwhile.
fn resurrect(
    criu: &Path,
    container: &Container,
    spec: &Spec,
    cgroup: &Cgroup,
    external: &External,
    options: &RestoreOptions,
) -> Result<Pid, Error> {
    let pid_file = container.path().join("criu.pid");
    let root = RootMount::new(container.path().join("criu-root"), &container.state.rootfs)?;
    let text = |path: &Path| path.display().to_string();
    let mut arguments = vec!["--restore-detached".to_owned(), "--images-dir".into(), text(&options.images)];
    arguments.extend(["--root".into(), text(&root.0), "--pidfile".into(), text(&pid_file)]);
    let mode = if cgroup.needs_init_first() { Some("ignore") } else { options.manage_cgroups.as_deref() };
    arguments.push(format!("--manage-cgroups={}", mode.unwrap_or("soft")));
    for hierarchy in cgroup.hierarchies().filter(|_| !cgroup.needs_init_first()) {
        let prefix = if hierarchy.name().is_empty() { String::new() } else { format!("{}:", hierarchy.name()) };
        arguments.extend(["--cgroup-root".into(), format!("{prefix}/{}", hierarchy.path().display())]);
    }
    arguments.extend(external.restore_arguments(spec, &container.state.bundle, cgroup)?);
    let network = network_path(spec).map(inheritable).transpose()?;
    if let Some(fd) = &network {
        arguments.extend(["--inherit-fd".into(), format!("fd[{}]:{NETWORK}", fd.as_raw_fd())]);
    }
    arguments.extend(options.criu_options.iter().cloned());
    run(criu, "restore", options.work.as_ref().unwrap_or(&options.images), arguments)?;
    let written = fs::read_to_string(&pid_file);
    let pid = written.map_err(|source| Error::File { step: "reading", path: pid_file.clone(), source })?;
    // Once read it is of no use to anybody; the container's directory is removed with a list of its own files.
    let _ = fs::remove_file(&pid_file);
    pid.trim().parse().map(Pid::from_raw).map_err(|_| Error::Gone)
}

/// A descriptor that criu inherits.
fn inheritable(path: &Path) -> Result<OwnedFd, Error> {
    open(path, OFlag::O_RDONLY, Mode::empty()).map_err(|errno| Error::File {
        step: "opening",
        path: path.into(),
        source: errno.into(),
    })
}

/// A bind mount of the root, away again when criu is done: the container has its own copy by then.
struct RootMount(PathBuf);

impl RootMount {
    fn new(place: PathBuf, rootfs: &Path) -> Result<Self, Error> {
        private_directory(&place)?;
        let root = RootMount(place);
        let none = None::<&str>;
        mount(Some(rootfs), &root.0, none, MsFlags::MS_BIND | MsFlags::MS_REC, none).map_err(|errno| Error::File {
            step: "binding the root on",
            path: root.0.clone(),
            source: errno.into(),
        })?;
        Ok(root)
    }
}

impl Drop for RootMount {
    fn drop(&mut self) {
        // Nothing more can be done about a mount that stays: `delete` then names it with EBUSY.
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
        let _ = fs::remove_dir(&self.0);
    }
}
