use crate::cgroup::Manager;
use std::path::PathBuf;

/// What `create` and `run` are asked.
#[derive(Clone, Debug)]
pub struct CreateOptions {
    /// Name of the container.
    pub id: String,
    /// The bundle's directory.
    pub bundle: PathBuf,
    /// In place of the bundle's config.json.
    pub config: Option<PathBuf>,
    /// Unix socket that gets the terminal's master.
    pub console_socket: Option<PathBuf>,
    /// File that gets the init's pid.
    pub pid_file: Option<PathBuf>,
    /// Unix socket that gets the init's pidfd.
    pub pidfd_socket: Option<PathBuf>,
    /// Move the root over `/` instead of pivot_root(2).
    pub no_pivot: bool,
    /// Descriptors after standard error that the process inherits.
    pub preserve_fds: u32,
    /// Who makes cgroups.
    pub manager: Manager,
    /// Whether missing rights over cgroups are to be borne.
    pub rootless: bool,
}

/// What `exec` is asked.
#[derive(Clone, Debug)]
pub struct ExecOptions {
    /// Return once it has started.
    pub detach: bool,
    /// Unix socket that gets the terminal's master.
    pub console_socket: Option<PathBuf>,
    /// File that gets the process's pid.
    pub pid_file: Option<PathBuf>,
    /// Unix socket that gets the process's pidfd.
    pub pidfd_socket: Option<PathBuf>,
    /// Descriptors after standard error that the process inherits.
    pub preserve_fds: u32,
    /// cgroup below the container's to run in; empty for that itself.
    pub cgroup: String,
}
