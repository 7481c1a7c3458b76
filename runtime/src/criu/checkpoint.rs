use super::external::{External, network_key};
use super::{Error, private_directory, run, usable};
use crate::launch;
use crate::spec::Spec;
use crate::state::{Container, Status, Store};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};

/// What `checkpoint` is asked.
#[derive(Clone, Debug, Default)]
pub struct CheckpointOptions {
    /// The criu binary; the one in `PATH` when absent.
    pub criu: Option<PathBuf>,
    /// Where the images go.
    pub images: PathBuf,
    /// Where logs and statistics go; the images' place when absent.
    pub work: Option<PathBuf>,
    /// Images of an earlier pre-dump, relative to this one's.
    pub parent: Option<PathBuf>,
    /// Let the container run on.
    pub leave_running: bool,
    /// Dump the memory only, and let the container run on.
    pub pre_dump: bool,
    /// `ADDRESS:PORT` of a page server that takes the memory.
    pub page_server: Option<String>,
    /// Descriptor to which criu writes once lazy pages may be fetched.
    pub status_fd: Option<i32>,
    /// criu's cgroup mode; `soft` when absent.
    pub manage_cgroups: Option<String>,
    /// Namespaces (`network`) that are dumped empty.
    pub empty_namespaces: Vec<String>,
    /// criu's own switches, with their dashes.
    pub switches: Vec<&'static str>,
}

/// Writes the container's processes to images; it is then deleted, unless it is to run on.
///
/// # Errors
/// [`Error`]; criu leaves the container running when it fails.
pub fn checkpoint(
    store: &Store,
    id: &str,
    options: &CheckpointOptions,
    warn: &mut dyn FnMut(String),
) -> Result<(), Error> {
    let criu = usable(options.criu.as_deref())?;
    let container = store.load(id)?;
    let status = container.status()?;
    let pid = container.init().filter(|_| status == Status::Running);
    let pid = pid.ok_or_else(|| Error::NotRunning { id: id.into(), status })?;
    let spec = container.config()?;
    if spec.process.as_ref().is_some_and(|process| process.terminal) {
        let why = "criu hands a terminal's master over by its RPC alone, which is not used";
        return Err(Error::Unsupported { field: "process.terminal", why });
    }
    private_directory(&options.images)?;
    let work = options.work.as_ref().unwrap_or(&options.images);
    private_directory(work)?;
    let external = External::of(pid, &spec, container.cgroup())?;
    if !options.pre_dump {
        external.save(&options.images)?;
    }
    let action = if options.pre_dump { "pre-dump" } else { "dump" };
    run(&criu, action, work, arguments(&container, pid, &spec, &external, options)?)?;
    if !options.leave_running && !options.pre_dump {
        launch::delete(store, id, true, warn)?;
    }
    Ok(())
}

fn arguments(
    container: &Container,
    pid: Pid,
    spec: &Spec,
    external: &External,
    options: &CheckpointOptions,
) -> Result<Vec<String>, Error> {
    let text = |path: &Path| path.display().to_string();
    let mut arguments = vec!["--tree".to_owned(), pid.to_string(), "--images-dir".into(), text(&options.images)];
    arguments.extend(["--root".into(), text(&container.state.rootfs)]);
    arguments.push(format!("--manage-cgroups={}", options.manage_cgroups.as_deref().unwrap_or("soft")));
    let freezer = container.cgroup().and_then(|cgroup| {
        cgroup.hierarchies().find(|own| own.name() == "freezer" || (cgroup.is_unified() && own.name().is_empty()))
    });
    if let Some(freezer) = freezer {
        arguments.extend(["--freeze-cgroup".into(), text(&freezer.directory())]);
    }
    if options.leave_running && !options.pre_dump {
        arguments.push("--leave-running".into());
    }
    if let Some(parent) = &options.parent {
        arguments.extend(["--track-mem".into(), "--prev-images-dir".into(), text(parent)]);
    } else if options.pre_dump {
        arguments.push("--track-mem".into());
    }
    if let Some(server) = &options.page_server {
        let (address, port) =
            server.rsplit_once(':').ok_or(Error::Unsupported { field: "--page-server", why: "it is ADDRESS:PORT" })?;
        arguments.extend(["--page-server", "--address", address, "--port", port].map(String::from));
    }
    if let Some(fd) = options.status_fd {
        arguments.extend(["--status-fd".into(), fd.to_string()]);
    }
    for namespace in &options.empty_namespaces {
        arguments.extend(["--empty-ns".into(), if namespace == "network" { "net".into() } else { namespace.clone() }]);
    }
    if let Some(key) = network_key(spec)? {
        arguments.extend(["--external".into(), key]);
    }
    if !options.pre_dump {
        arguments.extend(external.dump_arguments());
    }
    arguments.extend(options.switches.iter().map(|&switch| switch.to_owned()));
    Ok(arguments)
}
