//! The container's directory: what every command finds of a container, whenever the last one was killed.
//!
//! `<root>/<id>/` holds `state.json` (written whole and renamed), `config.json` (as it was at create) and `start.sock`
//! (where the parked init listens). The directory's own `flock` is the container's lock.

mod container;
mod store;

pub use container::{Container, OciState, ProcessStat, Status, boot, process_stat};
pub use store::Store;

use crate::cgroup::Cgroup;
use crate::spec::{Hooks, IoPriority, Scheduler};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where the parked init listens for `start`, in the container's directory.
pub const START_SOCKET: &str = "start.sock";
/// The configuration as it was at create, in the container's directory.
pub const CONFIG: &str = "config.json";
const STATE: &str = "state.json";

/// Why a container's state can't be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such container.
    #[error("container \"{0}\" does not exist")]
    Absent(String),
    /// Not a name of a container.
    #[error("{0}")]
    Id(String),
    /// The id is taken.
    #[error("container with id \"{0}\" exists already: delete it first, or take another id")]
    Exists(String),
    /// The store's own directory can't be made.
    #[error("making the state directory {path} (--root): {errno}")]
    Root {
        /// Which directory.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// A step on the container's directory or one of its files failed.
    #[error("{step} {path}: {errno}")]
    File {
        /// What was tried.
        step: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// A part of the container can't be looked at, so that its status is unknown.
    #[error("the status of {id} can't be told: {part}: {errno}")]
    Status {
        /// The container.
        id: String,
        /// What was looked at.
        part: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
    /// The container's cgroup can't be asked.
    #[error(transparent)]
    Cgroup(Box<crate::cgroup::Error>),
    /// state.json is not what rtrun writes.
    #[error("{path}: not a state file of this version: {message}; `rtrun delete --force` removes the container")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What the parser said.
        message: String,
    },
}

/// The container's first process, told from one that took its number over by its start time.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Init {
    /// pid in the runtime's PID namespace.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`, clock ticks since boot.
    pub start_time: u64,
    /// [`boot`] of then; 0 in state written before it was kept.
    #[serde(default)]
    pub boot: u64,
}

/// What is kept of a container between commands.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    /// `ociVersion` of the bundle.
    pub oci_version: String,
    /// The container's name.
    pub id: String,
    /// Absolute path of the bundle.
    pub bundle: PathBuf,
    /// Absolute path of the root filesystem on the host.
    pub rootfs: PathBuf,
    /// Seconds since the epoch.
    pub created: u64,
    /// Effective user ID of the creator.
    pub owner: u32,
    /// The configuration's annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Absent until create is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
    /// Absent in what is left of a create that was killed before it had planned one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<Cgroup>,
    /// poststart and poststop hooks, which run when the bundle may be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks: Option<Hooks>,
    /// What `start` sets on the parked init.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Scheduler>,
    /// What `start` sets on the parked init.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_priority: Option<IoPriority>,
    /// What is done beyond a plain container's, and what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realtime: Option<Box<crate::report::Realtime>>,
    /// The resctrl groups to remove at delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rdt: Option<crate::rdt::Group>,
    /// The mount over the root on the host, in a container without a mount namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover: Option<crate::rootfs::Cover>,
}

/// Parses a state file.
///
/// # Errors
/// The parser's words.
pub fn parse(text: &[u8]) -> Result<State, String> {
    serde_json::from_slice(text).map_err(|error| error.to_string())
}
